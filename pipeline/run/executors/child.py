"""A process that works for a driver, and ends when that does."""

from __future__ import annotations

import os
import signal
import threading
import time

from pipeline.ground.items import Unit

# Tests put a part of a file name here: a worker that meets it kills itself, as a decoder's segmentation fault would.
POISON_VARIABLE = "COLORIZE_TEST_POISON"

# The same for one that stops in the middle, as a decoder in an endless loop would.
HANG_VARIABLE = "COLORIZE_TEST_HANG"

# A worker is one thread: libraries that would start as many as there are cores are told so before they load.
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


def be_hurt(unit: Unit) -> None:
    """Kill or stop this process where a test wants that for this unit."""
    if (poison := os.environ.get(POISON_VARIABLE)) and poison in unit.source.name:
        os.kill(os.getpid(), signal.SIGKILL)
    if (hang := os.environ.get(HANG_VARIABLE)) and hang in unit.source.name:
        # To this very thread: sent to the process it would reach the main one, and this one would work on until then.
        signal.pthread_kill(threading.get_ident(), signal.SIGSTOP)


def follow(driver: int) -> None:
    """Make this process deaf to what is meant for its driver, and let it end soon after that has; never raises.

    Args:
        driver: the process that has started this one.
    """
    be_deaf()
    threading.Thread(target=_die_with, args=(driver,), daemon=True).start()


def dask_setup(worker: object) -> None:
    """Make a process ready that Dask has started on this machine; Dask calls it in the main thread."""
    follow(os.getppid())


def be_deaf() -> None:
    """Leave signals to the driver: Ctrl-C, systemd and a closed terminal reach the whole group."""
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)


def _die_with(driver: int) -> None:
    # An orphan would go on writing beside the next run; a killed driver cannot tell it to stop.
    while os.getppid() == driver:
        time.sleep(0.2)
    os._exit(1)
