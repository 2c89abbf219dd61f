"""Shares of one INPUT, made apart and put together, are what one run over all of it makes."""

from __future__ import annotations

import errno
import json
import os
import shutil
import unicodedata
from pathlib import Path

import pytest

from pipeline.archive.discover import Folder, Found
from pipeline.archive.shard import Shard
from pipeline.cli.main import commands
from pipeline.cli.presentation import Presentation
from pipeline.ground.errors import OutputError
from tests.cli.bench import Bench, bench
from tests.conftest import in_colour, landscape, write_tiff

__all__ = ["bench"]
OWN = {"seconds", "finished_at", "run_id"}


def merge(bench: Bench, *shares: str, output: str = "all") -> tuple[int, str, str]:
    words = ["merge", *(str(bench.folder / each) for each in shares), "-o", str(bench.folder / output)]
    code = commands.main(words, standalone_mode=False, obj=Presentation())
    printed = bench.capture.readouterr()
    return int(code), printed.out, printed.err


def archive(bench: Bench) -> None:
    for number in range(9):
        bench.photograph(f"box {number % 3}/{number}.png", landscape(number))
    bench.photograph("box 1/parrot.png", in_colour(60, 90))
    bench.photograph("box 1/a.jpg", landscape(20))
    bench.photograph("box 1/a.png", landscape(21))  # the two would meet as a.png
    bench.photograph("box 1/A.bmp", landscape(22))
    write_tiff(bench.scans / "letter.tif", *[landscape(seed, 40, 50) for seed in range(2)])
    (bench.scans / "notes.txt").write_text("notes")
    (bench.scans / "torn.png").write_bytes(bench.photograph("whole.png", landscape(30)).read_bytes()[:500])


def told(bench: Bench, output: str) -> dict[str, dict[str, str]]:
    return {key: {k: v for k, v in row.items() if k not in OWN} for key, row in bench.manifest(output).items()}


def files_of(folder: Path) -> dict[str, bytes]:
    found = (path for path in folder.rglob("*") if path.is_file() and ".colorize" not in path.parts)
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found if path.name != "manifest.csv"}


def test_three_shares_are_what_one_run_makes(bench: Bench) -> None:
    archive(bench)
    bench.run("--format", "png", output="whole")
    for number in (1, 2, 3):
        bench.run("--format", "png", "--shard", f"{number}/3", output=f"share-{number}")
    parts = [bench.manifest(f"share-{number}").keys() for number in (1, 2, 3)]
    assert sum(map(len, parts)) == len(set().union(*parts)) == len(bench.manifest("whole"))
    assert min(map(len, parts)) > 0
    code, out, err = merge(bench, "share-1", "share-2", "share-3")
    assert (code, err) == (0, "")
    assert out.startswith(f"{len(bench.manifest('whole'))} items taken over, 0 were there already.")
    assert told(bench, "all") == told(bench, "whole")
    assert files_of(bench.folder / "all") == files_of(bench.folder / "whole")
    assert bench.worked("--format", "png", output="all") == 0, "a run over all finds nothing to do"


def test_again_and_after_a_kill_it_goes_on(bench: Bench) -> None:
    archive(bench)
    bench.run("--shard", "1/2", output="one")
    bench.run("--shard", "2/2", output="two")
    merge(bench, "one")
    for path in sorted((bench.folder / "two").rglob("*.png"))[:2]:  # linked, and not recorded yet
        to = bench.folder / "all" / path.relative_to(bench.folder / "two")
        to.parent.mkdir(parents=True, exist_ok=True)
        to.hardlink_to(path)
    code, _, err = merge(bench, "one", "two")
    assert (code, err) == (0, "")
    code, out, _ = merge(bench, "two", "one", "two/../one")
    assert (code, out[:18]) == (0, "0 items taken over")
    shutil.rmtree(bench.folder / "one")
    shutil.rmtree(bench.folder / "two")
    assert bench.worked(output="all") == 0


def test_gaps_and_overlaps_are_said(bench: Bench) -> None:
    archive(bench)
    bench.run("--shard", "1/3", output="one")
    bench.run("--saturation", "0.5", output="whole")
    code, _, err = merge(bench, "one", "whole")
    assert code == 3
    assert "of 3 shares, 2, 3 are not here" in err
    assert "different settings, models or engines" in err
    assert "is in more than one share" in err
    taken = bench.manifest("one")
    assert {key: row["output_sha256"] for key, row in bench.manifest("all").items() if key in taken} == {
        key: row["output_sha256"] for key, row in taken.items()
    }


def test_what_is_in_the_way_stays(bench: Bench) -> None:
    bench.photograph("1.png")
    bench.run("--shard", "1/1", output="one")
    (bench.folder / "all").mkdir()
    (bench.folder / "all" / "1.png").write_text("mine")
    code, _, err = merge(bench, "one")
    assert code == 3
    assert "something else lies at 1.png" in err
    assert (bench.folder / "all" / "1.png").read_text() == "mine"


def test_an_edited_output_stays_edited(bench: Bench) -> None:
    bench.photograph("1.png")
    bench.run(output="one")
    (bench.folder / "one" / "1.png").write_bytes(b"retouched")
    merge(bench, "one")
    bench.run(output="all")
    assert bench.statuses("all") == {"1.png": "edited"}
    assert (bench.folder / "all" / "1.png").read_bytes() == b"retouched"


def test_a_link_in_a_share_is_not_taken_over(bench: Bench) -> None:
    bench.photograph("a.png", landscape(1))
    bench.run(output="one")
    (made,) = (bench.folder / "one").glob("*.png")
    made.unlink()
    made.symlink_to(bench.scans / "a.png")
    code, out, err = merge(bench, "one")
    assert code != 0
    assert "a symbolic link" in out + err
    assert not (bench.folder / "all" / "a.png").is_symlink()


@pytest.mark.parametrize("links", [True, False])
def test_what_is_exchanged_while_it_is_taken_over_is_not(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, links: bool
) -> None:
    bench.photograph("a.png", landscape(1))
    bench.run("--format", "png", output="share")
    made, secret = bench.folder / "share" / "a.png", bench.folder / "secret"
    content = made.read_bytes()
    secret.write_text("of somebody else")
    link = os.link

    def exchanged(*names: str, **folders: int) -> None:
        made.unlink()
        made.symlink_to(secret)
        if not links:
            raise OSError(errno.EXDEV, "another disk")
        link(*names, **folders)

    monkeypatch.setattr(os, "link", exchanged)
    _, out, err = merge(bench, "share")
    taken = bench.folder / "all" / "a.png"
    assert not taken.is_symlink()
    if links:
        assert "a.png cannot be taken over: it was exchanged" in out + err
        assert not taken.exists()
    else:
        assert taken.read_bytes() == content


def test_no_journal_and_itself(bench: Bench) -> None:
    bench.photograph("1.png")
    bench.run(output="one")
    (bench.folder / "empty").mkdir()
    with pytest.raises(OutputError, match="holds no journal"):
        merge(bench, "one", "empty")
    with pytest.raises(OutputError, match="is one of the shares"):
        merge(bench, "one", output="one")
    assert not (bench.folder / "all").exists()


def test_shares_are_even_and_stable() -> None:
    places = [f"box {number % 50}/{number:05}.tif" for number in range(8000)]
    counts = [sum(map(Shard(number, 8).holds, places)) for number in range(1, 9)]
    assert sum(counts) == 8000
    assert min(counts) > 900
    assert max(counts) < 1100
    assert [Shard(number, 8).holds("box 3/017.tif") for number in range(1, 9)].index(True) == 6
    together = [
        Shard(number, 8).holds(f"a/b{end}") for number in range(1, 9) for end in (".jpg", ".JPG", ".png.tif", "")
    ]
    assert sum(together) == 4
    spelled = [unicodedata.normalize(form, "M\u00fcller/\u00c4rzte 3.jpg") for form in ("NFC", "NFD")]
    assert len({tuple(Shard(number, 8).holds(each) for number in range(1, 9)) for each in spelled}) == 1
    closed = Folder("", [Found("x", "closed/", "closed/", None)])
    assert next(Shard(2, 8).of_folders(iter([closed]))).files != []


def test_the_summary_of_a_share_counts_its_own(bench: Bench) -> None:
    archive(bench)
    found = json.loads(bench.run("--json", "--shard", "2/3", output="two"))
    assert sum(found["counts"].values()) == len(bench.manifest("two"))
