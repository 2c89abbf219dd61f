"""Clusters for tests: a process that begins one on this machine, says where, and ends it when its stdin is closed."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from tests.conftest import CHECKOUT, environment

_DASK = """
import logging, sys
import dask
dask.config.set({"distributed.deploy.lost-worker-timeout": "1 hour"})  # its nannies stay, also where they die and die
from distributed import LocalCluster
if __name__ == "__main__":
    with LocalCluster(n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address=None, memory_limit=0,
                      silence_logs=logging.CRITICAL + 1) as cluster:
        print(cluster.scheduler_address, flush=True)
        sys.stdin.read()
"""


_RAY = """
import os, sys
os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
import ray
if __name__ == "__main__":
    found = ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False)
    print(found.address_info["gcs_address"], flush=True)
    sys.stdin.read()
"""


# Ray's clusters want a token: this session's tests have one of their own, and leave the user's alone.
_OWN_TOKEN = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}


@contextmanager
def _cluster(text: str, folder: str) -> Iterator[str]:
    script = Path(folder) / "cluster.py"
    script.write_text(text, encoding="utf-8")
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


def dask_cluster(folder: str) -> AbstractContextManager[str]:
    """Give the address of a scheduler with two workers, one thread each, watched by nannies."""
    return _cluster(_DASK, folder)


def ray_cluster(folder: str) -> AbstractContextManager[str]:
    """Give the address of a Ray cluster of two processors."""
    os.environ.update(_OWN_TOKEN)
    return _cluster(_RAY, folder)


BEGIN = {"dask": dask_cluster, "ray": ray_cluster}
MODULES = {"dask": "distributed", "ray": "ray"}
