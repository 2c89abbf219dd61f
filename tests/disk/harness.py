"""Runs `colorize` again and again on a disk that fails; started by `disk.Disk` with the shim preloaded.

A line of JSON in: the arguments, and where the fault is. A line out: how it ended and what was said. Each run is a
child of its own, made by fork from this process in which everything has been imported.
"""

from __future__ import annotations

import ctypes
import json
import os
import sys
import traceback
from typing import Any

_SHIM = ctypes.CDLL(None)
_SHIM.fault_arm.argtypes = [ctypes.c_char_p, ctypes.c_long, ctypes.c_int, ctypes.c_int, ctypes.c_int]
_SHIM.fault_seen.restype = ctypes.c_long
_SHIM.fault_what.restype = ctypes.c_char_p


def _run(arguments: list[str]) -> int:
    from pipeline.cli.main import main

    sys.argv = ["colorize", *arguments]
    try:
        main()
    except SystemExit as end:
        return int(end.code or 0)
    except BaseException:
        traceback.print_exc()
    return 1


def _child(order: dict[str, Any]) -> None:
    said, told = os.open(order["said"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC), order["said"] + ".json"
    os.dup2(said, 1)
    os.dup2(said, 2)
    _SHIM.fault_arm(order["folder"].encode(), order["nth"], order["classes"], order["errno"], order["lasting"])
    code = _run(order["arguments"])
    _SHIM.fault_disarm()
    sys.stdout.flush()
    sys.stderr.flush()
    with open(told, "w") as file:  # noqa: PTH123
        json.dump({"seen": _SHIM.fault_seen(), "what": os.fsdecode(_SHIM.fault_what())}, file)
    os._exit(code)


def _ended(child: int, order: dict[str, Any]) -> dict[str, Any]:
    _, status = os.waitpid(child, 0)
    with open(order["said"], errors="replace") as file:  # noqa: PTH123
        answer = {"code": os.waitstatus_to_exitcode(status), "said": file.read(), "seen": 0, "what": ""}
    try:
        with open(order["said"] + ".json") as file:  # noqa: PTH123
            answer |= json.load(file)
        os.unlink(order["said"] + ".json")  # noqa: PTH108
    except FileNotFoundError:  # it was killed
        pass
    return answer


def main() -> None:
    answers = os.fdopen(os.dup(1), "w")
    for line in sys.stdin:
        order = json.loads(line)
        if order.get("warm"):  # imports what a run imports
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            os.dup2(1, 2)
            answer: dict[str, Any] = {"code": _run(order["arguments"])}
        elif child := os.fork():
            answer = _ended(child, order)
        else:
            _child(order)
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
