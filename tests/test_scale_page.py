"""The examples of docs/scale.md for Slurm and Kubernetes run, as these would call them."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.conftest import CHECKOUT, ENTRY, environment, write_archive

PAGE = (CHECKOUT / "docs" / "scale.md").read_text(encoding="utf-8")
PICTURES = 12


@pytest.fixture
def host(tmp_path: Path, user_cache: Path, tiny_net: Path) -> dict[str, str]:
    """The environment of a host with `colorize` on its path, and an archive."""
    write_archive(tmp_path / "scans", PICTURES)
    bin = tmp_path / "bin"
    bin.mkdir()
    program = bin / "colorize"
    python, *words = ENTRY
    program.write_text(f'#!/bin/sh\nexec {python} {words[0]} "{words[1]}" "$@"\n')
    program.chmod(0o755)
    settings = {"COLORIZE_MODEL": str(tiny_net), "COLORIZE_ENGINE": "opencv", "COLORIZE_PRECISION": "float32"}
    path = f"{bin}:{os.environ['PATH']}"
    return environment(XDG_CACHE_HOME=str(user_cache), PATH=path, **settings)


def ran(script: str, variables: dict[str, str], shell: str) -> None:
    done = subprocess.run([shell, "-c", script], env=variables, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def merged(shares: str, tmp_path: Path, host: dict[str, str]) -> None:
    """Merge shares, and see that each picture is there once."""
    ran(f"colorize merge {shares} -o {tmp_path}/colour", host, "bash")
    assert len(list((tmp_path / "colour").rglob("*.jpg"))) == PICTURES
    assert (tmp_path / "colour" / "manifest.csv").read_text().count(",done,") == PICTURES


def test_tasks_of_a_slurm_array_are_shares_of_one_archive(tmp_path: Path, host: dict[str, str]) -> None:
    (script,) = re.findall(r"## Slurm\n\n```bash\n(.*?)```", PAGE, re.DOTALL)
    (together,) = re.findall(r"`colorize merge (/archive/\S+) -o /archive/colour`", PAGE)
    script = script.replace("/archive/", f"{tmp_path}/")
    for task in (1, 2):
        of_task = {"SLURM_ARRAY_TASK_ID": str(task), "SLURM_ARRAY_TASK_COUNT": "2", "SLURM_CPUS_PER_TASK": "1"}
        ran(script, host | of_task, "bash")
    merged(together.replace("/archive/", f"{tmp_path}/").replace("{1..8}", "{1..2}"), tmp_path, host)


def test_pods_of_an_indexed_job_are_shares_of_one_archive(tmp_path: Path, host: dict[str, str]) -> None:
    (folded,) = re.findall(r"args:\n +- >-\n((?: {14}.*\n)+)", PAGE)
    script = " ".join(line.strip() for line in folded.splitlines())
    assert " /scans " in script
    assert " /colour/$" in script
    (parts,) = re.findall(r"completions: (\d+)", PAGE)
    assert f"/{parts} " in script
    script = script.replace("/scans", f"{tmp_path}/scans").replace("/colour", f"{tmp_path}/colour-of")
    script = script.replace(f"/{parts} ", "/2 ")
    for index in (0, 1):
        ran(script, host | {"JOB_COMPLETION_INDEX": str(index), "COLORIZE_JOBS": "1"}, "sh")
    merged(f"{tmp_path}/colour-of/0 {tmp_path}/colour-of/1", tmp_path, host)
