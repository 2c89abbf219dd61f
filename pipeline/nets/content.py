"""A model's bytes, read once: what was hashed and checked is what an engine is given."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Final

from pipeline.ground import files
from pipeline.ground.errors import ModelError
from pipeline.ground.files import words
from pipeline.nets.spec import NetSpec

# Protocol buffers end there, and ONNX with them.
LARGEST: Final = 2**31 - 1


def read_file(path: Path, *, remedy: str = "") -> bytes:
    """Read a model file whole; a pipe or a device is not waited for.

    Args:
        path: the file.
        remedy: a sentence that says what to do, added to every message.

    Raises:
        ModelError: it cannot be read, is no file, or larger than a model can be.
    """
    try:
        return files.read_plain(path, LARGEST)
    except OSError as error:
        told = f"The model file {path} cannot be read: {words(error)}."
        raise ModelError(f"{told} {remedy}".rstrip()) from None


def content(spec: NetSpec) -> tuple[bytes, ...]:
    """Read the files of a net and hold them to the hash under which they were checked.

    Returns:
        The ONNX file; of a Caffe model the caffemodel, the prototxt and the points.

    Raises:
        ModelError: one cannot be read, or was changed since.
    """
    paths = [path for path in (spec.path, spec.prototxt, spec.points) if path is not None]
    found = tuple(read_file(path) for path in paths)
    if digest(spec.form, *found) != spec.sha256:
        raise ModelError(f"The model file {spec.path} was changed after it was checked: nothing is run. Run again.")
    return found


def digest(form: str, *contents: bytes) -> str:
    """Return the sha256 of a net: of its one file, or of the hashes of a Caffe model's prototxt, weights and points."""
    hashes = [hashlib.sha256(each).hexdigest() for each in contents]
    if form == "onnx":
        return hashes[0]
    weights, prototxt, points = hashes
    return hashlib.sha256("".join((prototxt, weights, points)).encode()).hexdigest()
