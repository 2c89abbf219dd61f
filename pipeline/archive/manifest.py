"""The manifest: the journal as a table for people and spreadsheets, `OUTPUT/manifest.csv`."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator
from pathlib import Path

from pipeline.archive.journal import FOLDER, Journal
from pipeline.archive.schema import Row
from pipeline.errors import OutputError

NAME = "manifest.csv"
COLUMNS = (
    "source",
    "output",
    "kind",
    "status",
    "reason",
    "verdict",
    "chroma",
    "width",
    "height",
    "bits",
    "frames",
    "model",
    "engine",
    "seconds",
    "source_sha256",
    "output_sha256",
    "metadata",
    "finished_at",
    "run_id",
)

# Reasons carry what libraries said; a NUL or a bare carriage return there would break readers of CSV.
_CONTROL = dict.fromkeys((*range(32), 127), " ")


def check_manifest(output: Path) -> None:
    """Refuse a `manifest.csv` in OUTPUT that is not ours, before a night's work rather than after it.

    Raises:
        OutputError: with what to do.
    """
    path = output / NAME
    if path.exists() and not path.is_file():
        raise OutputError(f"{path} is not a file: move it away, or give another OUTPUT.")
    try:
        with path.open("rb") as file:
            header = file.readline(1000)
    except FileNotFoundError:
        return
    except OSError as error:
        raise OutputError(f"{path} cannot be read: {(error.strerror or str(error)).lower()}.") from None
    # Loosely: a spreadsheet that saved it may have put in a byte order mark, semicolons or quotes.
    if header and not all(word in header for word in (b"source", b"output", b"status")):
        raise OutputError(f"{path} is not a manifest of this program: move it away, or give another OUTPUT.")


def write_manifest(journal: Journal, output: Path) -> Path:
    """Draw the manifest from the journal: RFC 4180, UTF-8, one row an item, sorted by source.

    The old one stays whole until the new one is on the disk. Rows are streamed: memory does not grow with them.

    Returns:
        Its path.

    Raises:
        OutputError: it can't be written, or a file that is not ours is in its place.
    """
    check_manifest(output)
    path = output / NAME
    part = output / FOLDER / "tmp" / f"{NAME}.{os.getpid()}"
    try:
        part.parent.mkdir(parents=True, exist_ok=True)
        try:
            with part.open("w", encoding="utf-8", errors="backslashreplace", newline="") as file:
                writer = csv.writer(file, lineterminator="\r\n")
                writer.writerow(COLUMNS)
                writer.writerows(_lines(journal))
                file.flush()
                os.fsync(file.fileno())
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
        _sync_folder(output)
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {(error.strerror or str(error)).lower()}.") from None
    return path


def _lines(journal: Journal) -> Iterator[tuple[str | int, ...]]:
    for row in journal.rows():
        yield _line(row)


def _line(row: Row) -> tuple[str | int, ...]:
    return (
        row.key,
        row.output,
        row.kind if row.kind in ("photo", "film") else "",
        row.status,
        row.reason.translate(_CONTROL),
        row.verdict,
        "" if row.chroma is None else f"{row.chroma:.2f}",
        row.width or "",
        row.height or "",
        row.bits or "",
        row.frames or "",
        row.model,
        row.engine,
        f"{row.seconds:.3f}" if row.seconds else "",
        row.source_sha256,
        row.output_sha256,
        row.metadata.translate(_CONTROL),
        row.finished_at,
        row.run_id,
    )


def _sync_folder(folder: Path) -> None:
    # The new name is on the disk only when the folder is.
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError:
        pass  # some network file systems can't, and lose nothing by it
    finally:
        os.close(descriptor)
