"""Workers of a cluster whose OUTPUT lies in a storage: each tries it, and the state folder, when it joins."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

pytest.importorskip("s3fs", reason="writes s3://; extra: storage")

from pipeline.ground import shelf
from pipeline.ground.settings import Settings
from pipeline.ground.storage import Origin, located
from pipeline.media.medium import Job
from pipeline.nets.engine import Engine
from pipeline.nets.resolve import resolve
from pipeline.run.executors import member
from pipeline.run.executors.lease import Leases
from tests.conftest import write_archive
from tests.storage.far import ADDRESS, PLACE, everything, run
from tests.storage.servers import Bucket, Proxy

KEEPER = f"{PLACE}/.colorize/keeper.json"


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    write_archive(tmp_path / "scans", 1)
    return tmp_path / "scans"


@pytest.fixture
def ticket(archive: Path, bucket: Bucket, line: Proxy, tmp_path: Path, tiny_net: Path) -> member.Ticket:
    """What a worker is asked that joins a run into the bucket."""
    state = tmp_path / "state"
    run(archive, state, tiny_net)
    lease = Leases(state, state / ".colorize" / "tmp" / "run").grant()
    engine = Engine("opencv", "float32")
    job = Job(Settings(), resolve("embedded"), engine, state, lease, shelf=shelf.of(state))
    return member.Ticket(job, (archive, located("s3://museum/originals")), {})


def problem(ticket: member.Ticket) -> str:
    shelf._shelves.clear()  # a process that knows nothing yet
    return member.look(ticket).problem


def test_a_worker_that_sees_all_leaves_nothing_there(ticket: member.Ticket, bucket: Bucket) -> None:
    bucket.put("originals/a.jpg", b"original")
    before = everything(bucket)
    assert problem(ticket) == ""
    assert everything(bucket) == before
    bucket.remove("originals/a.jpg")


@pytest.mark.parametrize("refused", ["PUT", "GET", "HEAD"])
def test_one_without_access_says_so(refused: str, ticket: member.Ticket, line: Proxy) -> None:
    line.fate = lambda method, path: "403 AccessDenied" if method == refused else ""
    wanted = "(permission denied): each worker needs access to the storage"
    assert problem(ticket) == f"cannot write and read {ADDRESS} {wanted}"


def test_one_that_reaches_another_storage_of_that_name_says_so(ticket: member.Ticket, bucket: Bucket) -> None:
    kept = json.loads(bucket.get(KEEPER))
    wanted = f"finds another {ADDRESS} than this machine: each worker must reach the same storage"
    bucket.put(KEEPER, json.dumps(kept | {"token": "another"}).encode())
    assert problem(ticket) == wanted
    bucket.remove(KEEPER)
    assert problem(ticket) == wanted


def test_one_without_the_state_folder_or_the_originals_says_so(ticket: member.Ticket, tmp_path: Path) -> None:
    assert problem(ticket) == (
        "cannot read s3://museum/originals (no such file or folder): each worker needs access to it"
    )
    lease = ticket.job.tmp_dir
    shutil.rmtree(tmp_path / "state")
    assert problem(ticket) == (
        f"cannot write and read {lease} (no such file or directory): the state folder must be one that all workers "
        "share; --state names it"
    )
    assert isinstance(ticket.roots[1], Origin)
