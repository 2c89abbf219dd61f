"""Dask's workers on two hosts of their own (network namespaces) over one folder; hosts and drivers that are lost."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from tests.conftest import CHECKOUT, environment
from tests.storage import google, servers

pytestmark = [
    pytest.mark.soak,
    pytest.mark.skipif(
        sys.platform != "linux" or os.geteuid() != 0 or shutil.which("ip") is None, reason="makes network namespaces"
    ),
]
pytest.importorskip("distributed", reason="Dask; extra: dask")
pytest.importorskip("s3fs", reason="reads and writes s3://; extra: storage")
pytest.importorskip("av", reason="a film is there, too; extra: film")
from tests.soak.nights import Nights, called, check_hinted, write_hint, write_scans  # noqa: E402

HOSTS = {"colorize-a": 81, "colorize-b": 82}  # and the third byte of the network between it and this one
SCHEDULER_PORT = 8799
S3_PORT, GS_PORT = 8798, 8797
# A host that does not answer is noticed after this; Dask takes no less than 11 s.
QUICK = {"DASK_DISTRIBUTED__COMM__TIMEOUTS__TCP": "12s"}


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True)


@contextlib.contextmanager
def host(name: str, network: int) -> Iterator[None]:
    """A host that reaches this one by a cable of its own."""
    here, there = f"cz{network}", f"czn{network}"
    ip("netns", "add", name)
    try:
        ip("link", "add", here, "type", "veth", "peer", "name", there, "netns", name)
        ip("addr", "add", f"10.77.{network}.1/24", "dev", here)
        ip("link", "set", here, "up")
        ip("-n", name, "addr", "add", f"10.77.{network}.2/24", "dev", there)
        ip("-n", name, "link", "set", there, "up")
        ip("-n", name, "link", "set", "lo", "up")
        yield
    finally:
        ip("netns", "del", name)


def ended(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


class Cluster:
    """A scheduler here, two workers on each host."""

    def __init__(self, stack: ExitStack, folder: Path) -> None:
        self._stack, self._folder = stack, folder
        self._variables = environment(XDG_CACHE_HOME=str(folder / "cache"), OMP_NUM_THREADS="1", **QUICK)
        dask = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--port", f"{SCHEDULER_PORT}", "--no-dashboard"]
        self._start(dask, self._variables)
        while socket.socket().connect_ex(("127.0.0.1", SCHEDULER_PORT)):
            time.sleep(0.2)
        self.workers = {}
        for name, network in HOSTS.items():
            stack.enter_context(host(name, network))
            self.workers[name] = self.add(name)

    def add(
        self, name: str, called: str = "", count: int = 2, first: str = "", **variables: str
    ) -> subprocess.Popen[bytes]:
        """Begin workers on a host, by another name if need be; `first` is done in a place of files of their own."""
        network, called = HOSTS[name], called or name
        words = [
            "ip", "netns", "exec", name, "unshare", "--uts", "--mount", "sh", "-c",
            f'hostname {called}; {first or ":"}; exec "$@"', "sh",
            sys.executable, "-m", "distributed.cli.dask_worker", f"tcp://10.77.{network}.1:{SCHEDULER_PORT}",
            "--nworkers", f"{count}", "--nthreads", "1", "--memory-limit", "0", "--no-dashboard",
            "--local-directory", str(self._folder / called),
        ]  # fmt: skip
        here = f"http://10.77.{network}.1"
        buckets = {"AWS_ENDPOINT_URL": f"{here}:{S3_PORT}", "STORAGE_EMULATOR_HOST": f"{here}:{GS_PORT}"}
        return self._start(words, self._variables | servers.KEYS | buckets | variables)

    def renew(self, name: str) -> None:
        """End the workers of a host and begin others."""
        ended(self.workers[name])
        self.workers[name] = self.add(name)

    def _start(self, words: list[str], variables: dict[str, str]) -> subprocess.Popen[bytes]:
        log = self._stack.enter_context((self._folder / "cluster.log").open("ab"))
        process = subprocess.Popen(words, env=variables, stdout=log, stderr=log, start_new_session=True)
        self._stack.callback(ended, process)
        return process

    def kill_one(self, name: str) -> None:
        """Kill a worker process on a host: below its nannies."""
        import psutil

        found = psutil.Process(self.workers[name].pid).children(recursive=True)
        os.kill(next(each.pid for each in found if "resource_tracker" not in " ".join(each.cmdline())), signal.SIGKILL)


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Cluster, Nights]]:
    folder = tmp_path_factory.mktemp("hosts")
    with ExitStack() as stack:
        bucket = stack.enter_context(servers.s3("0.0.0.0", S3_PORT))
        scans = write_scans(folder / "scans")
        bucket.fill(scans)
        cache = {"XDG_CACHE_HOME": str(folder / "cache"), "OMP_NUM_THREADS": "1"}
        variables = environment(**cache, **QUICK, **servers.KEYS, AWS_ENDPOINT_URL=bucket.endpoint)
        options = ("--executor", "dask", "--cluster", f"tcp://127.0.0.1:{SCHEDULER_PORT}")
        yield Cluster(stack, folder), Nights(folder, scans, variables, options, bucket, stack)


@pytest.fixture(scope="module")
def at_google(room: tuple[Cluster, Nights]) -> tuple[Cluster, Nights]:
    """The same, and a bucket of Google's instead."""
    cluster, nights = room
    museum = nights.stack.enter_context(google.serving("0.0.0.0", GS_PORT))
    museum.fill(nights.scans)
    (nights.folder / "google").mkdir()
    variables = nights.variables | museum.access(museum.endpoint)
    return cluster, replace(nights, folder=nights.folder / "google", bucket=museum, variables=variables)


@pytest.fixture(scope="module")
def serial(room: tuple[Cluster, Nights]) -> Path:
    return room[1].serial("serial")


WHERE = [{}, {"far_input": True}, {"far": True}, {"far": True, "far_input": True}]
both = pytest.mark.parametrize("where", WHERE, ids=["folders", "INPUT in S3", "OUTPUT in S3", "both in S3"])
places = pytest.mark.parametrize("where", [WHERE[0], WHERE[3]], ids=["folders", "both in S3"])


@both
def test_a_worker_that_is_killed_costs_nothing(
    room: tuple[Cluster, Nights], serial: Path, where: dict[str, bool]
) -> None:
    cluster, nights = room
    name, run = nights.at_work("killed-worker", **where)
    cluster.kill_one("colorize-a")
    nights.ends(name, run, serial)
    assert "A worker on colorize-a (10.77.81.2) was lost" in nights.said(name)
    again = nights.begin(name, **where)
    nights.ends(name, again, serial)
    assert "Nothing was left to do." in nights.said(name)


@pytest.mark.parametrize("where", WHERE[2:], ids=["OUTPUT", "both"])
def test_a_worker_that_is_killed_costs_nothing_at_googles(
    at_google: tuple[Cluster, Nights], serial: Path, where: dict[str, bool]
) -> None:
    test_a_worker_that_is_killed_costs_nothing(at_google, serial, where)


def test_a_driver_that_is_killed_is_followed_by_another_at_googles(
    at_google: tuple[Cluster, Nights], serial: Path
) -> None:
    at_google[1].is_followed(serial, far=True, far_input=True)


@places
def test_a_host_that_is_cut_off_costs_nothing(
    room: tuple[Cluster, Nights], serial: Path, where: dict[str, bool]
) -> None:
    cluster, nights = room
    name, run = nights.at_work("cut-off", **where)
    ip("link", "set", "cz82", "down")
    try:
        nights.ends(name, run, serial)
    finally:
        ip("link", "set", "cz82", "up")
        cluster.renew("colorize-b")
    assert "A worker on colorize-b (10.77.82.2) was lost" in nights.said(name)


@places
def test_a_driver_that_is_killed_is_followed_by_another(
    room: tuple[Cluster, Nights], serial: Path, where: dict[str, bool]
) -> None:
    room[1].is_followed(serial, **where)


@places
def test_a_host_that_joins_has_its_part(room: tuple[Cluster, Nights], serial: Path, where: dict[str, bool]) -> None:
    cluster, nights = room
    name = called("joined", where)
    ended(cluster.workers["colorize-b"])
    run = nights.begin(name, "-v", *nights.options, **where)
    nights.wait_for(name, run)
    cluster.workers["colorize-b"] = cluster.add("colorize-b")
    time.sleep(3)
    cluster.renew("colorize-a")
    nights.ends(name, run, serial)


@places
def test_a_net_that_a_hint_names_reaches_hosts_that_lack_it(
    room: tuple[Cluster, Nights], tiny_net: Path, where: dict[str, bool]
) -> None:
    cluster, nights = room
    name, alone = called("hint", where), called("hint-alone", where)
    for each in (name, alone):
        write_hint(nights.folder / each, tiny_net)
    wanted = nights.serial(alone)
    for each in HOSTS:
        ended(cluster.workers[each])
        hidden = f"mount -t tmpfs none '{tiny_net.parent}'"
        cluster.workers[each] = cluster.add(each, first=hidden, XDG_CACHE_HOME=str(nights.folder / f"cache-{each}"))
    try:
        nights.ends(name, nights.begin(name, **where), wanted)
    finally:
        for each in HOSTS:
            cluster.renew(each)
    check_hinted(wanted)


SHIM = "import pipeline\npipeline.__version__ = '0.0.1'\n"


@pytest.mark.parametrize(
    ("far", "first", "variables", "words"),
    [
        (False, "mount -t tmpfs none '{folder}'", {}, "cannot write and read {folder}/"),
        (True, "mount -t tmpfs none '{folder}'", {}, "the state folder must be one that all workers share; --state"),
        (True, "", {"AWS_SECRET_ACCESS_KEY": "", "AWS_ACCESS_KEY_ID": ""}, "permission denied"),
        (True, "", {"AWS_ENDPOINT_URL": "http://10.77.82.1:1"}, "each worker needs access to the storage"),
        (False, "", {"PYTHONPATH": "{shim}:{checkout}"}, "has version 0.0.1 of this program, and this machine"),
    ],
    ids=["no folder", "no state folder", "no keys", "no way", "another version"],
)
def test_a_host_that_cannot_work_is_named(
    room: tuple[Cluster, Nights],
    serial: Path,
    far: bool,
    first: str,
    variables: dict[str, str],
    words: str,
    tmp_path: Path,
) -> None:
    cluster, nights = room
    name = f"strange-{tmp_path.name}"
    folder = nights.folder / name
    folder.mkdir()
    (tmp_path / "sitecustomize.py").write_text(SHIM)
    known = {"folder": folder, "shim": tmp_path, "checkout": CHECKOUT}
    given = {key: text.format(**known) for key, text in variables.items()}
    strange = cluster.add("colorize-b", "colorize-c", 1, first.format(**known), **given)
    try:
        wait_for_workers(5)
        run = nights.begin(name, far=far)
        assert run.wait(120) in (0, 5), nights.said(name)  # 0: it tried so long that the others had begun
    finally:
        ended(strange)
    print(nights.said(name))
    if run.returncode == 0 and "AWS_ENDPOINT_URL" in variables and "colorize-c" not in nights.said(name):
        nights.ends(name, run, serial)  # it had not given up yet when they had done everything
        assert "The worker on 10.77.82.2 has done nothing" in nights.said(name)
        return
    assert "The worker on colorize-c (10.77.82.2)" in nights.said(name)
    assert words.format(**known) in nights.said(name)


def wait_for_workers(count: int) -> None:
    from distributed import Client

    with Client(f"tcp://127.0.0.1:{SCHEDULER_PORT}", set_as_default=False) as client:
        client.wait_for_workers(count, timeout=60)
