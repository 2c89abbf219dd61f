"""Lack of memory while a picture is decoded is no damage of the picture, whatever the decoder calls it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from pipeline.ground.errors import of_the_machine, out_of_memory
from tests.conftest import environment
from tests.photo.mutations import saved

SIDE = 1600
FORMATS = {
    "JPEG": {}, "JPEG, progressive": {"progressive": True}, "PNG": {}, "TIFF": {"compression": "tiff_lzw"},
    "WEBP": {"lossless": True}, "JPEG2000": {}, "GIF": {},
}  # fmt: skip

# Each in a process whose heap holds nothing of another picture, and gives back what is freed.
_SCRIPT = """
import ctypes, json, os, sys
from pathlib import Path
ctypes.CDLL(None).mallopt(-3, 65536), ctypes.CDLL(None).mallopt(-1, 0)
from pipeline.ground.errors import ItemError
from pipeline.ground.memory import bounded
from pipeline.media.photo.read import read

def met(path):
    read(path, max_megapixels=10)
    for bound in (0.3, 1, 2, 4, 6, 8):
        try:
            with bounded(int(bound * 2**20)):
                read(path, max_megapixels=10)
        except ItemError as error:
            yield error.cause, str(error)

for path in map(Path, sys.argv[1:]):
    child = os.fork()
    if not child:
        print(json.dumps([path.name, list(met(path))]), flush=True)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the bound is Linux's")
def test_a_decoder_that_gets_no_memory_says_nothing_of_the_picture(tmp_path: Path) -> None:
    pixels = cv2.GaussianBlur(np.random.default_rng(1).integers(0, 256, (SIDE, SIDE)).astype(np.uint8), (0, 0), 2)
    for name, options in FORMATS.items():
        (tmp_path / name).write_bytes(saved(pixels, name.partition(",")[0], **options))
    done = subprocess.run(
        [sys.executable, "-c", _SCRIPT, *map(str, sorted(tmp_path.iterdir()))],
        env=environment(), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    met = dict(json.loads(line) for line in done.stdout.splitlines())
    assert met.keys() == FORMATS.keys()
    for name, said in met.items():
        assert said, f"{name}: the bound was never met"
        assert {cause for cause, _ in said} == {"memory"}, f"{name}: {said}"


def test_opencv_has_a_word_of_its_own_for_it() -> None:
    lacking, other = cv2.error("Failed to allocate 3600000000 bytes"), cv2.error("(-215:Assertion failed) size")
    assert out_of_memory(lacking)
    assert not out_of_memory(other)
    assert of_the_machine(other) is None
    assert "not enough memory" in str(of_the_machine(lacking))
