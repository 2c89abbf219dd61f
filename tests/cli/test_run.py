"""`colorize run` from end to end: every field of the manifest is what it says, every option has its effect."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import fields
from datetime import UTC, datetime

import cv2
import numpy as np
import pytest

from pipeline.archive.database import journal_path
from pipeline.archive.journal import Journal
from pipeline.archive.row import HEADERS
from pipeline.cli.run import command
from pipeline.ground.errors import InputError, OutputError, SettingsError
from pipeline.ground.settings import Settings
from tests.cli import making, telling
from tests.cli.bench import SEPIA, Bench, bench
from tests.conftest import ENTRY, environment, in_colour, landscape, sha256, write_tiff
from tests.film import effects
from tests.photo import effects as signs

__all__ = ["bench"]


def test_every_field_of_the_manifest(bench: Bench) -> None:
    began = datetime.now(UTC)
    bench.photograph("box/grey.png")
    bench.photograph("box/sepia.png", SEPIA)
    bench.photograph("box/deep.tif", landscape(2).astype(np.uint16) * 257)
    bench.photograph("box/parrot.png", in_colour(60, 90))
    write_tiff(bench.scans / "letter.tif", *[landscape(seed, 40, 50) for seed in range(3)])
    bench.photograph("torn.png")
    whole = (bench.scans / "torn.png").read_bytes()
    (bench.scans / "torn.png").write_bytes(whole[: len(whole) // 2])
    (bench.scans / "notes.txt").write_text("notes")
    bench.photograph("private/1.png")
    bench.run("--exclude", "private")
    found = bench.manifest()
    ran = {"model": "tiny", "engine": "opencv/float32"}
    photo = {"kind": "photo", "width": "80", "height": "60", "bits": "8", "frames": "", "metadata": ""}
    nothing = dict.fromkeys(HEADERS, "")
    neutral = {"verdict": "neutral", "chroma": "0.00", "status": "done", "reason": ""}
    expected = {
        "box/deep.tif": photo | ran | neutral | {"output": "box/deep.tif", "bits": "16", "metadata": ""},
        "box/grey.png": photo | ran | neutral | {"output": "box/grey.png"},
        "box/parrot.png": photo
        | {"output": "box/parrot.png", "status": "copied", "reason": "already in colour", "verdict": "color"}
        | {"width": "90", "model": "", "engine": ""},
        "box/sepia.png": photo | ran | neutral | {"output": "box/sepia.png", "verdict": "toned"},
        "letter.tif": photo
        | ran
        | neutral
        | {"output": "letter.tif", "kind": "pages", "width": "50", "height": "40", "frames": "3"}
        | {"metadata": ""},
        "notes.txt": nothing | {"status": "unsupported", "reason": "not a picture or film"},
        "private/1.png": nothing | {"status": "skipped", "reason": "excluded by --exclude"},
        "torn.png": nothing
        | {"kind": "photo", "status": "failed", "reason": "truncated: the file ends before the picture does"},
    }
    assert list(found) == sorted(expected)
    with Journal(bench.colour, read_only=True) as journal:
        run = journal.last_run()
    assert run is not None
    for key, wanted in expected.items():
        row = dict(found[key])
        assert list(row) == list(HEADERS)
        assert row["doubt"].isdigit() == (row["status"] == "done")
        assert row.pop("source") == key
        finished = datetime.fromisoformat(row.pop("finished_at"))
        assert began.timestamp() - 0.001 <= finished.timestamp() <= datetime.now(UTC).timestamp()
        assert finished.utcoffset() == datetime.now(UTC).utcoffset()
        assert row.pop("run_id") == run.run_id
        source_hash, output_hash = row.pop("source_sha256"), row.pop("output_sha256")
        seconds, chroma = row.pop("seconds"), row.pop("chroma")
        if wanted["status"] in ("done", "copied"):
            assert source_hash == sha256(bench.scans / key)
            assert output_hash == sha256(bench.colour / row["output"])
            assert 0 < float(seconds) < 60
        else:
            assert (source_hash, output_hash) == ("", "")
            assert seconds == "" or wanted["status"] == "failed"
        if "chroma" in wanted and wanted["verdict"] != "toned":
            assert chroma == wanted["chroma"]
        elif wanted["status"] in ("done", "copied"):
            assert 5 < float(chroma) < 100
            assert chroma == f"{float(chroma):.2f}"
        timed = ("source", "finished_at", "run_id", "source_sha256", "output_sha256", "seconds", "chroma", "doubt")
        row.pop("doubt")
        assert row == {name: value for name, value in wanted.items() if name not in timed}, key


# One function an option: it fails where the option does nothing.


def inputs(bench: Bench) -> None:
    bench.photograph("a/1.png")
    bench.photograph("b/2.png")
    more = bench.folder / "more"
    (bench.scans / "b").rename(more)
    bench.run(more)
    assert set(bench.statuses()) == {"scans/a/1.png", "more/2.png"}


def output(bench: Bench) -> None:
    bench.photograph()
    bench.run(output="somewhere else")
    assert (bench.folder / "somewhere else" / "1.png").exists()


def dry_run(bench: Bench) -> None:
    bench.photograph()
    printed = bench.run("--dry-run")
    assert "todo   1.png -> 1.png (new)" in printed
    assert "1 of 1 files to do; nothing was written." in printed
    assert not bench.colour.exists()


def no_progress(bench: Bench) -> None:
    bench.photograph()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(sys.stderr), "isatty", lambda self: True)
        bench.run(output="shown")
        assert "1/1" in bench.said
        bench.run("--no-progress", output="not shown")
        assert "1/1" not in bench.said


def as_json(bench: Bench) -> None:
    bench.photograph()
    found = json.loads(bench.run("--json"))
    assert found["counts"] == {"done": 1}
    assert found["output"] == str(bench.colour)
    listed = json.loads(bench.run("--json", "--dry-run").splitlines()[0])
    assert (listed["key"], listed["action"], listed["why"]) == ("1.png", "done", "done before")


def quiet(bench: Bench) -> None:
    bench.photograph()
    assert "1 done" in bench.run()
    (bench.scans / "torn.jpg").write_bytes(b"\xff\xd8\xff")
    assert bench.run("--quiet") == ""
    assert "torn.jpg" in bench.said


def verbose(bench: Bench) -> None:
    call = [*ENTRY, "run", "nowhere", "-o", "colour", "-v"]  # without -v there is none: see test_main
    ended = subprocess.run(call, env=environment(), cwd=bench.folder, capture_output=True, text=True, check=False)
    assert ended.returncode == 5
    assert "Traceback" in ended.stderr


def config(bench: Bench) -> None:
    bench.photograph()
    (bench.folder / "mine.toml").write_text('format = "png"')
    bench.run("--config", bench.folder / "mine.toml")
    assert bench.manifest()["1.png"]["output"] == "1.png"


def assignments(bench: Bench) -> None:
    bench.photograph()
    bench.run("--set", "format=png", "--set", "saturation=0")
    assert np.ptp(bench.made("1.png").astype(int), axis=2).max() <= 1


def jobs(bench: Bench) -> None:
    for number in range(4):
        bench.photograph(f"{number}.png")
    summary = json.loads(bench.run("--json", "--executor", "loky", "--jobs", "1"))
    assert (summary["jobs"], summary["counts"]) == (1, {"done": 4})
    for number in range(4):
        (bench.colour / f"{number}.png").unlink()
    assert json.loads(bench.run("--json", "--executor", "loky", "-j", "2"))["jobs"] == 2


def executor(bench: Bench) -> None:
    bench.photograph()
    assert json.loads(bench.run("--json", "--executor", "serial"))["jobs"] == 0
    (bench.colour / "1.png").unlink()
    assert json.loads(bench.run("--json", "--executor", "loky"))["jobs"] == 1


def cluster(bench: Bench) -> None:
    bench.photograph()
    with pytest.raises(SettingsError, match="it goes with --executor dask or ray"):
        bench.run("--cluster", "tcp://127.0.0.1:1")


def series(bench: Bench) -> None:
    for name in ("box/1.png", "box/2.png"):
        bench.photograph(name)
    bench.colour.mkdir(exist_ok=True)
    (bench.colour / "hints.toml").write_text('["box/1.png"]\ndecision = "approved"\n')
    assert bench.worked() == 2
    assert bench.worked("--series", "folder") == 1, "the approved one steers the other"


def item_timeout(bench: Bench) -> None:
    bench.photograph()
    bench.run("--item-timeout", "600")
    with Journal(bench.colour, read_only=True) as journal:
        run = journal.last_run()
    assert run is not None
    assert run.settings["item_timeout"] == 600  # what it does: tests/run/test_executors.py
    with pytest.raises(SettingsError, match="must lie between"):
        bench.run("--item-timeout", "0")


def shard(bench: Bench) -> None:
    for number in range(6):
        bench.photograph(f"{number}.png", landscape(number))
    bench.run("--shard", "1/2")
    mine = set(bench.statuses())
    assert 0 < len(mine) < 6
    with pytest.raises(OutputError, match="was filled by share 1/2: give share 2/2 an OUTPUT of its own"):
        bench.run("--shard", "2/2")
    for wrong in ("0/2", "3/2", "1", "a/b"):
        with pytest.raises(SettingsError, match="the number of a share"):
            bench.run("--shard", wrong)
    bench.run()
    assert set(bench.statuses()) == {f"{number}.png" for number in range(6)}
    found = bench.manifest()
    assert {key for key, row in found.items() if row["run_id"] == found[min(mine)]["run_id"]} == mine


def exclude(bench: Bench) -> None:
    for name in ("1.png", "private/2.png", "3.tif"):
        bench.photograph(name)
    bench.run("--exclude", "private", "--exclude", "*.tif")
    assert bench.statuses() == {"1.png": "done", "private/2.png": "skipped", "3.tif": "skipped"}


def follow_symlinks(bench: Bench) -> None:
    away = bench.photograph("1.png").rename(bench.folder / "away.png")
    (bench.scans / "link.png").symlink_to(away)
    bench.run()
    assert bench.statuses() == {"link.png": "unsupported"}
    bench.run("--follow-symlinks")
    assert bench.statuses() == {"link.png": "done"}


def max_megapixels(bench: Bench) -> None:
    bench.photograph()
    bench.run("--max-megapixels", "0.004")
    assert "80 x 60 is 0.0048 megapixels" in bench.manifest()["1.png"]["reason"]
    assert bench.worked("--max-megapixels", "0.005") == 1


def max_memory(bench: Bench) -> None:
    bench.photograph()
    bench.run("--max-memory", "100")  # less than a worker takes
    assert bench.statuses() == {"1.png": "failed"}
    assert bench.worked("--max-memory", "4000") == 1


def verify(bench: Bench) -> None:
    path = bench.photograph("1.bmp")
    bench.run()
    before = path.stat()
    path.write_bytes(path.read_bytes()[:-1] + b"\x07")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert bench.worked() == 0
    assert bench.worked("--verify") == 1
    assert bench.worked("--verify") == 0


def on_damage(bench: Bench) -> None:
    path = bench.scans / "1.jpg"
    path.parent.mkdir(parents=True)
    data = bytearray(cv2.imencode(".jpg", landscape(1))[1].tobytes())
    data[-700:-500] = bytes(200)
    path.write_bytes(data)
    bench.run()
    assert bench.statuses() == {"1.jpg": "failed"}
    assert "damaged inside: " in bench.manifest()["1.jpg"]["reason"]
    assert "--on-damage done" in bench.manifest()["1.jpg"]["reason"]
    bench.run("--on-damage", "done", "--retry-failed")
    assert bench.statuses() == {"1.jpg": "done"}
    assert bench.manifest()["1.jpg"]["reason"].startswith("damaged inside: ")


def retry_failed(bench: Bench) -> None:
    path = bench.photograph()
    path.write_bytes(path.read_bytes()[:200])
    assert [bench.worked(*flags) for flags in ((), (), ("--retry-failed",))] == [1, 0, 1]


def replace_edited(bench: Bench) -> None:
    bench.photograph()
    bench.run()
    (bench.colour / "1.png").write_bytes(b"retouched for hours")
    assert "1 edited" in bench.run("--quality", "60", "--saturation", "0.5")
    assert (bench.colour / "1.png").read_bytes() == b"retouched for hours"
    assert bench.statuses() == {"1.png": "edited"}
    assert bench.worked("--replace-edited") == 1
    assert bench.statuses() == {"1.png": "done"}


def deleted_outputs(bench: Bench) -> None:
    bench.photograph()
    for value, status in (("rejected", "rejected"), ("redo", "rejected")):
        bench.run()
        (bench.colour / "1.png").unlink(missing_ok=True)
        assert bench.worked("--deleted-outputs", value) == 0
        assert bench.statuses() == {"1.png": status}
        assert not (bench.colour / "1.png").exists()


def state(bench: Bench) -> None:
    with pytest.raises(SettingsError, match="leave --state out"):  # in a storage: tests/storage/test_output.py
        bench.run("--state", bench.folder / "state")


def accept_gone(bench: Bench) -> None:
    path = bench.photograph()
    bench.run()
    path.unlink()
    with pytest.raises(InputError, match="is a disk not mounted"):
        bench.run()
    bench.run("--accept-gone")
    assert bench.statuses() == {"1.png": "gone"}
    assert (bench.colour / "1.png").exists()


def strict(bench: Bench) -> None:
    path = bench.photograph()
    path.write_bytes(path.read_bytes()[:200])

    def code(*arguments: object) -> int:
        return int(json.loads(bench.run("--json", *arguments))["exit_code"])

    assert [code(*flags) for flags in ((), (), ("--strict",), ("--retry-failed",), ())] == [3, 0, 3, 3, 0]
    assert "None of that is new" in bench.run()
    other = bench.photograph("2.png")
    other.write_bytes(other.read_bytes()[:200])
    assert [code(), code()] == [3, 0]


def manifest_bom(bench: Bench) -> None:
    bench.photograph()
    for flags, begins in (((), b"source"), (("--manifest-bom",), b"\xef\xbb\xbfsource"), ((), b"source")):
        bench.run(*flags)
        assert (bench.colour / "manifest.csv").read_bytes().startswith(begins)


EFFECTS = {
    each.__name__: each
    for each in (
        inputs, output, dry_run, no_progress, as_json, quiet, verbose, config, assignments, making.model,
        making.prototxt, making.points, making.models_dir, making.engine, making.precision, making.format,
        making.quality, making.lightness, making.chroma_sampling, making.jpeg_scans, making.layout, making.provenance,
        making.keep_times, making.pages, making.saturation, making.palette, series, making.on_color, jobs, executor,
        cluster, item_timeout, exclude, shard, follow_symlinks, max_megapixels, verify, retry_failed, replace_edited,
        deleted_outputs, state, accept_gone, effects.encoder, effects.film_quality, effects.preset, effects.container,
        effects.width, effects.steady, effects.keyframes, making.on_color_list, on_damage, effects.deinterlace,
        signs.caption, signs.caption_font, signs.certificate, signs.certificate_key, strict, manifest_bom,
        telling.progress, telling.log_file, telling.log_format, telling.on_finish, telling.metrics, max_memory,
    )
}  # fmt: skip


@pytest.mark.parametrize("name", EFFECTS)
def test_every_option_has_its_effect(bench: Bench, name: str) -> None:
    EFFECTS[name](bench)


def test_no_option_is_left_out() -> None:
    assert {each.name for each in command.params} == set(EFFECTS)
    assert {each.name for each in fields(Settings)} <= set(EFFECTS)


def test_the_settings_of_a_run_are_in_the_journal(bench: Bench) -> None:
    bench.photograph()
    bench.run("--quality", "60", "--exclude", "*.tmp")
    with Journal(bench.colour, read_only=True) as journal:
        run = journal.last_run()
    assert run is not None
    assert set(run.settings) == {each.name for each in fields(Settings)}
    assert (run.settings["quality"], run.settings["exclude"], run.settings["engine"]) == (60, ["*.tmp"], "opencv")
    assert (run.planned, run.exit_code) == (1, 0)
    assert run.finished_at > run.started_at
    assert journal_path(bench.colour).exists()
