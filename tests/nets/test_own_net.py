"""The example of docs/own-net.md, run as it stands there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pipeline.nets.resolve import resolve

PAGE = Path(__file__).resolve().parents[2] / "docs" / "own-net.md"


def test_the_example_says_how_a_net_is_fed_and_what_it_answers(tmp_path: Path, make_net, monkeypatch) -> None:
    pytest.importorskip("onnx", reason="the extra import is not installed")
    (code,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    (tmp_path / "mine.onnx").write_bytes(Path(make_net("zhang")).read_bytes())
    monkeypatch.chdir(tmp_path)
    exec(compile(code, "own-net.md", "exec"), {})
    spec = resolve("mine-described.onnx")
    assert (spec.answer.kind, spec.answer.scale, spec.feed.offset) == ("ab", 110.0, -50.0)
