"""One of several shares of an archive, for machines that know nothing of one another: `--shard 3/8`."""

from __future__ import annotations

import hashlib
import os
import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from pipeline.archive.discover import Folder
from pipeline.archive.journal import Journal
from pipeline.archive.spelling import fold
from pipeline.ground import shelf
from pipeline.ground.errors import OutputError, SettingsError

_FORM: Final = re.compile(r"([0-9]{1,6})/([0-9]{1,6})\Z")


@dataclass(frozen=True, slots=True)
class Shard:
    """Share `number` of `of`, from 1; 1 of 1 is all."""

    number: int = 1
    of: int = 1

    @classmethod
    def parse(cls, text: str) -> Shard:
        """Return what a setting says, such as "3/8"; empty: all. Raises `SettingsError` where it says no share."""
        if not text:
            return cls()
        found = _FORM.match(text)
        number, of = (int(each) for each in found.groups()) if found else (0, 0)
        if not 1 <= number <= of:
            raise SettingsError(f"shard = {text!r}: it is the number of a share and how many there are, such as 3/8.")
        return cls(number, of)

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"

    def holds(self, place: str) -> bool:
        """Tell whether something that was found belongs to this share, by the hash of its path inside the INPUT.

        What lies in one folder and has one name up to its first dot stays together: names of outputs depend on one
        another among those alone. Two machines may spell a path in two Unicode forms: it is of one share all the same.
        Folders that cannot be read belong to every share.
        """
        if self.of == 1 or place.endswith("/"):
            return True
        folder, name = posixpath.split(fold(place))
        group = f"{folder}/{name.partition('.')[0]}"
        digest = hashlib.sha256(os.fsencode(group)).digest()
        return int.from_bytes(digest[:8], "big") % self.of == self.number - 1

    def of_folders(self, folders: Iterator[Folder]) -> Iterator[Folder]:
        """Leave in each folder what belongs to this share."""
        for folder in folders:
            if self.of > 1:
                mine = [found for found in folder.files if self.holds(found.place)]
                folder.elsewhere, folder.files = len(folder.files) - len(mine), mine
            yield folder


def refuse_other_share(journal: Journal, shard: Shard) -> None:
    """Raise `OutputError` where OUTPUT was filled by another share: what that one made would count as gone."""
    last = journal.last_run()
    if last is None or shard.of == 1:
        return
    before = Shard.parse(str(last.settings.get("shard", "")))
    if before != shard:
        what = f"share {before}" if before.of > 1 else "a run over all of INPUT"
        raise OutputError(
            f"{shelf.name(journal.output)} was filled by {what}: give share {shard} an OUTPUT of its own."
        )
