"""The priority of this process while it encodes: an encoder is not to stop everything else on the machine."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Final

# Linux alone has policies by thread; who begins this program as a realtime one has his reasons.
_ORDINARY: Final = sys.platform == "linux" and os.sched_getscheduler(0) == os.SCHED_OTHER


def stay_ordinary() -> None:
    """Give the threads of this process their ordinary priority back; to be called after each frame that is encoded.

    Where root runs it, as in most containers, SVT-AV1 takes the highest realtime priority for its threads and for the
    one that opens it: nothing else on the machine would get a turn, all night.
    """
    if not _ORDINARY or os.sched_getscheduler(0) == os.SCHED_OTHER:
        return
    for thread in Path("/proc/self/task").iterdir():
        with suppress(OSError):  # it has ended
            if os.sched_getscheduler(int(thread.name)) == os.SCHED_FIFO:
                os.sched_setscheduler(int(thread.name), os.SCHED_OTHER, os.sched_param(0))
