"""Clusters for tests: a process that begins one on this machine, says where, and ends it when its stdin is closed."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.conftest import CHECKOUT, environment

_DASK = """
import logging, sys
from distributed import LocalCluster
if __name__ == "__main__":
    with LocalCluster(n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address=None, memory_limit=0,
                      silence_logs=logging.CRITICAL + 1) as cluster:
        print(cluster.scheduler_address, flush=True)
        sys.stdin.read()
"""


@contextmanager
def dask_cluster(folder: str) -> Iterator[str]:
    """Give the address of a scheduler with two workers, one thread each, watched by nannies."""
    script = Path(folder) / "cluster.py"
    script.write_text(_DASK, encoding="utf-8")
    process = subprocess.Popen(
        [sys.executable, script],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment(XDG_CACHE_HOME=folder),
        cwd=CHECKOUT,
        start_new_session=True,  # the Ctrl-C of a test is not for it
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield process.stdout.readline().strip()
    finally:
        process.stdin.close()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()


BEGIN = {"dask": dask_cluster}
MODULES = {"dask": "distributed", "ray": "ray"}
