"""How many workers this machine can feed: its cores and the memory really available, container limits included."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pipeline.ground import heap
from pipeline.ground.settings import Settings
from pipeline.media.medium import Memory
from pipeline.nets.spec import NetSpec

# A worker's interpreter, OpenCV and one picture of some twenty megapixels on its way from file to file.
WORKER_BYTES = 500 * 2**20

# Of these, what it holds between two pictures; its net comes to this.
IDLE_BYTES = 160 * 2**20 + heap.KEPT


def wished_jobs(settings: Settings, net: NetSpec) -> int:
    """Return the number of workers that the settings name, or that `auto` comes to with this net."""
    if isinstance(settings.jobs, int):
        return settings.jobs
    return automatic_jobs(net.path.stat().st_size, memory=budget_of(settings))


def memory_of(settings: Settings, net: NetSpec, jobs: int) -> Memory:
    """Return how much memory pictures may take where so many workers share what this machine has."""
    return shared(budget_of(settings), settings, net, jobs)


def shared(budget: int | None, settings: Settings, net: NetSpec, jobs: int) -> Memory:
    """Return how much memory pictures may take where so many workers share so many bytes; None: not known."""
    if budget is None:
        return Memory()
    idle = IDLE_BYTES + net.held
    return Memory(budget / jobs - idle, budget - jobs * idle, str(settings.max_memory))


def budget_of(settings: Settings) -> int | None:
    """Return the bytes that all workers on this machine may take together; None: not known."""
    return settings.max_memory * 10**6 if isinstance(settings.max_memory, int) else available_memory()


def automatic_jobs(net_bytes: int, *, cores: int | None = None, memory: int | None = None) -> int:
    """Return the number of workers for `--jobs auto`, at least one.

    Args:
        net_bytes: size of the net's file; a worker holds about three times as much.
        cores: processors this process may use; None asks joblib, which minds affinity and CPU quotas.
        memory: bytes that can be had without swapping; None asks the system.
    """
    if cores is None:
        from joblib import cpu_count

        cores = int(cpu_count())
    if memory is None:
        memory = available_memory()
    if memory is None:
        return max(1, cores)
    return max(1, min(cores, memory // (WORKER_BYTES + 3 * net_bytes)))


def available_memory(root: Path = Path("/")) -> int | None:
    """Return the bytes that can still be had: the least of the system's and every control group's; None if unknown.

    Args:
        root: where `proc` and `sys` lie; tests give a folder of their own.
    """
    return min(_limits(root), default=None)


def _limits(root: Path) -> Iterator[int]:
    for line in _lines(root / "proc/meminfo"):
        if line.startswith("MemAvailable:"):
            yield int(line.split()[1]) * 1024
    for line in _lines(root / "proc/self/cgroup"):
        _, controllers, inside = line.split(":", 2)
        if controllers == "":
            yield from _group(root / "sys/fs/cgroup", inside, "memory.max", "memory.current", "inactive_file")
        elif "memory" in controllers.split(","):
            yield from _group(
                root / "sys/fs/cgroup/memory",
                inside,
                "memory.limit_in_bytes",
                "memory.usage_in_bytes",
                "total_inactive_file",
            )


def _group(mount: Path, inside: str, limit_name: str, usage_name: str, cache_name: str) -> Iterator[int]:
    # Every ancestor may set a limit of its own. Inside a container the path of the host may not exist: then its root.
    folder = mount / inside.lstrip("/")
    for group in (folder, *folder.parents):
        if not group.is_relative_to(mount):
            return
        limit, usage = _number(group / limit_name), _number(group / usage_name)
        if limit is None or usage is None:
            continue
        # Pages of files that are merely cached count as used, yet go as soon as memory is wanted.
        cache = [int(line.split()[1]) for line in _lines(group / "memory.stat") if line.startswith(f"{cache_name} ")]
        yield max(0, limit - usage + sum(cache))


def _number(path: Path) -> int | None:
    lines = _lines(path)
    return int(lines[0]) if lines and lines[0].isdigit() else None


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text().splitlines()
    except OSError:
        return []
