"""What a large archive costs the driver."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import cv2
import pytest

from tests.conftest import environment, landscape

pytestmark = [
    pytest.mark.soak,
    pytest.mark.skipif(sys.platform != "linux", reason="reads /proc"),
]

# VmHWM, not ru_maxrss: that one begins with the memory of the process that started this one.
PROGRAM = """
import json, sys
from pathlib import Path
from pipeline.run.driver import run_archive
from pipeline.ground.settings import Settings
settings = Settings(model=sys.argv[3], engine="opencv", precision="float32", jobs=2, format="png")
summary = run_archive([Path(sys.argv[1])], Path(sys.argv[2]), settings)
lines = Path("/proc/self/status").read_text().splitlines()
peak = next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
print(json.dumps({"peak": peak, "counts": summary.counts}))
"""


def driver_peak(folder: Path, net: Path, count: int) -> int:
    """Colorize `count` tiny pictures and return the driver's peak memory in KiB."""
    scans = folder / "scans"
    for number in range(count):
        path = scans / f"{number // 500:03d}" / f"{number:05d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(cv2.imencode(".png", landscape(number, 8, 8))[1].tobytes())  # no two are doubles
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(scans), str(folder / "colour"), str(net)],
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    found = json.loads(run.stdout.splitlines()[-1])
    assert found["counts"] == {"done": count}
    return int(found["peak"])


def test_the_driver_s_memory_hardly_grows_with_the_archive(tmp_path: Path) -> None:
    pytest.importorskip("onnx", reason="makes a tiny net; extra: import")
    from pipeline.nets.convert.release_topology import write_release_onnx

    net = tmp_path / "tiny.onnx"
    write_release_onnx(net, width=0.0625, size=32)
    small = driver_peak(tmp_path / "small", net, 1_000)
    large = driver_peak(tmp_path / "large", net, 20_000)
    print(f"driver's peak: {small / 1024:.0f} MiB at 1,000 items, {large / 1024:.0f} MiB at 20,000")
    assert large - small < 12 * 1024
