"""`colorize reject` and `colorize prune` say what was done, what was not, and why; what cannot go is not forgotten."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipeline.cli.main import commands
from pipeline.cli.presentation import Presentation
from pipeline.ground import inside
from pipeline.ground.errors import InputError
from tests.cli.bench import Bench, bench

__all__ = ["bench"]


@pytest.fixture
def three(bench: Bench) -> Bench:
    """Three pictures, done."""
    for name in ("1.png", "2.png", "3.png"):
        bench.photograph(name)
    bench.run()
    return bench


def said(bench: Bench, *words: object) -> tuple[int, str, str]:
    """Call a command in this process; return its exit code and what it prints."""
    code = commands.main([str(word) for word in words], standalone_mode=False, obj=Presentation())
    printed = bench.capture.readouterr()
    return int(code or 0), printed.out, printed.err


def refuse(root: Path, place: str) -> None:
    raise PermissionError(13, "Permission denied")


def test_what_was_not_rejected_is_not_taken_back(three: Bench) -> None:
    assert said(three, "reject", three.colour, "1.png") == (0, "1 rejected.\n", "")
    assert said(three, "reject", three.colour, "1.png", "2.png") == (
        0, "1 rejected.\n", "1.png: it was rejected before.\n",
    )  # fmt: skip
    assert said(three, "reject", "--undo", three.colour, "1.png", "3.png") == (
        0, "1 taken back: the next run makes them.\n", "3.png: it is done, and was not rejected.\n",
    )  # fmt: skip
    three.run()
    assert three.statuses() == {"1.png": "done", "2.png": "rejected", "3.png": "done"}


def test_a_source_is_found_where_it_lies(three: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(three.scans.parent)
    assert said(three, "reject", three.colour, Path(three.scans.name, "1.png"), three.scans / "2.png")[1:] == (
        "2 rejected.\n", "",
    )  # fmt: skip
    three.run()
    assert three.statuses() == {"1.png": "rejected", "2.png": "rejected", "3.png": "done"}


def test_what_was_taken_back_can_be_rejected_before_it_is_made_again(three: Bench) -> None:
    said(three, "reject", three.colour, "1.png")
    said(three, "reject", "--undo", three.colour, "1.png")
    assert said(three, "reject", three.colour, "1.png") == (0, "1 rejected.\n", "")
    three.run()
    assert (three.statuses()["1.png"], (three.colour / "1.png").exists()) == ("rejected", False)
    said(three, "reject", "--undo", three.colour, "1.png")
    three.run()
    assert (three.statuses()["1.png"], (three.colour / "1.png").exists()) == ("done", True)


def test_what_no_run_has_done_yet_can_be_rejected(three: Bench) -> None:
    new = three.photograph("box/4.png")
    assert said(three, "reject", three.colour, new) == (0, "1 rejected.\n", "")
    new.rename(three.scans / "5.png")
    assert three.worked() == 0
    assert three.statuses() | {"box/4.png": ""} == {
        "1.png": "done", "2.png": "done", "3.png": "done", "5.png": "rejected", "box/4.png": "",
    }  # fmt: skip
    with pytest.raises(InputError, match=r"6\.png: no item of .* is called so"):
        said(three, "reject", three.colour, "6.png")
    with pytest.raises(InputError, match=r"4\.png: no item of .* is called so"):
        said(three, "reject", "--undo", three.colour, three.photograph("4.png"))


def test_what_a_hint_rejects_is_taken_back_there(three: Bench) -> None:
    (three.colour / "hints.toml").write_text('["1.png"]\ndecision = "rejected"\n')
    three.run()
    code, out, err = said(three, "reject", "--undo", three.colour, "1.png")
    assert (code, out) == (0, "0 taken back: the next run makes them.\n")
    assert err == "1.png: a hint rejects it: take that out of hints.toml.\n"


def test_somebody_s_own_output_that_was_rejected_is_as_it_was_when_taken_back(three: Bench) -> None:
    (three.colour / "1.png").write_bytes(b"retouched")
    three.run()
    said(three, "reject", three.colour, "1.png")
    three.run()
    assert (three.statuses()["1.png"], (three.colour / "1.png").read_bytes()) == ("rejected", b"retouched")
    said(three, "reject", "--undo", three.colour, "1.png")
    three.run()
    assert (three.statuses()["1.png"], (three.colour / "1.png").read_bytes()) == ("edited", b"retouched")


def test_what_cannot_be_removed_is_not_rejected(three: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(inside, "remove", refuse)
        assert said(three, "reject", three.colour, "1.png") == (
            3, "0 rejected.\n", "1.png: its output cannot be removed, so it is not rejected: permission denied.\n",
        )  # fmt: skip
    assert three.statuses()["1.png"] == "done"


def test_what_cannot_be_pruned_is_not_forgotten(three: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    (three.scans / "1.png").unlink()
    three.run()
    with monkeypatch.context() as patch:
        patch.setattr(inside, "remove", refuse)
        code, out, err = said(three, "prune", "--yes", three.colour)
    assert (code, out) == (3, "0 of the outputs of gone sources were removed.\n")
    assert err == "1.png cannot be removed: permission denied. It stays, and what is known of it.\n"
    assert (three.statuses()["1.png"], (three.colour / "1.png").exists()) == ("gone", True)
    assert said(three, "prune", "--yes", three.colour)[1] == "1 of the outputs of gone sources were removed.\n"
    assert "1.png" not in three.statuses()


def test_what_a_hint_rejects_and_cannot_be_removed_is_said(three: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    (three.colour / "hints.toml").write_text('["1.png"]\ndecision = "rejected"\n')
    with monkeypatch.context() as patch:
        patch.setattr(inside, "remove", refuse)
        three.run()
    assert "1.png is not wanted, by a hint, and cannot be removed: permission denied." in three.said
    assert (three.colour / "1.png").exists()
    three.run()
    assert not (three.colour / "1.png").exists()


def test_machines_are_told_the_same(three: Bench) -> None:
    def told(*words: object) -> list[object]:
        code, out, err = said(three, *words, "--json")
        assert code == 0, err
        return [json.loads(line) for line in out.splitlines()]

    assert told("reject", three.colour, "1.png") == [{"taken": ["1.png"], "left": [], "stuck": []}]
    again = {"taken": [], "left": [["1.png", "it was rejected before"]], "stuck": []}
    assert told("reject", three.colour, "1.png") == [again]
    (three.scans / "2.png").unlink()
    (three.scans / "3.png").unlink()
    three.run("--accept-gone")
    (three.colour / "3.png").write_bytes(b"retouched")
    assert told("prune", three.colour) == [
        {"key": "2.png", "output": "2.png", "kept": ""},
        {"key": "3.png", "output": "3.png", "kept": "edited"},
    ]
    assert told("prune", three.colour, "--yes") == [{"removed": 1, "forgotten": 1, "stuck": []}]
    (three.colour / ".colorize" / "journal.sqlite").unlink()
    (three.colour / ".colorize" / "journal.copy.sqlite").unlink()
    came = {"from_copy": 0, "from_manifest": 0, "edited": 1, "missing": 0, "rejected": 1}
    assert told("recover", three.colour) == [came]
