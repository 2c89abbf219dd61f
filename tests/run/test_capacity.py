"""`--jobs auto`: cores, memory, and the limits of containers."""

from __future__ import annotations

from pathlib import Path

from pipeline.run.capacity import WORKER_BYTES, automatic_jobs, available_memory


def machine(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


MEMINFO = "MemTotal: 16000000 kB\nMemAvailable: 8000000 kB\n"


def test_memory_of_the_whole_system(tmp_path: Path) -> None:
    assert available_memory(machine(tmp_path, {"proc/meminfo": MEMINFO})) == 8_000_000 * 1024


def test_version_2_group_and_its_ancestors_limit_it(tmp_path: Path) -> None:
    root = machine(
        tmp_path,
        {
            "proc/meminfo": MEMINFO,
            "proc/self/cgroup": "0::/night/colorize\n",
            "sys/fs/cgroup/night/colorize/memory.max": "max\n",
            "sys/fs/cgroup/night/colorize/memory.current": "5\n",
            "sys/fs/cgroup/night/memory.max": "2000000000\n",
            "sys/fs/cgroup/night/memory.current": "1500000000\n",
            "sys/fs/cgroup/night/memory.stat": "anon 1\ninactive_file 300000000\n",
        },
    )
    assert available_memory(root) == 800_000_000


def test_version_1_group_seen_from_inside_a_container(tmp_path: Path) -> None:
    root = machine(
        tmp_path,
        {
            "proc/meminfo": MEMINFO,
            "proc/self/cgroup": "9:cpu:/docker/abc\n4:memory:/docker/abc\n",
            "sys/fs/cgroup/memory/memory.limit_in_bytes": "1000000000\n",
            "sys/fs/cgroup/memory/memory.usage_in_bytes": "400000000\n",
        },
    )
    assert available_memory(root) == 600_000_000


def test_unknown_memory_leaves_the_cores(tmp_path: Path) -> None:
    assert available_memory(tmp_path) is None


def test_jobs_go_by_the_scarcer_of_cores_and_memory() -> None:
    assert automatic_jobs(0, cores=8, memory=100 * WORKER_BYTES) == 8
    assert automatic_jobs(0, cores=8, memory=3 * WORKER_BYTES) == 3
    assert automatic_jobs(10**9, cores=8, memory=WORKER_BYTES) == 1
    assert automatic_jobs(0) >= 1
