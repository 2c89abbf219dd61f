"""An OUTPUT that lies in a storage: the folder of this machine that holds what is known of it, and who keeps it."""

from __future__ import annotations

import hashlib
import json
import os
import re
import socket
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from pipeline.archive.own import COPY, FOLDER, JOURNAL, MANIFEST, NOTE, resolved
from pipeline.archive.row import is_header
from pipeline.archive.runs import now
from pipeline.ground import shelf, uploads
from pipeline.ground.errors import ColorizeError, LockedError, OutputError, SettingsError
from pipeline.ground.files import read_plain, words, write_whole
from pipeline.ground.homes import user_state
from pipeline.ground.shelf import Shelf
from pipeline.ground.storage import Origin, Taken
from pipeline.ground.uploads import WRITABLE, Stood

KEEPER: Final = f"{FOLDER}/keeper.json"
_SECOND: Final = 10**9
_UNITS: Final = ((24 * 60, "days"), (60, "hours"), (1, "minutes"))  # in minutes


@dataclass(frozen=True, slots=True)
class Keeper:
    """Who keeps an OUTPUT in a storage, as is written there.

    Attributes:
        token: of the state folder; it has the same.
        host, folder: where that is.
        pid, since: of the run that is at work; 0 and empty: none is.
    """

    token: str
    host: str
    folder: str
    pid: int = 0
    since: str = ""


def housed(output: Path, state: Path | None = None, *, known: bool = False) -> Path:
    """Return the folder of this machine that holds what is known of OUTPUT: itself, or that of a storage's address.

    Args:
        output: a folder, or an `Origin`, whose outputs then `stand` there.
        state: its state folder, where that is not in the user's folder for such things.
        known: a run must have written there.

    Raises:
        SettingsError: the two do not go together, or nothing can be written to such a storage.
        OutputError: the folder is another's, or no run has written there.
    """
    if not isinstance(output, Origin):
        if state is not None:
            raise SettingsError(f"--state {state}: {output} is a folder and holds its own journal; leave --state out.")
        return output
    if output.scheme not in WRITABLE:
        schemes = ", ".join(f"{each}://" for each in WRITABLE)
        raise SettingsError(
            f"{output}: OUTPUT can lie at {schemes}. Name a folder of this machine; `rclone copy` brings it there."
        )
    home = user_state()
    if state is None and home is None:
        raise SettingsError(f"{output}: this user has no home, where what is known of it is kept; name a --state.")
    folder = resolved((state or (home or Path()) / _called(output)).expanduser().absolute())
    address, token, *_ = _note(folder)
    if address not in ("", str(output)):
        raise OutputError(f"{folder} is the state folder of {address}: give --state another one.")
    if not address and (folder / FOLDER / JOURNAL).exists():
        raise OutputError(f"{folder} is an OUTPUT of its own: give --state another folder.")
    shelf.stand(folder, Shelf(output, state=None if state is None else folder))
    if known and not token:
        typed = shelf.typed(folder)
        raise OutputError(
            f"Nothing is known here of {output}: `colorize recover {typed}` brings what an earlier run left there, "
            "--state names another state folder."
        )
    return folder


def _called(address: Origin) -> str:
    """Return a name for the state folder of an address: readable, and no other's."""
    readable = re.sub(r"[^\w.-]+", "-", str(address).partition("://")[2], flags=re.ASCII).strip("-.")[-60:]
    return f"{address.scheme}-{readable}-{hashlib.sha256(os.fsencode(str(address))).hexdigest()[:12]}"


def _note(folder: Path) -> tuple[str, str, bool, str]:
    """Return the address and the token of a state folder, whether anything was written there yet, and its next one."""
    try:
        told = json.loads(read_plain(folder / FOLDER / NOTE))
        return str(told["address"]), str(told["token"]), bool(told["begun"]), str(told.get("next", ""))
    except FileNotFoundError:
        return "", "", False, ""
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        raise OutputError(f"{folder / FOLDER / NOTE} cannot be read or is damaged: look what became of it.") from None


def _write_note(folder: Path, address: Origin, token: str, *, begun: bool, coming: str = "") -> None:
    told = {"address": str(address), "token": token, "begun": begun, "next": coming}
    write_whole(folder / FOLDER / NOTE, json.dumps(told))


@contextmanager
def kept(output: Path, *, anew: bool = False, take_over: bool = False) -> Iterator[None]:
    """Keep an OUTPUT that lies in a storage for the length of the block; of any other, do nothing.

    The state folder's own lock is held: a run of it that is written there and has this host is dead.

    Args:
        output: OUTPUT.
        anew: what another state folder knows is brought here.
        take_over: a run of another host, which is written there, is dead.

    Raises:
        LockedError: a run of another host has it.
        OutputError: another state folder keeps it, what was written there is gone, or it cannot be written.
    """
    there = shelf.of(output)
    if there is None:
        yield
        return
    try:
        mine = _take(output, there, anew=anew, take_over=take_over)
        uploads.sweep(shelf.tmp_of(there))
    except OSError as error:
        raise shelf.lost(there, error) from None
    try:
        yield
    finally:
        with suppress(OSError, OutputError, Taken):
            _let_go(there, mine)
        shelf.stand(output, there)


def _take(output: Path, there: Shelf, *, anew: bool, take_over: bool) -> Keeper:
    _, token, begun, coming = _note(output)
    stood, keeper = read_keeper(there)
    if keeper and keeper.token == coming:  # of a run that was killed before it had written that down
        token = coming
    if keeper and keeper.pid and not take_over and (keeper.token != token or keeper.host != socket.gethostname()):
        raise _at_work(there, stood, keeper)
    if not anew:
        _check(output, there, keeper, token, begun=begun)
    # Another one each time: a copy of the state folder, or one that was put back, is older than what stands there.
    coming = uuid.uuid4().hex
    _write_note(output, there.address, token, begun=begun and not anew, coming=coming)
    mine = Keeper(coming, socket.gethostname(), str(output), os.getpid(), now())
    _write(there, mine, stood)
    shelf.stand(output, _tried(there, mine))
    _write_note(output, there.address, coming, begun=True)
    return mine


def _at_work(there: Shelf, stood: Stood | None, keeper: Keeper) -> LockedError:
    """Say who is at work there, and when that run last wrote what tells of it: a dead one is known by that."""
    heard = [stood.mtime_ns] if stood else []
    with suppress(OSError):
        manifest = uploads.look(_place(there, MANIFEST))
        heard += [manifest.mtime_ns] if manifest else []
    last = f", last heard from {_moment(max(heard) // _SECOND)}" if heard else ""
    who = f"process {keeper.pid} on {keeper.host}, since {keeper.since}{last}"
    return LockedError(
        f"{there.address} is in use by another run ({who}): "
        f"wait for its end, or stop it. If it is dead: `colorize recover {there.typed} --take-over`."
    )


def _moment(seconds: int) -> str:
    """Return a moment of the past as people say it: "2026-11-27 14:02 UTC, 3 hours ago"."""
    minutes = max(0, int(time.time()) - seconds) // 60
    count, unit = next((minutes // size, unit) for size, unit in _UNITS if minutes >= 2 * size or size == 1)
    ago = f"{count:,} {unit} ago" if count > 1 else "just now"
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M} UTC, {ago}"


def _check(output: Path, there: Shelf, keeper: Keeper | None, token: str, *, begun: bool) -> None:
    address = there.address
    if keeper is None and begun:
        raise OutputError(
            f"{address} holds nothing of what was written there: bring it back; or, to begin anew, move {output} away."
        )
    if keeper is not None and keeper.token != token:
        brings = f"`colorize recover {shelf.typed(output)}` brings what is known of it to this machine, which keeps it"
        if (keeper.folder, keeper.host) == (str(output), socket.gethostname()):
            what = "was put back from a copy, and is older than" if token else "has lost what it knew of"
            raise OutputError(f"{output} {what} {address}: {brings} again.")
        raise OutputError(
            f"{address} is kept by the state folder {keeper.folder} on {keeper.host}: run there. {brings} from then on."
        )
    if keeper is None:
        _check_manifest(output, address)


def _check_manifest(output: Path, address: Origin) -> None:
    """Refuse an address of whose contents nothing is known here, where there is a manifest; raises `OSError` too."""
    manifest = address / MANIFEST
    try:
        with manifest.open() as file:
            header = file.readline(1000)
    except FileNotFoundError:
        return
    if is_header(header):
        raise OutputError(
            f"{address} holds finished outputs: `colorize recover {shelf.typed(output)}` takes them back."
        )
    raise OutputError(f"{manifest} is not a manifest of this program: move it away, or give another OUTPUT.")


def _place(there: Shelf, place: str) -> Origin:
    at = there.address / place
    assert isinstance(at, Origin)
    return at


def _keeper_of(there: Shelf) -> Origin:
    return _place(there, KEEPER)


def read_keeper(there: Shelf) -> tuple[Stood | None, Keeper | None]:
    """Return who keeps an OUTPUT, and the file that says so; raises `OSError`, `OutputError`."""
    at = _keeper_of(there)
    stood = uploads.look(at)
    if stood is None:
        return None, None
    try:
        with at.open() as file:
            return stood, Keeper(**json.loads(file.read(1 << 16)))
    except (ValueError, TypeError, RecursionError):
        raise OutputError(f"{at} is not a file of this program, or damaged: look who wrote it.") from None


def is_kept_here(output: Path) -> bool:
    """Tell whether the state folder is the one that keeps its OUTPUT; raises `OutputError`."""
    there = shelf.of(output)
    if there is None:
        return True
    try:
        _, keeper = read_keeper(there)
    except OSError as error:
        raise shelf.lost(there, error, "read") from None
    return keeper is not None and keeper.token == _note(output)[1]


def reached(output: Path) -> str:
    """Try whether a worker reads and writes where the outputs of a run stand that another process has begun.

    Returns:
        Why it does not, as the second half of a sentence; empty: it does.
    """
    there = shelf.of(output)
    if there is None:
        return ""
    at = _keeper_of(there)
    try:
        _, keeper = read_keeper(there)
        if keeper is None or keeper.token != _note(output)[1]:
            return f"finds another {there.address} than this machine: each worker must reach the same storage"
        with suppress(Taken):  # it is there: whether it might be written over is what is asked
            uploads.carry(json.dumps(asdict(keeper)).encode(), at, None, shelf.tmp_of(there))
    except OSError as error:
        return f"cannot write and read {there.address} ({words(error)}): each worker needs access to the storage"
    except ColorizeError as error:
        return f"cannot use {there.address}: {str(error).rstrip('.')}"
    return ""


@contextmanager
def looked_into(address: Origin) -> Iterator[Path]:
    """Give a folder with the journal of an OUTPUT in a storage as its last run left it, for the length of the block.

    Raises:
        LockedError: a run is at work there.
        OutputError: no run has come to an end there, or it cannot be read.
    """
    there = Shelf(address)
    with tempfile.TemporaryDirectory(prefix="colorize-") as name:
        folder = Path(name)
        (folder / FOLDER).mkdir()
        try:
            stood, keeper = read_keeper(there)
        except OSError as error:
            raise shelf.lost(there, error, "read") from None
        if keeper and keeper.pid:
            raise _at_work(there, stood, keeper)
        shelf.stand(folder, there)
        try:
            try:
                shelf.bring(folder, f"{FOLDER}/{COPY}", folder / FOLDER / JOURNAL)
            except FileNotFoundError:
                said = f"{address} holds no copy of a journal: no run has come to its end there yet."
                raise OutputError(said) from None
            yield folder
        finally:
            shelf.stand(folder, None)


def _write(there: Shelf, keeper: Keeper, over: Stood | None) -> None:
    at = _keeper_of(there)
    try:
        uploads.carry(json.dumps(asdict(keeper)).encode(), at, over, shelf.tmp_of(there))
    except Taken:
        raise LockedError(f"{there.address} was just taken by another run: wait for its end, or stop it.") from None


def _tried(there: Shelf, mine: Keeper) -> Shelf:
    """Try whether the storage keeps what it is told not to write over; return it with the answer."""
    at = _keeper_of(there)
    blind = True
    try:
        uploads.carry(json.dumps(asdict(mine)).encode(), at, None, shelf.tmp_of(there))
    except Taken:
        blind = False
    stood, keeper = read_keeper(there)
    if stood is None or keeper != mine:
        raise LockedError(f"{there.address} was just taken by another run: wait for its end, or stop it.")
    return replace(there, blind=blind)


def _let_go(there: Shelf, mine: Keeper) -> None:
    stood, keeper = read_keeper(there)
    if keeper == mine:
        _write(there, replace(mine, pid=0, since=""), stood)


def remarks(output: Path, *, first: bool) -> Iterator[str]:
    """Yield what a person should know of an OUTPUT that lies in a storage, when a run begins."""
    there = shelf.of(output)
    if there is None:
        return
    if first:
        yield f"What is known of {there.address} is kept in {output}; --state names another folder."
    if there.blind:
        yield (
            f"{there.address} writes over what it is told not to: names are looked at just before they are written. "
            "Let nobody else write there meanwhile."
        )


def take_back(output: Path, is_ours: Callable[[str], bool]) -> Iterator[str]:
    """Take back what earlier runs have begun to bring to the storage and could not finish; say what there is to say.

    Args:
        output: OUTPUT.
        is_ours: tells whether a place is one of ours; others may bring things there, too.
    """
    there = shelf.of(output)
    if there is None:
        return
    count = 0
    try:
        for place, abort in uploads.abandoned(there.address):
            if is_ours(place) or place == MANIFEST or place.startswith(f"{FOLDER}/"):
                abort()
                count += 1
    except OSError as error:
        yield (
            f"Whether uploads of earlier runs were left unfinished in {there.address} cannot be seen "
            f"({error.strerror}); a lifecycle rule of the bucket takes such away."
        )
    if count:
        yield f"{count:,} unfinished uploads of a run that was cut short were taken back."
