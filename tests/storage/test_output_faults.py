"""What lines and servers do to an OUTPUT in a storage, and kills at any moment: nothing half, nothing lost."""

from __future__ import annotations

import os
import random
import re
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("s3fs", reason="writes s3://; extra: storage")

from pipeline.archive.state import housed
from pipeline.ground import storages
from pipeline.ground.errors import OutputError
from pipeline.ground.storage import located
from pipeline.ground.uploads import s3
from tests.conftest import ENTRY, environment, landscape, write_archive, write_tiff
from tests.storage import servers, test_run
from tests.storage.far import IN_BOTH, IN_BOTH_SOAKED, PLACE, everything, outputs, rows, run, written
from tests.storage.servers import Bucket, Proxy
from tests.storage.test_output import PICTURE
from tests.storage.test_run import TAG, changed

CHECKSUMS = ("content-md5", "x-amz-checksum-crc32", "x-amz-sdk-checksum-algorithm")  # which not all servers look at


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    write_archive(tmp_path / "scans", 9)
    write_tiff(tmp_path / "scans" / "minutes.tif", landscape(20), landscape(21))
    return tmp_path / "scans"


def is_output(method: str, path: str) -> bool:
    key = written(method, path)
    return key.endswith((".jpg", ".tif")) and ".colorize" not in key and "uploadId" not in path


def now_and_then(fate: str, count: int) -> servers.Fate:
    """Let so many uploads of outputs have this fate, every other one."""
    seen = [0]

    def of(method: str, path: str) -> str:
        seen[0] += is_output(method, path)
        return fate if is_output(method, path) and seen[0] % 2 and seen[0] < 2 * count else ""

    return of


def soaked(*fates: str) -> list[Any]:
    """Leave these to `make soak`: they take seconds each."""
    return [pytest.param(fate, marks=pytest.mark.soak) for fate in fates]


@pytest.mark.parametrize("fate", ["cut", "unheard", *soaked("500 InternalError", "503 SlowDown", "400 BadDigest")])
@IN_BOTH
def test_uploads_that_break_off_are_sent_again(
    fate: str, archive: Path, near: Path, bucket: Bucket, address: str, line: Proxy, tmp_path: Path, tiny_net: Path
) -> None:
    line.fate = now_and_then(fate, 4)
    assert run(archive, tmp_path / "state", tiny_net, address).exit_code == 0
    assert outputs(bucket) == test_run.files(near)


@pytest.mark.soak
@IN_BOTH_SOAKED
def test_answers_that_stall_are_not_waited_for(
    archive: Path, near: Path, bucket: Bucket, address: str, line: Proxy, tmp_path: Path, tiny_net: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(storages, "_PATIENCE", 0.5)
    stalled = list[str]()

    def deed(method: str, path: str, headers: dict[str, str], body: bytes) -> tuple[dict[str, str], bytes, int | None]:
        if is_output(method, path) and len(stalled) < 2:
            stalled.append(path)
            time.sleep(1.5)
        return headers, body, None

    line.deed = deed
    assert run(archive, tmp_path / "state", tiny_net, address).exit_code == 0
    assert len(stalled) == 2
    assert outputs(bucket) == test_run.files(near)


def hurting(times: int) -> servers.Change:
    left = [times]

    def change(path: str, body: bytes) -> bytes:
        if "picture%20000.jpg" in path.replace("+", "%20") and left[0] and body:
            left[0] -= 1
            middle = len(body) // 2
            return body[:middle] + bytes([body[middle] ^ 1]) + body[middle + 1 :]
        return body

    return change


@IN_BOTH_SOAKED
def test_bytes_that_were_changed_on_the_way_are_seen_by_the_tag_and_sent_again(
    archive: Path,
    near: Path,
    bucket: Bucket,
    address: str,
    line: Proxy,
    tmp_path: Path,
    tiny_net: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(bucket, "checks", False, raising=False)
    line.dropped = CHECKSUMS
    line.changed = hurting(1)
    assert run(archive, tmp_path / "state", tiny_net, address).exit_code == 0
    assert outputs(bucket) == test_run.files(near)


@IN_BOTH
def test_what_never_arrives_as_it_was_sent_fails_aloud_and_does_not_stay(
    archive: Path,
    near: Path,
    bucket: Bucket,
    address: str,
    line: Proxy,
    tmp_path: Path,
    tiny_net: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(bucket, "checks", False, raising=False)
    line.dropped = CHECKSUMS
    line.changed = hurting(99)
    assert run(archive, tmp_path / "state", tiny_net, address).exit_code == 3
    assert rows(bucket)[PICTURE]["reason"] == "it does not arrive in the storage as it was sent"
    whole = test_run.files(near)
    del whole[PICTURE]
    assert outputs(bucket) == whole
    line.changed = lambda path, body: body
    assert run(archive, tmp_path / "state", tiny_net, address).exit_code == 0
    assert outputs(bucket) == test_run.files(near)


def test_tags_that_are_no_hashes_cost_a_look(
    archive: Path, near: Path, bucket: Bucket, address: str, line: Proxy, tmp_path: Path, tiny_net: Path
) -> None:
    def encrypted(method: str, path: str, headers: dict[str, str], body: bytes) -> tuple[dict[str, str], bytes, None]:
        return (changed(headers, TAG, b"") if "ETag" in headers or "etag" in headers else headers), body, None

    line.deed = encrypted
    line.dropped = ("if-match",)
    assert run(archive, tmp_path / "state", tiny_net, address).exit_code == 0
    assert outputs(bucket) == test_run.files(near)


@pytest.mark.parametrize("fate", ["403 ExpiredToken", "cut", *soaked("404 NoSuchBucket", "507 InsufficientStorage")])
@IN_BOTH_SOAKED
def test_a_storage_that_is_lost_ends_the_run_and_the_same_command_goes_on(
    fate: str, archive: Path, near: Path, bucket: Bucket, address: str, line: Proxy, tmp_path: Path, tiny_net: Path
) -> None:
    seen = [0]

    def lost(method: str, path: str) -> str:
        seen[0] += is_output(method, path)
        return fate if seen[0] > 4 else ""

    line.fate = lost
    with pytest.raises(OutputError, match=rf"{address} cannot be (written|read): .* What is finished stays") as said:
        run(archive, tmp_path / "state", tiny_net, address)
    assert said.value.exit_code == 5
    assert bucket.secret not in str(said.value)
    before = outputs(bucket)
    assert len(before) == 4
    line.fate = lambda method, path: ""
    summary = run(archive, tmp_path / "state", tiny_net, address)
    assert (summary.exit_code, summary.worked) == (0, 6), "what was finished is known to be"
    assert outputs(bucket) == test_run.files(near)


@pytest.mark.soak
@IN_BOTH_SOAKED
def test_a_storage_that_is_lost_while_the_plan_is_drawn_makes_nothing_anew(
    archive: Path, bucket: Bucket, address: str, line: Proxy, tmp_path: Path, tiny_net: Path
) -> None:
    run(archive, tmp_path / "state", tiny_net, address)
    line.fate = lambda method, path: "cut" if re.search(r"list-type|[?&]prefix=", path) else ""
    with pytest.raises(OutputError, match="cannot be read"):
        run(archive, tmp_path / "state", tiny_net, address, deleted_outputs="rejected")
    line.fate = lambda method, path: ""
    assert run(archive, tmp_path / "state", tiny_net, address, deleted_outputs="rejected").worked == 0
    assert {row["status"] for row in rows(bucket).values()} == {"done"}


@IN_BOTH
def test_a_server_without_conditions_is_said_and_names_are_looked_at_before(
    archive: Path, near: Path, bucket: Bucket, address: str, line: Proxy, tmp_path: Path, tiny_net: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    line.dropped = ("if-none-match", "if-match", "ifgenerationmatch")
    bucket.put(f"{PLACE}/{PICTURE}", b"mine")
    run(archive, tmp_path / "state", tiny_net, address)
    assert "writes over what it is told not to" in capfd.readouterr().err
    assert outputs(bucket) == test_run.files(near) | {PICTURE: b"mine"}


def test_a_server_that_refuses_conditions_is_asked_without(
    archive: Path, near: Path, bucket: Bucket, address: str, line: Proxy, tmp_path: Path, tiny_net: Path
) -> None:
    refused = set[str]()

    def of(method: str, path: str) -> str:
        if method != "PUT" or path in refused:
            refused.discard(path)
            return ""
        refused.add(path)
        return "501 NotImplemented"

    line.fate = of
    assert run(archive, tmp_path / "state", tiny_net, address).exit_code == 0
    assert outputs(bucket) == test_run.files(near)


@pytest.mark.soak
def test_large_outputs_go_up_in_parts_and_unfinished_ones_are_taken_back(
    archive: Path, near: Path, bucket: Bucket, address: str, line: Proxy, tmp_path: Path, tiny_net: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(s3, "_PART", 3000)
    monkeypatch.setattr("moto.s3.models.S3_UPLOAD_PART_MIN_SIZE", 1)
    of_theirs = bucket.client.create_multipart_upload(Bucket="museum", Key=f"{PLACE}/theirs.jpg")["UploadId"]
    line.fate = lambda method, path: "cut" if "uploadId" in path and method in ("POST", "DELETE") else ""
    with pytest.raises(OutputError):
        run(archive, tmp_path / "state", tiny_net, address)
    assert outputs(bucket) == {}
    assert len(bucket.client.list_multipart_uploads(Bucket="museum")["Uploads"]) > 1
    line.fate = lambda method, path: ""
    assert run(archive, tmp_path / "state", tiny_net, address).exit_code == 0
    assert outputs(bucket) == test_run.files(near)
    left = bucket.client.list_multipart_uploads(Bucket="museum")["Uploads"]
    assert [each["Key"] for each in left] == [f"{PLACE}/theirs.jpg"]
    bucket.client.abort_multipart_upload(Bucket="museum", Key=f"{PLACE}/theirs.jpg", UploadId=of_theirs)
    assert run(archive, tmp_path / "state", tiny_net, address).worked == 0


@pytest.mark.soak
@IN_BOTH_SOAKED
def test_kills_at_any_moment_leave_nothing_half_and_the_end_is_the_same(
    archive: Path,
    near: Path,
    bucket: Bucket,
    address: str,
    line: Proxy,
    tmp_path: Path,
    tiny_net: Path,
    user_cache: Path,
) -> None:
    """Every output that is seen at any time is whole; what was made is not taken for somebody's."""
    wanted, moments = test_run.files(near), random.Random(3)
    arguments = ["run", str(archive), "-o", address, "--state", str(tmp_path / "state"), "--model", str(tiny_net)]
    arguments += ["-j", "2", "--no-progress", "--engine", "opencv", "--precision", "float32"]
    given = environment(XDG_CACHE_HOME=str(user_cache), **bucket.access(line.address))
    kills = 0
    for _ in range(4):
        process = subprocess.Popen(
            [*ENTRY, *arguments],
            env=given,
            start_new_session=True,
            stderr=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
        before = sum(is_output(*each) for each in line.asked)
        until = before + moments.randint(2, 4)
        while process.poll() is None and sum(is_output(*each) for each in line.asked) < until:
            time.sleep(0.002)
        time.sleep(moments.random() / 20)
        if process.poll() is not None:
            break
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        kills += 1
        assert outputs(bucket).items() <= wanted.items()
    assert kills > 1
    assert run(archive, tmp_path / "state", tiny_net, address).exit_code == 0
    assert outputs(bucket) == wanted
    assert {row["status"] for row in rows(bucket).values()} == {"done"}


def test_a_full_disk_of_the_state_folder_ends_the_run(
    archive: Path,
    bucket: Bucket,
    address: str,
    line: Proxy,
    tmp_path: Path,
    tiny_net: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pipeline.ground.files.os.fsync", full)
    with pytest.raises(OutputError, match=r"[Nn]o space"):
        run(archive, tmp_path / "state", tiny_net, address)
    assert outputs(bucket) == {}


@pytest.mark.soak
@IN_BOTH_SOAKED
def test_an_output_that_a_dead_run_has_replaced_is_known_as_ours(
    archive: Path,
    bucket: Bucket,
    address: str,
    line: Proxy,
    tmp_path: Path,
    tiny_net: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    state = tmp_path / "state"
    run(archive, state, tiny_net, address)

    class Killed(BaseException): ...

    with monkeypatch.context() as patch:

        def died(*_: object, **__: object) -> None:
            patch.setattr("pipeline.ground.inside.remove_tree", lambda *_: None)
            raise Killed

        patch.setattr("pipeline.run.collect.Collector._receive", died)
        with pytest.raises(Killed):
            run(archive, state, tiny_net, address, saturation=0.5)
    assert run(archive, state, tiny_net, address, saturation=0.5).exit_code == 0
    assert {row["status"] for row in rows(bucket).values()} == {"done"}


@IN_BOTH_SOAKED
def test_keepers_and_manifests_are_no_outputs(
    archive: Path, bucket: Bucket, address: str, line: Proxy, tmp_path: Path, tiny_net: Path
) -> None:
    run(archive, tmp_path / "state", tiny_net, address)
    own = everything(bucket).keys() - outputs(bucket).keys()
    assert own == {".colorize/keeper.json", ".colorize/journal.copy.sqlite", "manifest.csv"}
    assert housed(located(address), tmp_path / "state", known=True) == tmp_path / "state"
