"""However a film is cut into pieces, whoever does them: cuts, flashes, fades and dissolves on and beside borders."""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

pytest.importorskip("av")

from pipeline.media.film.index import Index
from pipeline.media.film.join import join
from pipeline.media.film.options import FilmOptions
from pipeline.media.film.scan import scan
from pipeline.media.film.segment import piece
from tests.film.clips import FakeNet, pictures, scenes, write_clip

Colorize = Callable[..., subprocess.CompletedProcess[str]]

FRAMES, GROUP = 48, 12  # in all, and of a group of pictures: a cut can fall on a key frame of the source, or beside it
_KINDS = ("cut", "flash", "two flashes", "fade", "dissolve", "black")


def filmed(effects: list[tuple[int, str]], seed: int = 1) -> list[np.ndarray]:
    """Grey frames with something happening at each of some frames."""
    near, far = (np.stack(scenes(FRAMES, 64, 48, cut=cut, seed=seed)).astype(np.float32) for cut in (0, 1))
    far[0] = far[1]
    frames, shown = near.copy(), near
    for at, kind in sorted(effects):
        other = far if shown is near else near
        if kind == "flash":
            frames[at] = 250
        elif kind == "two flashes":
            frames[at : at + 2] = 245
        elif kind == "black":
            frames[at : at + 6] = 16
        elif kind == "fade":
            for number in range(max(0, at - 8), min(FRAMES, at + 8)):
                frames[number] *= abs(number - at) / 8
        else:
            if kind == "dissolve":
                for number in range(max(0, at - 6), min(FRAMES, at + 6)):
                    share = (number - at + 6) / 12
                    frames[number] = (1 - share) * shown[number] + share * other[number]
            frames[at + (6 if kind == "dissolve" else 0) :] = other[at + (6 if kind == "dissolve" else 0) :]
            shown = other
    return [np.clip(each, 0, 255).astype(np.uint8) for each in frames]


def made(source: Path, index: Index, borders: list[int], steady: str = "normal") -> list[str]:
    """Colour a film in these pieces; return a checksum of each frame."""
    options = FilmOptions(encoder="ffv1", container="mkv", steady=steady)
    parts = []
    for number, (start, stop) in enumerate(zip([0, *borders], [*borders, index.frames], strict=True)):
        parts.append(source.with_name(f"{number}.part"))
        piece(source, index, range(start, stop), FakeNet(), options, parts[-1])
    target = source.with_name("out.mkv")
    join(source, index, parts, target, options)
    return [hashlib.sha256(frame.to_ndarray().tobytes()).hexdigest() for frame in pictures(target)]


PLACES = st.integers(1, FRAMES - 2)
# On a border of the source's groups, beside one, or anywhere.
EDGES = st.one_of(st.sampled_from([each + by for each in range(GROUP, FRAMES, GROUP) for by in (-1, 0, 1)]), PLACES)


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    effects=st.lists(st.tuples(EDGES, st.sampled_from(_KINDS)), max_size=4, unique_by=lambda each: each[0]),
    cutting=st.sets(EDGES, min_size=1, max_size=5),
    steady=st.sampled_from(["normal", "strong", "off"]),
)
def test_frames_do_not_depend_on_how_a_film_is_cut(
    effects: list[tuple[int, str]], cutting: set[int], steady: str, tmp_path: Path
) -> None:
    options = {"preset": "ultrafast", "g": str(GROUP), "bf": "2", "x264-params": "scenecut=0"}
    source = write_clip(tmp_path / "a.mkv", filmed(effects), options=options)
    index = scan(source)
    at_the_shots = [int(each) for each in index.shots[1:]]  # where the film's own cuts are
    whole = made(source, index, [], steady)
    assert len(whole) == FRAMES
    for borders in (sorted(cutting), at_the_shots, [each - 1 for each in at_the_shots if each > 1]):
        assert made(source, index, borders, steady) == whole, (effects, borders)


def test_one_worker_and_two_make_the_same_film(tmp_path: Path, colorize: Colorize, tiny_net: Path) -> None:
    effects = [(FRAMES // 2 - 1, kind) for kind in _KINDS]  # shot by shot, each in the middle of one
    frames = [each for seed, effect in enumerate(effects) for each in filmed([effect], seed)]
    (tmp_path / "scans").mkdir()
    write_clip(tmp_path / "scans" / "reel.mkv", frames, options={"preset": "ultrafast", "g": str(GROUP)})
    bytes_of = []
    for jobs in (1, 2):
        output = tmp_path / str(jobs)
        run = colorize("run", tmp_path / "scans", "-o", output, "-j", jobs, "--engine", "opencv", "--model", tiny_net)
        assert run.returncode == 0, run.stderr
        bytes_of.append((output / "reel.mkv").read_bytes())
    assert bytes_of[0] == bytes_of[1]
    assert len(pictures(tmp_path / "1" / "reel.mkv")) == len(frames)
