"""The OUTPUTs of several shares made into one, with one journal and one manifest: `colorize merge`."""

from __future__ import annotations

import errno
import io
import os
import shutil
import stat
import uuid
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from pipeline.archive import refused
from pipeline.archive.database import journal_path
from pipeline.archive.journal import Journal
from pipeline.archive.lock import hold
from pipeline.archive.manifest import check_manifest, note_change, note_drawn, write_manifest
from pipeline.archive.own import FOLDER
from pipeline.archive.recover import check_lost, keep_copy
from pipeline.archive.row import COLUMNS, RECORD, Row
from pipeline.archive.schema import Run
from pipeline.archive.shard import Shard
from pipeline.archive.spelling import escape, unescape
from pipeline.archive.state import looked_into, remarks
from pipeline.ground import files, inside, shelf
from pipeline.ground.errors import ItemError, OutputError
from pipeline.ground.items import KEPT
from pipeline.ground.storage import Origin

_BATCH: Final = 500  # rows that are recorded in one step
_NAMED: Final = 20
_NO_ROOM: Final = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)


@dataclass(slots=True)
class Merged:
    """What came of it.

    Attributes:
        taken: items that are in OUTPUT now, of these shares.
        known: those that it held already, the same.
        problems: what overlaps, was lost or is in the way, one sentence each, at most `_NAMED`.
        more: how many there are beyond those.
        gaps: shares that were not given, and what is not finished in those that were.
        remarks: what a person should know of an OUTPUT in a storage.
    """

    taken: int = 0
    known: int = 0
    problems: list[str] = field(default_factory=list)
    more: int = 0
    gaps: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    def note(self, problem: str) -> None:
        """Keep a problem, or count it."""
        if len(self.problems) < _NAMED:
            self.problems.append(problem)
        else:
            self.more += 1


def merge(shares: Sequence[Path], output: Path) -> Merged:
    """Take over what several runs made, each over a share of one INPUT; may be repeated, and goes on where it was.

    The shares stay as they are: their outputs appear in OUTPUT as hard links, or as copies where the file system has
    none, or one of the two lies in a storage. An item that two of them have is taken from the first.

    Args:
        shares: their OUTPUTs; of those in a storage the addresses, and nothing is written there.
        output: where all goes; made where it is not there.

    Raises:
        OutputError: a share holds no journal, OUTPUT is one of them, or cannot be written.
        LockedError: a run is at work in one of them.
    """
    shares = list({each.resolve(): each for each in shares}.values())  # one that is named twice is one
    near = [each for each in shares if not isinstance(each, Origin)]
    for each in near:
        if not journal_path(each).exists():
            raise OutputError(f"{each} holds no journal: no run has written there yet.")
    there = shelf.of(output)
    if (there and there.address in shares) or (output.exists() and any(each.samefile(output) for each in near)):
        raise OutputError(f"{shelf.name(output)} is one of the shares: give an OUTPUT of its own.")
    check_manifest(output)
    check_lost(output)
    merged, first = Merged(), not journal_path(output).exists()
    with ExitStack() as stack:
        folders = [stack.enter_context(looked_into(each)) if isinstance(each, Origin) else each for each in shares]
        for each in [output, *near]:
            stack.enter_context(hold(each))
        into = stack.enter_context(Journal(output))
        room = stack.enter_context(_room(output))
        given = [stack.enter_context(Journal(each, read_only=True)) for each in folders]
        merged.remarks = list(remarks(output, first=first))
        merged.gaps = [*_missing(given), *_unfinished(given)]
        note_change(into)
        refused.learn(into, *given)
        _take_runs(given, into)
        for share in given:
            _take(share, into, room, merged)
        write_manifest(into, output)
        note_drawn(into, output, bom=False)
        keep_copy(into)
    return merged


@contextmanager
def _room(output: Path) -> Iterator[files.Room]:
    place = f"{FOLDER}/tmp/merge-{os.getpid()}"
    with inside.opened(output, place, make=True):
        pass
    try:
        yield files.Room(output, output / place)
    finally:
        inside.remove_tree(output, place)


def _missing(given: Sequence[Journal]) -> list[str]:
    """Return which shares are not there, and where they cannot be shares of one archive."""
    found = [_last(journal) for journal in given]
    shards = [Shard.parse(str(run.settings.get("shard", ""))) for run in found]
    said = list[str]()
    sizes = {shard.of for shard in shards}
    if len(sizes) > 1:
        said.append(f"these are shares of different divisions: {', '.join(map(str, shards))}")
    for of in sorted(sizes):
        numbers = {shard.number for shard in shards if shard.of == of}
        lacking = [str(each) for each in range(1, of + 1) if each not in numbers]
        if lacking:
            said.append(
                f"of {of} shares, {', '.join(lacking[:_NAMED])} {'is' if len(lacking) == 1 else 'are'} not here"
            )
    if len({run.inputs for run in found}) > 1:
        said.append("the shares had different INPUTs: a run over all of them takes only those with its own for known")
    if len({run.fingerprint for run in found}) > 1:
        said.append("the shares were made with different settings, models or engines")
    return said


def _last(journal: Journal) -> Run:
    run = journal.last_run()
    if run is None:
        raise OutputError(f"{shelf.name(journal.output)} holds a journal without a run.")
    return run


def _unfinished(given: Sequence[Journal]) -> list[str]:
    left = [(shelf.name(journal.output), journal.left()[0]) for journal in given]
    return [f"{name}: {count:,} items are not finished; run that share again" for name, count in left if count]


def _take(share: Journal, into: Journal, room: files.Room, merged: Merged) -> None:
    batch = list[Row]()
    for row in share.rows():
        batch.append(row)
        if len(batch) == _BATCH:
            _take_rows(batch, share, into, room, merged)
            batch.clear()
    _take_rows(batch, share, into, room, merged)


def _take_runs(given: Sequence[Journal], into: Journal) -> None:
    runs = list[tuple[Any, ...]]()
    for share in given:
        with share.speaking():
            runs += share.db.execute("SELECT * FROM runs ORDER BY rowid").fetchall()
    runs.sort(key=lambda run: str(run[1]))  # when they began: in the order of machines that ran at one time
    with into.transaction():
        into.db.executemany(f"INSERT OR IGNORE INTO runs VALUES ({', '.join('?' * len(runs[0]))})", runs)


def _take_rows(rows: Sequence[Row], share: Journal, into: Journal, room: files.Room, merged: Merged) -> None:
    known = into.known([row.key for row in rows])
    of_share, of_all = refused.known(share), refused.known(into)
    with into.transaction(durable=True):
        for made in rows:
            place = unescape(made.output)
            row = replace(made, output=escape(refused.respelled(place, of_share, of_all)))
            before = known.get(row.key)
            if before is not None and (before.status, before.output, before.output_sha256) == (
                row.status, row.output, row.output_sha256,
            ):  # fmt: skip
                merged.known += 1
            elif before is not None and (before.output or not row.output):
                if before.output:
                    merged.note(f"{row.key} is in more than one share: {shelf.name(share.output)} was passed over")
            elif (placed := _placed(row, place, share, into, room, merged)) is not None:
                into.db.execute(RECORD, [getattr(placed, name) for name in COLUMNS])
                if row.output:
                    claim = "INSERT OR REPLACE INTO claims VALUES (?, ?, '', ?, 0, 0, 0, ?, '')"
                    into.db.execute(claim, (row.key, row.output, row.run_id, row.kind))
                merged.taken += 1


def _placed(row: Row, place: str, share: Journal, into: Journal, room: files.Room, merged: Merged) -> Row | None:
    """Put what lies at a place of a share into OUTPUT, as the row says; return the row, None: it cannot stand there."""
    if not row.output or row.status not in KEPT:
        return row
    to = unescape(row.output)
    far = shelf.of(share.output) is not None or shelf.of(into.output) is not None
    try:
        if far:
            return _carry(row, share.output, place, into.output, room)
        _link(share.output, place, into.output, to, room)
    except FileNotFoundError:
        return row  # deleted since: the next run sees that as it would have in the share
    except FileExistsError:
        if _same(share.output, place, into.output, to):
            return row
        merged.note(f"{row.key}: something else lies at {row.output} in {shelf.name(into.output)}")
        return None
    except (OSError, ItemError) as error:
        said = files.words(error) if isinstance(error, OSError) else error
        merged.note(f"{row.key}: {row.output} cannot be taken over: {said}")
        return None
    return row


@contextmanager
def _held(share: Path, place: str) -> Iterator[io.BufferedReader]:
    """Hold a share's file open, so that what was looked at is what is taken."""
    with os.fdopen(inside.read(share, place), "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(errno.EINVAL, "it is no file")  # a link would lead whoever reads OUTPUT elsewhere
        yield file


def _link(share: Path, place: str, output: Path, to: str, room: files.Room) -> None:
    """Give a share's file its name in OUTPUT, too."""
    (above, _, old), (folder, _, name) = place.rpartition("/"), to.rpartition("/")
    with _held(share, place) as file:
        with inside.opened(share, above) as here, inside.opened(output, folder, make=True) as there:
            try:
                os.link(old, name, src_dir_fd=here, dst_dir_fd=there, follow_symlinks=False)
            except FileExistsError:
                raise
            except OSError as error:  # another disk, or a file system without links
                if error.errno in _NO_ROOM:
                    raise OutputError(f"{output} cannot be written: {files.words(error)}.") from None
            else:
                known = os.fstat(file.fileno())
                if os.path.samestat(known, os.stat(name, dir_fd=there, follow_symlinks=False)):
                    return
                os.unlink(name, dir_fd=there)
                raise OSError(errno.ESTALE, "it was exchanged while it was taken over")
        files.copy_open(file, to, room)


def _carry(row: Row, share: Path, place: str, output: Path, room: files.Room) -> Row:
    """Bring a share's file to OUTPUT, where one of them, or both, lie in a storage; return its row there."""
    to, there = unescape(row.output), shelf.of(output)
    if shelf.is_taken(output, to):
        raise FileExistsError(errno.EEXIST, "something has that name")
    scratch = room.tmp_dir / f"{uuid.uuid4().hex}.up"
    try:
        found = _brought(share, place, scratch)
        if there is None:
            files.publish(scratch, to, room, found)
            return row
        as_made = files.sha256(scratch) == row.output_sha256
        mtime_ns = shelf.put(there, scratch, to, None)
        return replace(row, output_mtime_ns=mtime_ns) if as_made else row
    except OSError as error:
        if error.errno in _NO_ROOM:
            raise OutputError(f"{room.tmp_dir} cannot be written: {files.words(error)}.") from None
        raise
    finally:
        scratch.unlink(missing_ok=True)


def _brought(share: Path, place: str, to: Path) -> os.stat_result:
    if shelf.of(share) is not None:
        found = shelf.look(share, place)
        shelf.bring(share, place, to)
        return found
    with _held(share, place) as file, to.open("xb") as copy:
        shutil.copyfileobj(file, copy)
        return os.fstat(file.fileno())


def _same(share: Path, place: str, output: Path, to: str) -> bool:
    try:
        return shelf.sha256(share, place) == shelf.sha256(output, to)
    except OSError:
        return False
