"""One source colorized over and over, each time with a disk that is lost one call later; run under `shim.c`.

    LD_PRELOAD=shim.so python -m tests.faults.sweep FOLDER MODEL ERRNO NAME...

FOLDER holds the sources. Prints a line of JSON for each fault: what the run said of it, and what the next run made.
"""

from __future__ import annotations

import ctypes
import json
import shutil
import sys
from pathlib import Path
from typing import Any

from pipeline.archive.journal import Journal
from pipeline.ground import files
from pipeline.ground.errors import ColorizeError
from pipeline.ground.settings import Settings
from pipeline.run import driver

_SHIM = ctypes.CDLL(None)
_MOST = 400


def once(source: Path, output: Path, settings: Settings) -> dict[str, Any]:
    """Run; return exit code, and status, cause and reason of the one item."""
    try:
        code = int(driver.run_archive([source], output, settings, quiet=True).exit_code)
    except ColorizeError as error:
        return {"code": int(error.exit_code), "said": str(error)}
    with Journal(output, read_only=True) as journal:
        row = next(iter(journal.rows()))
    made = files.sha256(output / row.output) if row.status in ("done", "copied") else ""
    told = {"status": row.status, "cause": row.cause, "reason": row.reason, "metadata": row.metadata}
    return {"code": code, "made": made, **told}


def sweep(source: Path, number: int, settings: Settings, once_only: bool) -> None:
    """Lose the disk at every call in turn, until a run meets no fault any more."""
    output = source.parent.parent / "out" / source.name
    whole = once(source, output, settings)
    for at in range(1, _MOST):
        shutil.rmtree(output, ignore_errors=True)
        _SHIM.fault_arm(str(source.parent).encode(), number, at, once_only)
        met = once(source, output, settings)
        mapped = _SHIM.fault_mapped()
        if not _SHIM.fault_disarm():
            print(json.dumps({"name": source.name, "calls": at - 1, "mapped": mapped, "same": met == whole}))
            return
        again = once(source, output, settings)
        print(json.dumps({"name": source.name, "at": at, "met": met, "again": again == whole, "then": again}))
    raise SystemExit(f"{source.name}: more than {_MOST} calls")


def main(folder: str, model: str, number: str, once_only: str, *names: str) -> None:
    """Sweep each of the sources `names`."""
    settings = Settings(model=model, engine="opencv", precision="float32", executor="serial", encoder="ffv1",
                        container="mkv", steady="off")  # fmt: skip
    for name in names:
        sweep(Path(folder) / name, int(number), settings, once_only == "1")


if __name__ == "__main__":
    main(*sys.argv[1:])
