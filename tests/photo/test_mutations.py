"""Files hurt in every way: none crashes, hangs, starts a program or prints, and few are wrong in silence."""

from __future__ import annotations

import os
import signal
import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from pipeline.ground.errors import ItemError
from pipeline.ground.pixels import eight_bits
from pipeline.media.photo.read import read
from tests.photo.mutations import COMPRESSED, PLAIN, mutated

# Sentences of libraries, which nobody should have to read.
FOREIGN = ("decoder error", "broken data stream", "could not", "b'", "Traceback", "Error", "expected", "unpack", "0x")
_SECONDS = 10
# What more than a tenth of the pixels of a compressed picture shows, by more than 8 levels, must be said in this share
# of the cases. Measured: 878 of 907 (of 2,000). Silent by nature: a bit of the DC of a JPEG, which moves all that
# follows, numbers in headers that mean something else then, bits of AVIF and lossless WebP.
_SAID = 0.95


@contextmanager
def within(seconds: int) -> Iterator[None]:
    def stop(*_: object) -> None:
        raise TimeoutError("it hangs")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def shown(path: Path, **options: object) -> tuple[np.ndarray, str]:
    photo = read(path, max_megapixels=5, **options)
    assert photo.pixels.dtype in (np.uint8, np.uint16)
    assert photo.pixels.shape[:2] == (photo.height, photo.width)
    pixels = eight_bits(photo.pixels).astype(int)
    return pixels if pixels.ndim == 2 else pixels[:, :, 1], photo.note


def is_another(pixels: np.ndarray, good: np.ndarray) -> bool:
    return pixels.shape != good.shape or (np.abs(pixels - good) > 8).mean() > 0.1


def run(tmp_path: Path, count: int, seed: int) -> tuple[int, int, Counter[str]]:
    """Read them; return how many compressed ones are another picture, how many of these are said, and the others."""
    path, good = tmp_path / "a.jpg", dict[str, np.ndarray]()
    for name, data in {**COMPRESSED, **PLAIN}.items():
        path.write_bytes(data)
        good[name] = shown(path)[0]
    other, said, silent = 0, 0, Counter[str]()
    foreign = list[tuple[str, str, str]]()
    for name, hurt, data in mutated(count, seed):
        path.write_bytes(data)
        try:
            with within(_SECONDS):
                pixels, note = shown(path, damaged=True)
        except ItemError as error:
            foreign += [(name, hurt, str(error)) for word in FOREIGN if word in str(error)]
            other, said = other + (name in COMPRESSED), said + (name in COMPRESSED)
            continue
        if name in COMPRESSED and is_another(pixels, good[name]):
            other += 1
            said += bool(note)
            silent[f"{name}: {hurt}"] += not note
    assert not foreign
    return other, said, +silent


@pytest.fixture(autouse=True)
def no_program_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    for module, name in ((subprocess, "Popen"), (os, "system"), (os, "posix_spawn"), (os, "fork")):
        monkeypatch.setattr(module, name, lambda *_, **__: pytest.fail("a program was started"))


def test_400_files_hurt_in_every_way(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    other, said, silent = run(tmp_path, 400, seed=17)
    assert capfd.readouterr().err == ""
    assert said >= _SAID * other, (other, said, silent)


@pytest.mark.soak
def test_2000_files_hurt_in_every_way(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """The share is one of 2,000: among 400 it goes below by chance (171 of 182 with seed 1002)."""
    runs = [run(tmp_path, 400, seed=1000 + seed) for seed in range(5)]
    assert capfd.readouterr().err == ""
    other, said = sum(each[0] for each in runs), sum(each[1] for each in runs)
    silent = sum((each[2] for each in runs), Counter[str]())
    print(f"{other} are another picture, {said} of them are said; silent: {dict(silent)}")
    assert said >= _SAID * other
