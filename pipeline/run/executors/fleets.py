"""From the settings to an executor on Dask or Ray, whose libraries are loaded only then."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from pipeline.ground.errors import SettingsError
from pipeline.ground.settings import Settings
from pipeline.media.medium import Job
from pipeline.run.executors.executor import Executor
from pipeline.run.executors.fleet import Fleet
from pipeline.run.executors.remote import Remote

_MODULES: Final = {"dask": "distributed", "ray": "ray"}


def check_executor(settings: Settings) -> None:
    """Look whether what the executor needs is installed, and whether `cluster` goes with it.

    Raises:
        SettingsError: it is not, or does not.
    """
    module = _MODULES.get(settings.executor)
    if module is None:
        if settings.cluster:
            raise SettingsError(f"cluster = {settings.cluster!r}: it goes with --executor dask or ray.")
    elif importlib.util.find_spec(module) is None:
        extra = settings.executor
        raise SettingsError(f"--executor {extra} needs the extra: pip install 'colorize-archive[{extra}]'.")


def on_fleet(job: Job, jobs: int, roots: Sequence[Path], say: Callable[[str], None]) -> Executor:
    """Return what does units on the cluster that the settings name, or on a local one with so many workers."""
    settings = job.settings

    def opened() -> Fleet:
        if settings.executor == "ray":
            from pipeline.run.executors.ray import Ray

            return Ray(settings.cluster, jobs if not settings.cluster else None)
        from pipeline.run.executors.dask import Dask

        return Dask(settings.cluster, jobs)

    most = settings.jobs if settings.cluster and isinstance(settings.jobs, int) else None
    return Remote(job, opened, roots, say=say, most=most)
