"""Hurt files of every kind that the program reads, again and again: none brings anything but a sentence.

A finding is written to `corpus/TARGET/`, from where every later test tries it first. `make soak` goes on from the seed
at which it stopped, kept in pytest's cache.
"""

from __future__ import annotations

import hashlib
import time
import traceback
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.fuzz.targets import Target, targets
from tests.photo.mutations import HURT
from tests.photo.test_mutations import within

CORPUS = Path(__file__).parent / "corpus"
NAMES = ("picture", "onnx", "configuration", "journal", "manifest", "metadata", "jpeg", "index", "names")
_SECONDS = 15  # a target may take for one example
_BUDGET = 60  # seconds for each target in `make soak`
_FEW = {"journal": 10, "manifest": 20, "picture": 60}
_MOST_KEPT = 65_536
_NUMBERS = (b"0", b"-1", b"99999999999999999999", b"1e999", b"nan", b"\xff" * 4, b"\0" * 8, b"../", b"[" * 500)


@pytest.fixture(scope="module")
def all_targets(tmp_path_factory: pytest.TempPathFactory, tiny_net: Path) -> dict[str, Target]:
    return targets(tmp_path_factory.mktemp("fuzz"), tiny_net)


def hurt(target: Target, seed: int) -> bytes:
    """Return one hurt example, the same each time for a seed."""
    random = np.random.default_rng(seed)
    seeds = list(target.seeds.values())
    data = bytearray(seeds[random.integers(len(seeds))])
    for _ in range(int(random.integers(1, 5))):
        way = int(random.integers(len(HURT) + 2))
        if len(data) < 10 or way == len(HURT):
            at, word = int(random.integers(len(data) + 1)), _NUMBERS[random.integers(len(_NUMBERS))]
            data[at : at + int(random.integers(2)) * len(word)] = word
        elif way > len(HURT):
            other = seeds[random.integers(len(seeds))]
            at = int(random.integers(len(data)))
            data = data[:at] + other[int(random.integers(len(other))) :]
        else:
            data = HURT[way](data, random)
    return bytes(data)


def finding(target: Target, data: bytes) -> str:
    """Return where an example fails and how; empty for nothing."""
    try:
        with within(_SECONDS):
            target.run(data)
    except Exception as error:
        frame = traceback.extract_tb(error.__traceback__)[-1]
        return f"{type(error).__name__}: {str(error)[:300]} ({Path(frame.filename).name}:{frame.lineno})"
    return ""


def kept(name: str, data: bytes) -> str:
    """Write a finding into the corpus and return its name."""
    path = CORPUS / name / hashlib.sha256(data).hexdigest()[:12]
    path.parent.mkdir(parents=True, exist_ok=True)
    if len(data) <= _MOST_KEPT:
        path.write_bytes(data)
    return path.name


def examples() -> Iterator[Path]:
    return (path for path in sorted(CORPUS.rglob("*")) if path.is_file())


@pytest.mark.parametrize("path", list(examples()), ids=lambda path: f"{path.parent.name}/{path.name}")
def test_what_was_found_stays_mended(all_targets: dict[str, Target], path: Path) -> None:
    assert not finding(all_targets[path.parent.name], path.read_bytes())


@pytest.mark.parametrize("name", NAMES)
def test_some_hurt_files(all_targets: dict[str, Target], name: str) -> None:
    target = all_targets[name]
    for label, data in target.seeds.items():
        assert not finding(target, data), label
    found = {finding(target, hurt(target, seed)) for seed in range(_FEW.get(name, 200))}
    assert found <= {""}


@pytest.mark.soak
@pytest.mark.parametrize("name", NAMES)
def test_hurt_files_for_a_minute(all_targets: dict[str, Target], name: str, request: pytest.FixtureRequest) -> None:
    target, found = all_targets[name], dict[str, str]()
    cache = getattr(request.config, "cache", None)
    first = seed = int(cache.get(f"fuzz/{name}", 1000)) if cache else 1000
    end = time.monotonic() + _BUDGET
    while time.monotonic() < end:
        data = hurt(target, seed)
        if (said := finding(target, data)) and said not in found:
            found[said] = f"{name}/{kept(name, data)}, seed {seed}"
        seed += 1
    if cache:
        cache.set(f"fuzz/{name}", seed)
    print(f"{name}: {seed - first} files from seed {first}, {len(found)} findings")
    assert not found, "\n".join(f"{where}: {said}" for said, where in found.items())
