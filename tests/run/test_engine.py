"""A finished archive stays with its engine."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import pytest

from pipeline.archive.journal import Journal
from pipeline.nets import parity
from pipeline.run import engine
from pipeline.settings import Settings


def begun(output: Path, settings: Settings) -> None:
    with Journal(output) as journal:
        journal.start_run(inputs=[], settings=asdict(settings), fingerprint="f", version="0", planned=0)


TRIALS = (
    parity.Trial("opencv", "float32", True, "the reference", 20.0),
    parity.Trial("openvino", "float32", True, "agrees", 10.0),
    parity.Trial("openvino", "bfloat16", False, "differs too much", 5.0),
)


@pytest.mark.parametrize(
    ("last", "asked", "settled"),
    [
        (None, Settings(), ("openvino", "float32")),
        (Settings(engine="opencv", precision="float32"), Settings(), ("opencv", "float32")),
        (Settings(engine="openvino", precision="bfloat16"), Settings(), ("openvino", "float32")),
        (Settings(engine="onnxruntime", precision="float32"), Settings(), ("openvino", "float32")),
        (Settings(engine="opencv", precision="float32"), Settings(engine="openvino"), ("openvino", "float32")),
    ],
)
def test_auto_stays_with_the_engine_of_the_last_run_while_it_passes(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    last: Settings | None,
    asked: Settings,
    settled: tuple[str, str],
) -> None:
    monkeypatch.setattr(engine, "choose_engine", lambda *_: parity.Choice("openvino", "float32", TRIALS))
    if last is not None:
        begun(tmp_path, last)
    found, _ = engine.settle_engine(asked, tmp_path)
    assert (found.engine, found.precision) == settled
