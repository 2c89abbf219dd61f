"""A picture that comes through a pipe, or goes into one: it lies in a folder of its own for as long."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final

from pipeline.ground.errors import ColorizeError, InputError, OutputError
from pipeline.ground.files import words
from pipeline.ground.items import Result
from pipeline.ground.settings import Settings
from pipeline.media.photo.decoders import JPEG, PNG, TIFF, WEBP, recognise
from pipeline.run.naming import destination_of
from pipeline.run.single import colorize_picture

_SUFFIXES: Final = {JPEG.name: ".jpg", PNG.name: ".png", TIFF.name: ".tif", WEBP.name: ".webp"}
_HEAD: Final = 4096
IN: Final = "standard input"


@contextmanager
def received(stream: BinaryIO) -> Iterator[Path]:
    """Give a file that holds all of a stream, named by its content, for the length of the block.

    Raises:
        InputError: the stream is empty, or cannot be read.
        OutputError: there is no room for it in the folder for temporary files.
    """
    with _folder() as folder:
        try:
            head = stream.read(_HEAD)
        except OSError as error:
            raise InputError(f"Standard input cannot be read: {words(error)}.") from None
        if not head:
            raise InputError("Standard input is empty: a picture is wanted there.")
        known = recognise(head)
        path = folder / f"standard-input{_SUFFIXES.get(known.name if known else '', '')}"
        try:
            with path.open("xb") as file:
                file.write(head)
                shutil.copyfileobj(stream, file)
        except OSError as error:
            raise OutputError(f"Standard input cannot be kept in {folder}: {words(error)}.") from None
        with _calling(path, IN):
            yield path


def colorize_into(stream: BinaryIO, source: Path, settings: Settings) -> Result:
    """Colorize one picture into a stream, which gets all of it or, if that fails, nothing; as `colorize_picture`.

    Raises:
        OutputError: the stream cannot be written.
    """
    with _folder() as folder:
        path = destination_of(source, folder, settings)
        with _calling(path, "standard output"):
            result = colorize_picture(source, path, settings)
        if result.filed:
            try:
                with path.open("rb") as file:
                    shutil.copyfileobj(file, stream)
                stream.flush()
            except OSError as error:
                raise OutputError(f"Standard output cannot be written: {words(error)}.") from None
    return result


@contextmanager
def _folder() -> Iterator[Path]:
    try:
        folder = tempfile.TemporaryDirectory(prefix="colorize-")
    except OSError as error:
        raise OutputError(f"There is no folder for temporary files: {words(error)}.") from None
    with folder as name:
        yield Path(name)


@contextmanager
def _calling(path: Path, name: str) -> Iterator[None]:
    """Call a file by its other name in what goes wrong: nobody knows it under its own."""
    try:
        yield
    except ColorizeError as error:
        alone = rf"(?<![\w/]){re.escape(path.name)}"
        said = re.sub(alone, name, str(error).replace(str(path), name))
        error.args = (said, *error.args[1:])
        raise
