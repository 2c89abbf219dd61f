"""The photograph that was put in, taken out of a coloured copy again."""

from __future__ import annotations

from pathlib import Path

from pipeline.ground import files
from pipeline.ground.errors import InputError, ItemError, OutputError
from pipeline.media.photo.jpeg.record import original


def take_out(coloured: Path, output: Path, *, force: bool = False) -> int:
    """Write the original that is inside a coloured JPEG, byte for byte; its sha256 is checked first.

    Args:
        coloured: the copy.
        output: where the original goes; replaced only with `force`, and never where it is the copy.

    Returns:
        The original's size in bytes.

    Raises:
        InputError: the copy cannot be read, holds none, or was changed since.
        OutputError: `output` is there already, or cannot be written.
    """
    try:
        held = coloured.read_bytes()
        if held[:2] != b"\xff\xd8":
            raise ItemError("there is no original inside; only a coloured JPEG made of a grey one holds it")
        data = original(held)
    except OSError as error:
        raise InputError(f"{coloured}: {files.words(error)}.") from None
    except ItemError as error:
        raise InputError(f"{coloured}: {error}.") from None
    if output.exists() and (not force or output.samefile(coloured)):
        raise OutputError(f"{output} is there already{'' if output.samefile(coloured) else '; --force replaces it'}.")
    try:
        files.write_whole(output, data)
    except OSError as error:
        raise OutputError(f"{output} cannot be written: {files.words(error)}.") from None
    return len(data)
