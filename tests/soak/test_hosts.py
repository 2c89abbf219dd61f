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
from pathlib import Path

import cv2
import pytest

from pipeline.archive.journal import Journal
from tests.conftest import ENTRY, environment, landscape, write_tiff
from tests.disk.disk import files_of, manifest_of
from tests.storage import servers

pytestmark = [
    pytest.mark.soak,
    pytest.mark.skipif(
        sys.platform != "linux" or os.geteuid() != 0 or shutil.which("ip") is None, reason="makes network namespaces"
    ),
]
pytest.importorskip("distributed", reason="Dask; extra: dask")
pytest.importorskip("av", reason="a film is there, too; extra: film")
from tests.film.clips import scenes, write_clip  # noqa: E402

HOSTS = {"colorize-a": 81, "colorize-b": 82}  # and the third byte of the network between it and this one
PHOTOGRAPHS = 60
S3_PORT = 8798
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
        variables = environment(XDG_CACHE_HOME=str(folder / "cache"), OMP_NUM_THREADS="1", **QUICK)
        dask = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--port", "8799", "--no-dashboard"]
        self._start(dask, variables)
        while socket.socket().connect_ex(("127.0.0.1", 8799)):
            time.sleep(0.2)
        self.workers = {}
        for name, network in HOSTS.items():
            stack.enter_context(host(name, network))
            words = [
                "ip", "netns", "exec", name, "unshare", "--uts", "sh", "-c", f'hostname {name}; exec "$@"', "sh",
                sys.executable, "-m", "distributed.cli.dask_worker", f"tcp://10.77.{network}.1:8799", "--nworkers", "2",
                "--nthreads", "1", "--memory-limit", "0", "--no-dashboard", "--local-directory", str(folder / name),
            ]  # fmt: skip
            bucket = {"AWS_ENDPOINT_URL": f"http://10.77.{network}.1:{S3_PORT}"}
            self.workers[name] = self._start(words, variables | servers.KEYS | bucket)

    def _start(self, words: list[str], variables: dict[str, str]) -> subprocess.Popen[bytes]:
        log = self._stack.enter_context((self._folder / "cluster.log").open("ab"))
        process = subprocess.Popen(words, env=variables, stdout=log, stderr=log, start_new_session=True)
        self._stack.callback(ended, process)
        return process

    def children(self, name: str) -> list[int]:
        """Return the worker processes on a host: below its nannies."""
        import psutil

        found = psutil.Process(self.workers[name].pid).children(recursive=True)
        return [each.pid for each in found if "resource_tracker" not in " ".join(each.cmdline())]


@pytest.fixture(scope="module")
def scans(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("archive") / "scans"
    for number in range(PHOTOGRAPHS):
        path = folder / f"box {number % 5}" / f"{number:03d}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(cv2.imencode(".jpg", landscape(number, 700, 900))[1].tobytes())
    write_tiff(folder / "minutes.tif", *[landscape(100 + seed, 400, 500) for seed in range(6)])
    write_clip(folder / "reel.mkv", scenes(480, 96, 64), options={"preset": "ultrafast"})
    return folder


OPTIONS = ("--engine", "opencv", "--precision", "float32", "--no-progress")


def command(scans: object, output: Path, *options: str) -> list[str]:
    return [*ENTRY, "run", str(scans), "-o", str(output), *OPTIONS, *options]


def recorded(output: Path) -> int:
    with contextlib.suppress(Exception), Journal(output, read_only=True) as journal:
        return sum(journal.counts().values())
    return 0


def wait_for(output: Path, count: int, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 240
    while recorded(output) < count:
        assert process.poll() is None, f"it ended with {process.returncode}"
        assert time.monotonic() < until
        time.sleep(0.2)


def check(output: Path, serial: Path) -> None:
    assert files_of(output) == files_of(serial)
    assert manifest_of(output) == manifest_of(serial)


def test_hosts_and_drivers_that_are_lost_leave_what_one_process_would_have_made(scans: Path, tmp_path: Path) -> None:
    variables = environment(XDG_CACHE_HOME=str(tmp_path / "cache"), OMP_NUM_THREADS="1", **QUICK)
    serial = tmp_path / "serial"
    subprocess.run(command(scans, serial, "--executor", "serial"), env=variables, check=True, capture_output=True)
    with ExitStack() as stack:
        bucket = stack.enter_context(servers.s3("0.0.0.0", S3_PORT))
        bucket.fill(scans)
        access = servers.KEYS | {"AWS_ENDPOINT_URL": bucket.endpoint}
        cluster = Cluster(stack, tmp_path)
        options = ("--executor", "dask", "--cluster", "tcp://127.0.0.1:8799")

        def begun(name: str, source: object = scans) -> tuple[Path, subprocess.Popen[bytes]]:
            output, said = tmp_path / name, stack.enter_context((tmp_path / f"{name}.log").open("wb"))
            words = command(source, output, *options)
            return output, subprocess.Popen(words, env=variables | access, stderr=said, stdout=said)

        output, run = begun("plain")
        assert run.wait(600) == 0, (tmp_path / "plain.log").read_text()
        check(output, serial)

        output, run = begun("killed worker")
        wait_for(output, 8, run)
        victim = cluster.children("colorize-a")[0]
        os.kill(victim, signal.SIGKILL)
        assert run.wait(600) == 0
        check(output, serial)

        output, run = begun("bucket", "s3://museum/scans")
        wait_for(output, 8, run)
        os.kill(cluster.children("colorize-b")[0], signal.SIGKILL)
        assert run.wait(600) == 0, (tmp_path / "bucket.log").read_text()
        check(output, serial)

        output, run = begun("cut off")
        wait_for(output, 8, run)
        ip("link", "set", "cz82", "down")
        assert run.wait(600) == 0, (tmp_path / "cut off.log").read_text()
        check(output, serial)
        ip("link", "set", "cz82", "up")

        output, run = begun("killed driver")
        wait_for(output, 8, run)
        run.kill()
        run.wait()
        before = recorded(output)
        again = subprocess.run(command(scans, output, *options), env=variables, capture_output=True, check=False)
        assert again.returncode == 0, again.stderr
        assert 8 <= before < PHOTOGRAPHS
        check(output, serial)
    for name in ("plain", "killed worker", "bucket", "cut off"):
        print(f"{name}: {(tmp_path / f'{name}.log').read_text().strip()}")
    print(f"killed driver: {before} recorded, then {again.stdout.decode().strip()}")
