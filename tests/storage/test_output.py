"""Runs whose OUTPUT lies in a storage (S3, Google's), beside the same into a folder."""

from __future__ import annotations

import json
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip("s3fs", reason="writes s3://; extra: storage")

from pipeline.archive.prune import prune, reject
from pipeline.archive.recover import recover
from pipeline.archive.state import housed
from pipeline.archive.status import read_status
from pipeline.ground import shelf
from pipeline.ground.errors import LockedError, OutputError, SettingsError
from pipeline.ground.storage import located
from pipeline.run.driver import list_archive, run_archive
from pipeline.run.verify import verify
from tests.conftest import Colorize, landscape, write_archive, write_tiff
from tests.storage import test_run
from tests.storage.far import IN_BOTH, IN_BOTH_SOAKED, PLACE, everything, outputs, plain, rows, run, written
from tests.storage.servers import Bucket, Proxy
from tests.storage.test_run import settings

PICTURE = "box 0/picture 000.jpg"


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """Pictures, a double, one in colour, pages, and what is no picture."""
    folder = tmp_path / "scans"
    write_archive(folder, 5)
    (folder / "double.jpg").write_bytes((folder / PICTURE).read_bytes())
    noise = np.random.default_rng(1).integers(0, 255, (60, 80, 3), np.uint8)
    cv2.imwrite(str(folder / "what? #1 100% ä.png"), cv2.resize(noise, (320, 240), interpolation=cv2.INTER_CUBIC))
    write_tiff(folder / "pages" / "minutes 1931.tif", landscape(20), landscape(21), landscape(22))
    (folder / "notes.txt").write_text("no picture")
    return folder


@IN_BOTH_SOAKED
def test_a_bucket_gets_what_a_folder_gets_byte_for_byte_and_then_nothing_is_to_do(
    archive: Path, near: Path, bucket: Bucket, address: str, tmp_path: Path, tiny_net: Path, colorize: Colorize
) -> None:
    options = ("--model", tiny_net, "--engine", "opencv", "--precision", "float32", "--jobs", 2, "--no-progress")
    access = bucket.access(bucket.endpoint) | {"XDG_STATE_HOME": str(tmp_path / "state")}
    made = colorize("run", archive, "-o", address, *options, **access)
    assert made.returncode == 0, made.stdout + made.stderr
    assert (
        f"What is known of {address} is kept in {tmp_path}/state/colorize/{bucket.scheme}-museum-colour-" in made.stderr
    )
    assert f"Manifest: {address}/manifest.csv" in made.stdout
    assert outputs(bucket) == test_run.files(near)
    assert plain(bucket) == test_run.plain(near)
    again = colorize("run", archive, "-o", address, *options, "--json", **access)
    assert '"worked": 0' in again.stdout, again.stdout
    assert "is kept in" not in again.stderr
    told = colorize("status", address, "--json", **access)
    assert json.loads(told.stdout)["counts"] == {"copied": 1, "done": 7, "unsupported": 1}
    checked = colorize("verify", address, **access)
    assert checked.returncode == 0, checked.stdout
    assert "8 outputs checked, 0 wrong" in checked.stdout
    secret = bucket.secret.encode()
    assert not any(secret in data for data in everything(bucket).values())
    assert not any(secret in path.read_bytes() for path in (tmp_path / "state").rglob("*") if path.is_file())


@IN_BOTH
def test_what_a_person_did_there_stays_and_what_is_gone_is_made_again_or_not(
    archive: Path, bucket: Bucket, address: str, line: Proxy, tmp_path: Path, tiny_net: Path
) -> None:
    state = tmp_path / "state"
    run(archive, state, tiny_net, address)
    before = outputs(bucket)
    bucket.put(f"{PLACE}/{PICTURE}", b"retouched")
    same_size = bytearray(before["box 1/picture 001.jpg"])
    same_size[-40] ^= 1
    bucket.put(f"{PLACE}/box 1/picture 001.jpg", bytes(same_size))
    bucket.remove(f"{PLACE}/box 2/picture 002.jpg")
    bucket.put(f"{PLACE}/box 3/picture 003.jpg", before["box 3/picture 003.jpg"])  # another time, the same bytes
    assert run(archive, state, tiny_net, address).worked == 1
    changed = {PICTURE: b"retouched", "box 1/picture 001.jpg": bytes(same_size)}
    assert outputs(bucket) == before | changed
    assert {key for key, row in rows(bucket).items() if row["status"] == "edited"} == changed.keys()
    bucket.remove(f"{PLACE}/box 2/picture 002.jpg")
    run(archive, state, tiny_net, address, deleted_outputs="rejected")
    assert rows(bucket)["box 2/picture 002.jpg"]["status"] == "rejected"
    run(archive, state, tiny_net, address, replace_edited=True)
    assert outputs(bucket) == {place: data for place, data in before.items() if place != "box 2/picture 002.jpg"}


@pytest.mark.soak
@IN_BOTH_SOAKED
def test_other_settings_replace_what_is_ours_and_what_was_called_otherwise_goes(
    archive: Path, bucket: Bucket, address: str, line: Proxy, tmp_path: Path, tiny_net: Path
) -> None:
    run(archive, tmp_path / "state", tiny_net, address)
    before = outputs(bucket)
    assert run(archive, tmp_path / "state", tiny_net, address, saturation=0.5).worked == 8
    after = outputs(bucket)
    assert after.keys() == before.keys()
    assert after[PICTURE] != before[PICTURE]
    run(archive, tmp_path / "state", tiny_net, address, saturation=0.5, format="png")
    made = {row["output"] for row in rows(bucket).values() if row["output"]}
    assert outputs(bucket).keys() == made
    assert "box 0/picture 000.png" in made


@IN_BOTH
def test_a_renamed_source_takes_its_output_along(
    archive: Path, bucket: Bucket, address: str, line: Proxy, tmp_path: Path, tiny_net: Path
) -> None:
    run(archive, tmp_path / "state", tiny_net, address)
    before = outputs(bucket)
    (archive / "box 4" / "picture 004.jpg").rename(archive / "box 4" / "harbour.jpg")
    run(archive, tmp_path / "state", tiny_net, address)
    before["box 4/harbour.jpg"] = before.pop("box 4/picture 004.jpg")
    assert outputs(bucket) == before
    assert run(archive, tmp_path / "state", tiny_net, address).worked == 0


@IN_BOTH
def test_what_is_not_ours_is_never_written_over(
    archive: Path, bucket: Bucket, address: str, line: Proxy, tmp_path: Path, tiny_net: Path
) -> None:
    bucket.put(f"{PLACE}/{PICTURE}", b"mine")
    late = "box 1/picture 001.jpg"

    def comes_late(method: str, path: str) -> str:
        if written(method, path).endswith("picture 001.jpg"):
            bucket.put(f"{PLACE}/{late}", b"mine, since a moment")
        return ""

    line.fate = comes_late
    run(archive, tmp_path / "state", tiny_net, address)
    found = outputs(bucket)
    assert (found[PICTURE], found[late]) == (b"mine", b"mine, since a moment")
    told = rows(bucket)
    assert told[PICTURE]["reason"].startswith("a file that this program did not write is in the way")
    assert told[late]["reason"] == "something that this program did not write has taken its name"
    assert {told[key]["status"] for key in (PICTURE, late)} == {"failed"}
    line.fate = lambda method, path: ""
    run(archive, tmp_path / "state", tiny_net, address, retry_failed=True)
    assert outputs(bucket) == found, "nor by the next run"


@IN_BOTH
def test_rejected_and_pruned_outputs_go_from_the_storage(
    archive: Path, bucket: Bucket, address: str, line: Proxy, tmp_path: Path, tiny_net: Path
) -> None:
    run(archive, tmp_path / "state", tiny_net, address)
    (archive / "box 1" / "picture 001.jpg").unlink()
    run(archive, tmp_path / "state", tiny_net, address)
    home = housed(located(address), tmp_path / "state", known=True)
    assert reject(home, [located(f"{address}/{PICTURE}"), Path("box 2/picture 002.jpg")]).taken == [
        PICTURE, "box 2/picture 002.jpg",
    ]  # fmt: skip
    assert prune(home).removed == 1
    left = outputs(bucket)
    assert not {PICTURE, "box 1/picture 001.jpg", "box 2/picture 002.jpg"} & left.keys()
    assert len(left) == 5
    assert rows(bucket)[PICTURE]["status"] == "rejected", "the manifest there tells of it"
    assert run(archive, tmp_path / "state", tiny_net, address).worked == 0
    assert all(not finding.problems for finding in verify(home))


@IN_BOTH
def test_a_lost_state_folder_loses_nothing_and_another_machine_is_told_whose_it_is(
    archive: Path, bucket: Bucket, address: str, line: Proxy, tmp_path: Path, tiny_net: Path
) -> None:
    run(archive, tmp_path / "lost", tiny_net, address)
    bucket.put(f"{PLACE}/{PICTURE}", b"retouched")
    before = outputs(bucket)
    with pytest.raises(OutputError, match=rf"kept by the state folder {tmp_path}/lost on .*colorize recover"):
        run(archive, tmp_path / "new", tiny_net, address)
    with pytest.raises(OutputError, match="Nothing is known here"):
        housed(located(address), tmp_path / "new", known=True)
    home = housed(located(address), tmp_path / "new")
    assert recover(home).from_copy == 9
    assert run(archive, tmp_path / "new", tiny_net, address).worked == 0
    assert outputs(bucket) == before
    assert rows(bucket)[PICTURE]["status"] == "edited"
    with pytest.raises(OutputError, match=rf"kept by the state folder {tmp_path}/new"):
        run(archive, tmp_path / "lost", tiny_net, address)
    bucket.remove(f"{PLACE}/.colorize/journal.copy.sqlite")
    assert recover(housed(located(address), tmp_path / "third")).from_manifest == 7, "the manifest alone will do"
    assert run(archive, tmp_path / "third", tiny_net, address).worked == 0
    with pytest.raises(OutputError, match="whole: there is nothing to take back"):
        recover(housed(located(address), tmp_path / "third"))


@IN_BOTH_SOAKED
def test_an_output_that_another_machine_works_on_is_left_to_it(
    archive: Path,
    bucket: Bucket,
    address: str,
    line: Proxy,
    tmp_path: Path,
    tiny_net: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run(archive, tmp_path / "state", tiny_net, address)
    key = f"{PLACE}/.colorize/keeper.json"
    told = json.loads(bucket.get(key)) | {"pid": 7, "host": "attic", "since": "2026-01-02"}
    bucket.put(key, json.dumps(told).encode())
    heard = r"last heard from 20\d\d-\d\d-\d\d \d\d:\d\d UTC, just now"
    with pytest.raises(LockedError, match=rf"process 7 on attic, since 2026-01-02, {heard}\).*--take-over"):
        run(archive, tmp_path / "state", tiny_net, address)
    later = time.time() + 3 * 3600 + 60
    with monkeypatch.context() as patch:
        patch.setattr(time, "time", lambda: later)
        with pytest.raises(LockedError, match="UTC, 3 hours ago"):
            run(archive, tmp_path / "state", tiny_net, address)
    with pytest.raises(LockedError, match="attic"):
        run(archive, tmp_path / "new", tiny_net, address)
    with pytest.raises(LockedError, match="attic"):
        recover(housed(located(address), tmp_path / "new"))
    recover(housed(located(address), tmp_path / "new"), take_over=True)
    assert run(archive, tmp_path / "new", tiny_net, address).worked == 0
    assert json.loads(bucket.get(key))["pid"] == 0
    bucket.put(key, b"{")
    with pytest.raises(OutputError, match="not a file of this program"):
        run(archive, tmp_path / "new", tiny_net, address)


@IN_BOTH_SOAKED
def test_a_bucket_that_is_empty_all_of_a_sudden_is_not_filled_anew(
    archive: Path, bucket: Bucket, address: str, line: Proxy, tmp_path: Path, tiny_net: Path
) -> None:
    run(archive, tmp_path / "state", tiny_net, address)
    for place in everything(bucket):
        bucket.remove(f"{PLACE}/{place}")
    with pytest.raises(OutputError, match="holds nothing of what was written there"):
        run(archive, tmp_path / "state", tiny_net, address)
    assert everything(bucket) == {}


@IN_BOTH_SOAKED
def test_what_cannot_be_is_said_before_anything_is_written(
    archive: Path, bucket: Bucket, address: str, line: Proxy, tmp_path: Path, tiny_net: Path
) -> None:
    state = tmp_path / "state"
    with pytest.raises(OutputError, match=r"//nowhere/colour cannot be written: there is no such bucket"):
        run(archive, tmp_path / "nowhere", tiny_net, f"{bucket.scheme}://nowhere/colour")
    with pytest.raises(SettingsError, match="leave --state out"):
        housed(tmp_path / "colour", state)
    with pytest.raises(SettingsError, match="times of its own"):
        run(archive, state, tiny_net, address, keep_times=True)
    with pytest.raises(SettingsError, match="OUTPUT has to lie on a file system"):
        run(archive, state, tiny_net, address, series="folder")
    home = housed(located(address), state)
    for other in (address, f"{bucket.scheme}://museum", f"{address}/below"):
        with pytest.raises(OutputError, match="lie in one another"):
            run_archive([located(other)], home, settings(tiny_net), quiet=True)
    bucket.put(f"{PLACE}/manifest.csv", b"price;weight\r\n")
    with pytest.raises(OutputError, match="is not a manifest of this program"):
        run(archive, state, tiny_net, address)
    assert everything(bucket).keys() == {"manifest.csv"}


@IN_BOTH_SOAKED
def test_a_state_folder_is_that_of_one_address_and_no_output(
    archive: Path, bucket: Bucket, address: str, line: Proxy, tmp_path: Path, tiny_net: Path, near: Path
) -> None:
    state = tmp_path / "state"
    run(archive, state, tiny_net, address)
    assert read_status(state).counts["done"] == 7
    with pytest.raises(OutputError, match=f"is the state folder of {address}"):
        housed(located(f"{bucket.scheme}://museum/other"), state)
    with pytest.raises(OutputError, match="an OUTPUT of its own"):
        housed(located(address), near)
    shelf.stand(state, None)
    for call in (lambda: run_archive([archive], state, settings(tiny_net), quiet=True), lambda: read_status(state)):
        with pytest.raises(OutputError, match="is the state folder of an OUTPUT in a storage"):
            call()


@IN_BOTH_SOAKED
def test_a_dry_run_writes_nothing(
    archive: Path, bucket: Bucket, address: str, line: Proxy, tmp_path: Path, tiny_net: Path
) -> None:
    home = housed(located(address), tmp_path / "state")
    decided = list(list_archive([archive], home, settings(tiny_net)))
    assert len(decided) == 9
    assert (everything(bucket), home.exists()) == ({}, False)
