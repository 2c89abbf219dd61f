"""A process that works for a driver, and ends when that does."""

from __future__ import annotations

import os
import signal
import threading
import time


def follow(driver: int) -> None:
    """Make this process deaf to what is meant for its driver, and let it end soon after that has; never raises.

    Args:
        driver: the process that has started this one.
    """
    # Ctrl-C, systemd and a closed terminal reach the whole group; the driver alone decides when a worker stops.
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    threading.Thread(target=_die_with, args=(driver,), daemon=True).start()


def _die_with(driver: int) -> None:
    # An orphan would go on writing beside the next run; a killed driver cannot tell it to stop.
    while os.getppid() == driver:
        time.sleep(0.2)
    os._exit(1)
