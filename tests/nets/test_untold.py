"""The engines' libraries tell their makers nothing, and keep nothing for that in the user's home."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import environment

PROGRAM = """
import sys
from pipeline.nets.engine import Engine
from pipeline.nets.engines.open import open_net
from pipeline.nets.resolve import resolve
open_net(resolve("embedded"), Engine(sys.argv[1], "float32"))
print([name for name in sys.modules if name.startswith("openvino_telemetry")])
"""


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
def test_an_engine_leaves_nothing_in_a_home_but_our_own_cache(engine: str, tmp_path: Path) -> None:
    if importlib.util.find_spec(engine) is None:
        pytest.skip(f"extra: {engine}")
    variables = environment(HOME=str(tmp_path), XDG_CACHE_HOME=str(tmp_path / ".cache"))
    for name in ("CI", "TF_BUILD", "JENKINS_URL", "ORT_DISABLE_TELEMETRY"):  # there they would be quiet of themselves
        variables.pop(name, None)
    run = subprocess.run([sys.executable, "-c", PROGRAM, engine], env=variables, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert run.stdout.strip() == "[]"
    left = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    assert {place for place in left if not place.startswith(".cache/colorize/")} == set()
