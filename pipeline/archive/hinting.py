"""What a person decided on a page of OUTPUT, merged into `OUTPUT/hints.toml`; comments and other entries stay."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import tomlkit
from filelock import FileLock, Timeout

from pipeline.archive.hints import NAME, check_size, written_hints
from pipeline.archive.journal import Journal
from pipeline.archive.own import FOLDER, HINTS_LOCK, check_own
from pipeline.ground import shelf
from pipeline.ground.errors import InputError, OutputError, SettingsError
from pipeline.ground.files import read_plain, words, write_whole
from pipeline.ground.hints import hints_of

FORMAT: Final = "colorize-decisions"
VERSION: Final = 1
_LARGEST: Final = 1 << 30  # bytes of a file of decisions
_NEW: Final = "# What a person says of single pictures: docs/hints.md of colorize. Paths are the manifest's sources.\n"
_TEXTS: Final = ("key", "sha256")
TOLD: Final = ("decision", "rating", "points", "saturation", "warmth", "palette", "model", "note")
_PATIENCE: Final = 10.0  # seconds; a change takes far less


@dataclass(frozen=True, slots=True)
class Imported:
    """What came of an import.

    Attributes:
        path: of the hints.
        taken: pictures whose hints are new or changed.
        unchanged: pictures whose hints said that already.
        unknown: keys that are no source of OUTPUT.
        others: keys whose picture is not the one that was decided on.
        undone: keys whose decision was taken back.
    """

    path: Path
    taken: int
    unchanged: int
    unknown: Sequence[str]
    others: Sequence[str]
    undone: Sequence[str]


def import_decisions(file: Path, output: Path) -> Imported:
    """Merge a file of decisions into `OUTPUT/hints.toml`, which is replaced whole or not at all.

    Of a picture `decision` is taken as it is, null takes an earlier one back; of the rest null, an empty list and an
    empty text say nothing.

    Raises:
        InputError: the file cannot be read.
        SettingsError: it is no file of decisions, a decision makes no sense, or the hints that are there don't.
        OutputError: OUTPUT has no journal, or cannot be written.
    """
    return merge_decisions(_read(file), output, str(file))


def _read(file: Path) -> Any:
    try:
        return json.loads(read_plain(file, _LARGEST))
    except OSError as error:
        raise InputError(f"{file} cannot be read: {words(error)}.") from None
    except (ValueError, RecursionError) as error:
        said = "brackets in too many brackets" if isinstance(error, RecursionError) else error
        raise SettingsError(f"{file} is not valid JSON: {said}.") from None


def merge_decisions(said: Any, output: Path, where: str) -> Imported:
    """As `import_decisions`, of what such a file holds; `where` stands before what is wrong with it."""
    with _held(output):
        return _merge(_pictures(said, where), output)


def decide(key: str, sha256: str, change: Mapping[str, Any], output: Path) -> dict[str, Any]:
    """Change what is said of one picture, at once; null, an empty text and an empty list take back what was said.

    Args:
        key: of the picture, a source of OUTPUT.
        sha256: of the picture that was looked at; empty where that is not known.
        change: some of what a picture says in a file of decisions; the rest stays as it is.
        output: OUTPUT.

    Returns:
        All that is said of it now, in `OUTPUT/hints.toml`.

    Raises:
        InputError: there is no such picture in OUTPUT, or it is another one by now.
        SettingsError, OutputError: as `import_decisions`.
    """
    picture = _checked({"key": key, "sha256": sha256} | dict(change), output.name)
    with _held(output):
        came = _merge([picture], output, taking_back=True)
        if came.unknown:
            raise InputError(f"{key}: no such picture in {shelf.name(output)}.")
        if came.others:
            raise InputError(f"{key} is another picture now than the one that was looked at: load the page again.")
        return dict(written_hints(output).get(key, {}))


@contextmanager
def _held(output: Path) -> Iterator[None]:
    """Let nobody else of ours change OUTPUT's hints for the length of the block."""
    with Journal(output, read_only=True):
        check_own(output)
    try:
        with FileLock(output / FOLDER / HINTS_LOCK, timeout=_PATIENCE):
            yield
    except Timeout:
        raise OutputError(f"{output / NAME} is being written by another program for long: try again.") from None
    except OSError as error:
        raise OutputError(f"{output} cannot be written: {words(error)}.") from None


def _merge(pictures: list[dict[str, Any]], output: Path, *, taking_back: bool = False) -> Imported:
    written_hints(output)  # what is there has to make sense
    with Journal(output, read_only=True) as journal:
        digests = {key: row.source_sha256 for key, row in journal.known([each["key"] for each in pictures]).items()}
    unknown = [each["key"] for each in pictures if each["key"] not in digests]
    others = [each["key"] for each in pictures if _differs(each.get("sha256"), digests.get(each["key"]))]
    path = output / NAME
    document = _document(path)
    taken, undone = 0, list[str]()
    kept = [each for each in pictures if each["key"] in digests and each["key"] not in others]
    for picture in kept:
        before = document.unwrap().get(picture["key"], {})
        after = _merged(before, picture, digests[picture["key"]], taking_back=taking_back)
        hints_of(after, f'{path}, "{picture["key"]}"')
        undone += [picture["key"]] if "decision" in before and "decision" not in after else []
        taken += _put(document, picture["key"], before, after)
    if taken:
        _write(path, document)
    return Imported(path, taken, len(kept) - taken, unknown, others, undone)


def _pictures(said: Any, where: str) -> list[dict[str, Any]]:
    if not isinstance(said, dict) or said.get("format") != FORMAT or not isinstance(said.get("pictures"), list):
        raise SettingsError(f'{where} is not a file of decisions: its format is not "{FORMAT}".')
    if said.get("version") != VERSION:
        raise SettingsError(f"{where} is of version {said.get('version')!r}; this program knows version {VERSION}.")
    return [_checked(each, f"{where}, picture {number}") for number, each in enumerate(said["pictures"], 1)]


def _checked(picture: Any, where: str) -> dict[str, Any]:
    if not isinstance(picture, dict) or not isinstance(picture.get("key"), str) or not picture["key"]:
        raise SettingsError(f'{where}: there is no "key", the path of its source.')
    unknown = sorted(set(picture) - {*_TEXTS, *TOLD})
    if unknown:
        raise SettingsError(f'{where}: there is no "{unknown[0]}". There are {", ".join((*_TEXTS, *TOLD))}.')
    hints_of(_said(picture), f"{where} ({picture['key']})")
    return picture


def _said(picture: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a picture's table says, as an entry."""
    names = ("sha256", *TOLD)
    return {name: picture[name] for name in names if picture.get(name) not in (None, "", [])}


def _differs(told: str | None, known: str | None) -> bool:
    return bool(told and known and told != known)


def _merged(before: Mapping[str, Any], picture: Mapping[str, Any], digest: str, *, taking_back: bool) -> dict[str, Any]:
    said = _said(picture)
    after = dict(before) | said
    for name in TOLD if taking_back else ("decision",):
        if name in picture and name not in said:
            after.pop(name, None)
    if not after.keys() - {"sha256"}:
        return {}
    if digest:  # so that the entry is found again when its source is renamed, and not taken for another's
        after["sha256"] = digest
    return after


def _document(path: Path) -> tomlkit.TOMLDocument:
    try:
        return tomlkit.parse(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        return tomlkit.parse(_NEW)


def _put(document: tomlkit.TOMLDocument, key: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    """Write what has changed of an entry; return whether anything has."""
    if before == after:
        return False
    if not after:
        del document[key]
        return True
    if key not in document:
        document.add(tomlkit.nl())
        document.add(key, tomlkit.table())
    entry: Any = document[key]
    for name in before.keys() - after.keys():
        del entry[name]
    for name, value in after.items():
        if before.get(name) != value:
            entry[name] = _in_lines(value) if name == "points" else value
    return True


def _in_lines(points: list[dict[str, Any]]) -> Any:
    """Return points as a person writes them, one a line."""
    array = tomlkit.array().multiline(True)
    for point in points:
        table = tomlkit.inline_table()
        table.update(point)
        array.append(table)
    return array


def _write(path: Path, document: tomlkit.TOMLDocument) -> None:
    data = tomlkit.dumps(document).encode()
    check_size(len(data), str(path))  # or the next run could not read it
    try:
        write_whole(path, data)
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {words(error)}.") from None
