"""Names that OUTPUT's file system refuses (exFAT, NTFS, SMB), found by trying, and how they are written instead."""

from __future__ import annotations

import json
import os
import re
import unicodedata
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from pipeline.archive.journal import Journal
from pipeline.archive.own import FOLDER
from pipeline.ground import inside, shelf

_CHARACTERS: Final = '"*:<>?\\|'  # sorted
_CONTROL: Final = "\x01"  # stands for all below 32
_NOT_UTF8: Final = os.fsdecode(b"\xe9")
_LOOKS_ESCAPED: Final = re.compile(r"%[0-9A-F]{2}")
_DEVICE: Final = re.compile(r"(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\.|\Z)", re.IGNORECASE)
_FACT: Final = "refused names"


@dataclass(frozen=True, slots=True)
class Refused:
    """What names a file system refuses, or keeps otherwise than they were given.

    Attributes:
        characters: single ones; "\\x01" stands for all control characters.
        endings: a dot or a space at the end.
        devices: `aux`, `con`, `nul` and their like, with any suffix.
        bytes: what is not UTF-8.
    """

    characters: str = ""
    endings: bool = False
    devices: bool = False
    bytes: bool = False

    def __bool__(self) -> bool:
        return bool(self.characters) or self.endings or self.devices or self.bytes

    def __or__(self, other: Refused) -> Refused:
        return Refused(
            "".join(sorted({*self.characters, *other.characters})),
            self.endings or other.endings,
            self.devices or other.devices,
            self.bytes or other.bytes,
        )

    def spell(self, name: str) -> str:
        """Return a name that is taken: what is refused as `%3A`, `%` as `%25` where it could be mistaken for that.

        Nearly every name stays as it is, and no two become one.
        """
        if not self:
            return name
        refused = [self._is_refused(character) for character in name]
        if self.endings and name[-1:] in (".", " "):
            refused[-1] = True
        if self.devices and _DEVICE.match(name):
            refused[0] = True
        if not any(refused) and not _LOOKS_ESCAPED.search(name):
            return name
        return "".join(
            _code(character) if no or character == "%" else character
            for character, no in zip(name, refused, strict=True)
        )

    def _is_refused(self, character: str) -> bool:
        if character < " ":
            return _CONTROL in self.characters
        return character in self.characters or (self.bytes and "\udc80" <= character <= "\udcff")

    def sentence(self) -> str:
        """Return what is said of it at the start of a run."""
        kinds = [f"with {' '.join(self.characters.replace(_CONTROL, ''))}"] if self.characters.strip(_CONTROL) else []
        kinds += ["with control characters"] * (_CONTROL in self.characters)
        kinds += ["that end in a dot or a space"] * self.endings + ["such as aux or con"] * self.devices
        kinds += ["that are not UTF-8"] * self.bytes
        return f"OUTPUT takes no names {', '.join(kinds)}: what it refuses is written as %3A and the like."


NOTHING: Final = Refused()


def plain(name: str) -> str:
    """Return the name that was spelled by `Refused.spell`; only for one that was."""
    return os.fsdecode(re.sub(rb"%([0-9A-F]{2})", lambda match: bytes([int(match[1], 16)]), os.fsencode(name)))


def respelled(place: str, before: Refused, now: Refused) -> str:
    """Return a place of one OUTPUT as it is spelled in another, which refuses what the first does, and more."""
    parts = place.split("/")
    return "/".join(now.spell(plain(part) if before else part) for part in parts)


def _code(character: str) -> str:
    return "".join(f"%{byte:02X}" for byte in os.fsencode(character))


def probe(output: Path) -> Refused:
    """Try in `OUTPUT/.colorize` which names are taken; a folder that takes no file at all is said to refuse nothing."""
    with suppress(OSError), inside.opened(output, FOLDER) as folder:
        if not _takes("probe", folder) or _takes(f"{_CHARACTERS}{_CONTROL}{_NOT_UTF8} .", folder, whole=True):
            return NOTHING
        return Refused(
            characters="".join(each for each in (_CONTROL, *_CHARACTERS) if not _takes(f"probe{each}probe", folder)),
            endings=not (_takes("probe.", folder) and _takes("probe ", folder)),
            devices=not _takes("aux.probe", folder),
            bytes=not _takes(f"probe{_NOT_UTF8}", folder),
        )
    return NOTHING


def _takes(name: str, folder: int, *, whole: bool = False) -> bool:
    """Tell whether a file can have this name, and has it when the folder is listed; `whole`: and devices' names too."""
    if whole and not _takes("aux.probe", folder):
        return False
    try:
        os.close(inside.create(name, folder))
    except FileExistsError:  # left by a run that was killed
        pass
    except OSError:
        return False
    try:
        return any(unicodedata.normalize("NFC", each) == name for each in os.listdir(folder))
    finally:
        with suppress(OSError):
            os.unlink(name, dir_fd=folder)


def known(journal: Journal) -> Refused:
    """Return what earlier runs found refused: names stay as they are, wherever OUTPUT is moved."""
    fact = journal.fact(_FACT)
    return Refused(**json.loads(fact)) if fact else NOTHING


def _of_storage(scheme: str) -> Refused:
    # Listings in XML cannot say these; some servers of WebDAV cut off what stands behind the others in a new name.
    return Refused(f"{_CONTROL};?" if scheme.startswith("webdav") else _CONTROL, bytes=True)


def learn(journal: Journal, *others: Journal) -> Refused:
    """Try what OUTPUT takes now, and remember what it refuses beside what was refused before, there and in others."""
    before = known(journal)
    there = shelf.of(journal.output)
    now = before | (probe(journal.output) if there is None else _of_storage(there.address.scheme))
    for other in others:
        now |= known(other)
    if now != before:
        journal.put_fact(_FACT, json.dumps(asdict(now)))
    return now
