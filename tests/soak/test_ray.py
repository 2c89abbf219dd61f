"""Ray's workers on this machine, in nodes that come and go; workers and drivers that are lost."""

from __future__ import annotations

import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.conftest import CHECKOUT, environment
from tests.storage import servers

pytestmark = pytest.mark.soak
pytest.importorskip("ray", reason="Ray; extra: ray")
pytest.importorskip("s3fs", reason="reads and writes s3://; extra: storage")
pytest.importorskip("av", reason="a film is there, too; extra: film")
from tests.soak.nights import Nights, check_hinted, write_hint, write_scans  # noqa: E402

_RAY = [sys.executable, "-c", "from ray.scripts.scripts import main; main()"]
# On a busy machine a node is slow to say that it lives; Ray takes it for dead after some seconds.
_PATIENT = {"RAY_health_check_timeout_ms": "60000", "RAY_health_check_failure_threshold": "20"}
_TOKEN = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32), "RAY_USAGE_STATS_ENABLED": "0"}


class Cluster:
    """A head with two processors; further nodes on this machine."""

    def __init__(self, stack: ExitStack, folder: Path, variables: dict[str, str]) -> None:
        self._stack, self._folder, self._variables = stack, folder, variables
        self.port = servers.free_port()
        words = ["--head", "--port", str(self.port), "--num-cpus", "2", "--include-dashboard", "false"]
        self.head = self._start(words)
        while socket.socket().connect_ex(("127.0.0.1", self.port)):
            assert self.head.poll() is None, (folder / "cluster.log").read_text()
            time.sleep(0.2)

    def add(self, **variables: str) -> subprocess.Popen[bytes]:
        """Begin a node with one processor."""
        return self._start(["--address", f"127.0.0.1:{self.port}", "--num-cpus", "1"], **variables)

    def _start(self, words: list[str], **variables: str) -> subprocess.Popen[bytes]:
        log = self._stack.enter_context((self._folder / "cluster.log").open("ab"))
        process = subprocess.Popen(
            [*_RAY, "start", "--block", *words], env=self._variables | variables, stdout=log, stderr=log,
            start_new_session=True,
        )  # fmt: skip
        self._stack.callback(ended, process)
        return process


def ended(process: subprocess.Popen[bytes]) -> None:
    """End a node with all that it has begun."""
    import psutil

    try:
        below = psutil.Process(process.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return
    process.terminate()
    _, left = psutil.wait_procs([psutil.Process(process.pid), *below], timeout=15)
    for each in left:
        each.kill()
    process.wait()


def actors(process: subprocess.Popen[bytes]) -> list[int]:
    """Return the processes on a node that hold an actor: each is in a call that never ends."""
    import psutil

    found = psutil.Process(process.pid).children(recursive=True)
    return [each.pid for each in found if " ".join(each.cmdline()).lower().startswith("ray::colorize")]


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Cluster, Nights]]:
    folder = tmp_path_factory.mktemp("ray")
    with ExitStack() as stack:
        bucket = stack.enter_context(servers.s3())
        scans = write_scans(folder / "scans")
        bucket.fill(scans)
        cache = {"XDG_CACHE_HOME": str(folder / "cache"), "OMP_NUM_THREADS": "1"}
        variables = environment(**cache, **_TOKEN, **_PATIENT, **servers.KEYS, AWS_ENDPOINT_URL=bucket.endpoint)
        cluster = Cluster(stack, folder, variables)
        options = ("--executor", "ray", "--cluster", f"127.0.0.1:{cluster.port}")
        yield cluster, Nights(folder, scans, variables, options, bucket, stack)


@pytest.fixture(scope="module")
def serial(room: tuple[Cluster, Nights]) -> Path:
    return room[1].serial("serial")


WHERE = [{}, {"far": True}, {"far": True, "far_input": True}]
places = pytest.mark.parametrize("where", WHERE, ids=["folders", "OUTPUT in S3", "both in S3"])


@places
def test_a_worker_that_is_killed_costs_nothing(
    room: tuple[Cluster, Nights], serial: Path, where: dict[str, bool]
) -> None:
    cluster, nights = room
    name, run = nights.at_work("killed-worker", **where)
    for victim in actors(cluster.head):  # one of them may have nothing in hand
        os.kill(victim, signal.SIGKILL)
    nights.ends(name, run, serial)
    assert "was lost; what it was working on is tried once more" in nights.said(name)
    assert "(raylet)" not in nights.said(name), "standard output is the program's"


@places
def test_a_driver_that_is_killed_is_followed_by_another(
    room: tuple[Cluster, Nights], serial: Path, where: dict[str, bool]
) -> None:
    room[1].is_followed(serial, **where)


def test_a_node_joins_and_leaves_while_a_run_works(room: tuple[Cluster, Nights], serial: Path) -> None:
    cluster, nights = room
    run = nights.begin("joined", far=True)
    nights.wait_for("joined", run, 4)
    node = cluster.add()
    until = time.monotonic() + 60
    while not actors(node):
        assert time.monotonic() < until, nights.said("joined")
        assert run.poll() is None, "it was over before the node was there"
        time.sleep(0.1)
    ended(node)
    nights.ends("joined", run, serial)


def test_a_net_that_a_hint_names_makes_that_picture(room: tuple[Cluster, Nights], tiny_net: Path) -> None:
    _, nights = room
    for each in ("hint", "hint-alone"):
        write_hint(nights.folder / each, tiny_net)
    wanted = nights.serial("hint-alone")
    nights.ends("hint", nights.begin("hint", far=True), wanted)
    check_hinted(wanted)


def test_a_node_of_another_version_is_named(room: tuple[Cluster, Nights], tmp_path: Path) -> None:
    cluster, nights = room
    (tmp_path / "sitecustomize.py").write_text("import pipeline\npipeline.__version__ = '0.0.1'\n")
    node = cluster.add(PYTHONPATH=f"{tmp_path}:{CHECKOUT}")
    try:
        time.sleep(10)
        run = nights.begin("strange")
        assert run.wait(120) == 5, nights.said("strange")
    finally:
        ended(node)
    assert "has version 0.0.1 of this program, and this machine" in nights.said("strange")
