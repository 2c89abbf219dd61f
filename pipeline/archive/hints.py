"""What a person says of single pictures: the `hints.toml` of OUTPUT, and those in the folders of INPUT.

INPUT is only read, so what the program itself writes down (`colorize hints import`) lies in OUTPUT. Where both speak of
a picture, each key of OUTPUT's entry goes before that of INPUT's.
"""

from __future__ import annotations

import os
import re
import stat
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from pipeline.archive.discover import Folder, Found
from pipeline.archive.spelling import escape
from pipeline.ground import inside
from pipeline.ground.errors import OutputError, SettingsError
from pipeline.ground.files import sha256, words
from pipeline.ground.hints import NO_HINTS, Exemplar, Hints, hints_of
from pipeline.ground.items import Kind
from pipeline.ground.settings import field_of

NAME: Final = "hints.toml"
_LARGEST: Final = 64_000_000  # bytes: 400,000 entries of a page
NOT_WANTED: Final = "not wanted, by a hint"
READ: Final = "hints of the pictures here, which were read"
_MOST_FILM_QUALITY: Final = field_of("film_quality").metadata["high"]
_BY_CONTENT: Final = re.compile(r"sha256:([0-9a-f]{64})")

Entry = Mapping[str, Any]


def entries_of(data: bytes, where: str) -> dict[str, Entry]:
    """Return the entries of a `hints.toml` by what they are called, each of them checked.

    Raises:
        SettingsError: it is no TOML, or an entry makes no sense.
    """
    try:
        table = tomllib.loads(data.decode("utf-8-sig"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        said = "brackets in too many brackets" if isinstance(error, RecursionError) else error
        raise SettingsError(f"{where} is not valid TOML: {said}.") from None
    for name, entry in table.items():
        if not isinstance(entry, dict):
            raise SettingsError(f'{where}: "{name}" stands outside of an entry: write ["path of a picture"] above it.')
        if name.startswith("sha256:") and not _BY_CONTENT.fullmatch(name):
            raise SettingsError(f'{where}: "{name}" is not sha256: and 64 digits.')
        hints_of(entry, f'{where}, "{name}"')
    return table


def check_size(size: int, where: str) -> None:
    """Raise `SettingsError` where a file of hints has more bytes than memory can be had for: each takes twelve."""
    if size > _LARGEST:
        raise SettingsError(f"{where} has {size / 1e6:.0f} MB; {_LARGEST / 1e6:.0f} MB of hints are read at most.")


def written_hints(output: Path) -> dict[str, Entry]:
    """Return the entries of `OUTPUT/hints.toml`; none where it is not there.

    Raises:
        SettingsError: as `entries_of`.
        OutputError: it cannot be read, or is no file: a run without what a person said would be another one.
    """
    path = output / NAME
    try:
        with os.fdopen(inside.read(output, NAME), "rb") as file:
            found = os.fstat(file.fileno())
            if not stat.S_ISREG(found.st_mode):
                raise OutputError(f"{path} is a pipe or a device, and no file: remove it and run again.")
            check_size(found.st_size, str(path))
            return entries_of(file.read(), str(path))
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise OutputError(f"{path} cannot be read: {words(error)}.") from None


class HintBook:
    """All hints of a run; grows while the INPUTs are walked."""

    def __init__(self, written: Mapping[str, Entry] | None = None) -> None:
        """Take the entries of OUTPUT's file."""
        self._written = dict(written or {})
        self._beside = dict[str, Entry]()
        self._by_digest = dict[str, str]()
        self._by_content = False
        self._used = set[str]()
        self._met = dict[str, Hints]()
        self._films = list[str]()
        self._others = list[str]()
        self._completed: Callable[[Hints], Hints] = lambda hints: hints
        self._index(self._written)

    def complete_by(self, completed: Callable[[Hints], Hints]) -> None:
        """Take what puts to hints what a person does not say: their `net` and `chart`."""
        self._completed = completed

    def _index(self, entries: Mapping[str, Entry]) -> None:
        for name, entry in entries.items():
            self._by_content = self._by_content or name.startswith("sha256:")
            if "sha256" in entry:
                self._by_digest[entry["sha256"]] = name

    def read(self, folder: Folder) -> None:
        """Read the `hints.toml` of a folder of INPUT, if there is one; it is no picture then.

        Raises:
            SettingsError: it makes no sense.
        """
        for number, found in enumerate(folder.files):
            if found.path.endswith(NAME) and found.kind is None and os.path.basename(found.path) == NAME:  # noqa: PTH119
                self.take(found.source, folder.place)
                folder.files[number] = found._replace(kind=Kind.EXCLUDED, reason=READ)

    def take(self, path: Path, place: str) -> None:
        """Read a file of hints that lies in a folder of INPUT, called `place`; raises `SettingsError`."""
        try:
            check_size(path.stat().st_size, str(path))
            entries = entries_of(path.read_bytes(), str(path))
        except OSError as error:
            raise SettingsError(f"{path} cannot be read: {words(error)}.") from None
        above = f"{escape(place)}/" if place else ""
        for name, entry in entries.items():
            key = name if name.startswith("sha256:") else above + name
            self._beside[key] = {**self._beside.get(key, {}), **entry}
            self._index({key: entry})

    def write(self, key: str, entry: Entry) -> None:
        """Let OUTPUT's file say this of a picture."""
        self._written[key] = entry
        self._index({key: entry})

    @property
    def silent(self) -> bool:
        """Whether nothing is said of anything so far."""
        return not (self._written or self._beside)

    def meet(self, found: Found, sha256_before: str) -> Hints:
        """Say that a picture was found, and return its hints.

        Args:
            found: it.
            sha256_before: as an earlier run knew it, of the same contents; empty where none did.
        """
        if found.kind is not None or self.silent:
            return NO_HINTS
        hints = self._hints(found, sha256_before)
        if hints is not NO_HINTS:
            self._met[found.key] = hints
        return hints

    def see(self, found: Found) -> Found:
        """Look at the hints of a film, once it is known that it is one; returns what it was given.

        Raises:
            SettingsError: its quality is none of a film.
        """
        if found.kind is Kind.FILM:
            hints = self.of(found.key)
            if (hints.quality or 0) > _MOST_FILM_QUALITY:
                raise SettingsError(
                    f"{found.key}: quality: {hints.quality} is not a whole number from 1 to {_MOST_FILM_QUALITY}: "
                    "of a film it is the encoder's own measure, as film_quality."
                )
            if hints.strokes:
                self._films.append(found.key)
        return found

    def steer(self, key: str, exemplars: tuple[Exemplar, ...]) -> None:
        """Let approved pictures steer one that was met."""
        self._met[key] = replace(self.of(key), exemplars=exemplars)

    def follow(self, key: str, sha256: str) -> Hints:
        """Say that a picture which was met is one that an earlier run knew under another key; return its hints."""
        if not self.silent:
            hints, before = self._hints(Found("", "", key, None), sha256), self.of(key)
            self._met[key] = replace(hints, exemplars=before.exemplars) if before.exemplars else hints
        return self.of(key)

    def _hints(self, found: Found, sha256_before: str) -> Hints:
        names = [found.key]
        if self._by_content:
            names.append(f"sha256:{sha256_before or _digest(found.source)}")
        entry = self._entry(names)
        if not entry and sha256_before in self._by_digest:  # its source was renamed since
            entry = self._entry([self._by_digest[sha256_before]])
        if not entry:
            return NO_HINTS
        hints = hints_of(entry, found.key)
        if hints.sha256 and hints.sha256 != (sha256_before or _digest(found.source)):
            self._others.append(found.key)
            return NO_HINTS
        return self._completed(hints)

    def _entry(self, names: list[str]) -> Entry:
        told = [(name, book[name]) for book in (self._beside, self._written) for name in names if name in book]
        self._used.update(name for name, _ in told)
        return {key: value for _, entry in told for key, value in entry.items()}

    def of(self, key: str) -> Hints:
        """Return the hints of a picture that was met."""
        return self._met.get(key, NO_HINTS)

    def mark(self, key: str, kind: Kind) -> str:
        """Return what is added to the fingerprint of an output: `Hints.mark` of what its kind takes."""
        hints = self._met.get(key)
        if hints is None:
            return ""
        return hints.of_film.mark if kind is Kind.FILM else hints.mark

    def unused(self) -> list[str]:
        """Return what the entries are called that met nothing."""
        return sorted({*self._written, *self._beside} - self._used)

    def notes(self) -> Iterator[str]:
        """Yield sentences on hints that could not be used for what was met."""
        for key in self._films:
            yield f"{key}: its points and strokes are not used: films take none yet."
        for key in self._others:
            yield f"{key}: its hints are not used, their sha256 is another picture's."


def _digest(path: Path) -> str:
    try:
        return sha256(path)
    except OSError:
        return ""
