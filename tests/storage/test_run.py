"""Runs whose INPUT lies in a storage, beside the same from a folder."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("s3fs", reason="reads s3://; extra: storage")

from pipeline.ground import storages
from pipeline.ground.errors import InputError, OutputError
from pipeline.ground.settings import Settings
from pipeline.ground.storage import located
from pipeline.run.driver import list_archive, run_archive
from pipeline.run.summary import Summary
from tests.conftest import Colorize, landscape, manifest, write_archive, write_tiff
from tests.storage import servers
from tests.storage.servers import KEYS, Bucket, Proxy

ADDRESS = "s3://museum/scans"


@pytest.fixture(scope="module")
def bucket() -> Iterator[Bucket]:
    with servers.s3() as found:
        yield found


@pytest.fixture
def archive(tmp_path: Path, bucket: Bucket) -> Iterator[Path]:
    """A folder of pictures and pages, the same in the bucket."""
    folder = tmp_path / "scans"
    write_archive(folder, 9)
    write_tiff(folder / "pages" / "minutes 1931.tif", landscape(20), landscape(21), landscape(22))
    (folder / "notes.txt").write_text("no picture")
    bucket.fill(folder)
    yield folder
    listed = bucket.client.list_objects_v2(Bucket="museum").get("Contents", [])
    for each in listed:
        bucket.remove(each["Key"])


def settings(net: Path, **others: object) -> Settings:
    return Settings(model=str(net), engine="opencv", precision="float32", executor="serial", **others)  # type: ignore[arg-type]


def run(output: Path, net: Path, **others: object) -> Summary:
    return run_archive([located(ADDRESS)], output, settings(net, **others), quiet=True)


def files(output: Path) -> dict[str, bytes]:
    """All that lies in OUTPUT but the program's own."""
    return {
        path.relative_to(output).as_posix(): path.read_bytes()
        for path in output.rglob("*")
        if path.is_file() and not path.relative_to(output).as_posix().startswith((".colorize", "manifest"))
    }


def reasons(output: Path) -> set[str]:
    return {row["reason"] for row in manifest(output).values()}


LOCAL = ("seconds", "finished_at", "run_id")


def plain(output: Path) -> dict[str, dict[str, str]]:
    return {key: {name: row[name] for name in row if name not in LOCAL} for key, row in manifest(output).items()}


def test_a_bucket_gives_what_the_same_folder_gives_byte_for_byte_and_then_nothing_is_to_do(
    archive: Path, bucket: Bucket, tmp_path: Path, tiny_net: Path, colorize: Colorize
) -> None:
    options = ("--model", tiny_net, "--engine", "opencv", "--precision", "float32", "--jobs", 2)
    near = colorize("run", archive, "-o", tmp_path / "near", *options)
    access = KEYS | {"AWS_ENDPOINT_URL": bucket.endpoint}
    far = colorize("run", ADDRESS, "-o", tmp_path / "far", *options, **access)
    assert (near.returncode, far.returncode) == (0, 0), far.stderr
    assert files(tmp_path / "far") == files(tmp_path / "near")
    assert plain(tmp_path / "far") == plain(tmp_path / "near")
    assert list((tmp_path / "far" / ".colorize" / "tmp").iterdir()) == [], "what was fetched goes"
    again = colorize("run", ADDRESS, "-o", tmp_path / "far", *options, "--json", **access)
    assert '"worked": 0' in again.stdout, again.stdout
    verified = colorize("verify", tmp_path / "far", **access)
    assert verified.returncode == 0, verified.stdout + verified.stderr
    for path in (tmp_path / "far").rglob("*"):
        if path.is_file():
            assert KEYS["AWS_SECRET_ACCESS_KEY"].encode() not in path.read_bytes(), path


def test_another_content_of_the_same_size_and_second_is_made_anew_and_what_is_gone_is_said(
    archive: Path, bucket: Bucket, line: Proxy, tmp_path: Path, tiny_net: Path
) -> None:
    output = tmp_path / "colour"
    assert run(output, tiny_net).exit_code == 0
    picture = archive / "box 0" / "picture 000.jpg"
    other = bytearray(picture.read_bytes())
    other[-40] ^= 1  # of the same length, in the same second as far as S3 tells
    bucket.put("scans/box 0/picture 000.jpg", bytes(other))
    bucket.remove("scans/box 1/picture 001.jpg")
    told = {each.found.key: each.why for each in list_archive([located(ADDRESS)], output, settings(tiny_net))}
    assert told["box 0/picture 000.jpg"] == "source changed"
    summary = run(output, tiny_net)
    assert summary.worked == 1
    assert manifest(output)["box 1/picture 001.jpg"]["status"] == "gone"
    assert (output / "box 1" / "picture 001.jpg").exists()


def test_names_that_no_file_can_have_are_said_and_markers_of_folders_are_not(
    archive: Path, bucket: Bucket, line: Proxy, tmp_path: Path, tiny_net: Path
) -> None:
    bucket.put("scans/box 0/", b"")
    bucket.put("scans/box 0//deep.jpg", (archive / "box 0" / "picture 000.jpg").read_bytes())
    bucket.put("scans/../up.jpg", b"x")
    bucket.put("scans/what? #1 100%.jpg", (archive / "box 1" / "picture 001.jpg").read_bytes())
    bucket.put("scans/what? #1 100%.tif", (archive / "pages" / "minutes 1931.tif").read_bytes())
    run(tmp_path / "colour", tiny_net)
    found = manifest(tmp_path / "colour")
    assert "that no file can have" in found["box 0/"]["reason"]
    assert found["/"]["reason"].startswith("1 names")
    assert found["what? #1 100%.jpg"]["status"] == "done"
    assert found["what? #1 100%.tif"]["frames"] == "3"


TAG = '"' + "ab" * 16 + '"'


def changed(headers: dict[str, str], tag: str, body: bytes) -> dict[str, str]:
    new = {"etag": tag, "content-length": str(len(body))} if body else {"etag": tag}
    return {name: new.get(name.lower(), each) for name, each in headers.items()}


def halves(count: int) -> servers.Deed:
    """Break off so many answers in their middle."""
    left = [count]

    def deed(method: str, path: str, headers: dict[str, str], body: bytes) -> tuple[dict[str, str], bytes, int | None]:
        if method == "GET" and ".jpg" in path and left[0]:
            left[0] -= 1
            return headers, body, len(body) // 2
        return headers, body, None

    return deed


def test_answers_that_break_off_are_asked_for_again(archive: Path, line: Proxy, tmp_path: Path, tiny_net: Path) -> None:
    line.deed = halves(4)
    assert run(tmp_path / "far", tiny_net).exit_code == 0, reasons(tmp_path / "far")
    run_archive([archive], tmp_path / "near", settings(tiny_net), quiet=True)
    assert files(tmp_path / "far") == files(tmp_path / "near")


def test_what_comes_in_pieces_is_fetched_once(archive: Path, line: Proxy, tmp_path: Path, tiny_net: Path) -> None:
    run(tmp_path / "colour", tiny_net)
    assert line.whole.count("/museum/scans/pages/minutes%201931.tif") == 1
    assert line.whole.count("/museum/scans/box%200/picture%20000.jpg") == 1


def test_answers_that_stall_are_asked_for_again(
    archive: Path, line: Proxy, tmp_path: Path, tiny_net: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storages, "_PATIENCE", 0.5)
    stalled: list[str] = []

    def deed(method: str, path: str, headers: dict[str, str], body: bytes) -> tuple[dict[str, str], bytes, int | None]:
        if method == "GET" and "picture" in path and len(stalled) < 3:
            stalled.append(path)
            time.sleep(1.5)
        return headers, body, None

    line.deed = deed
    assert run(tmp_path / "far", tiny_net).exit_code == 0, reasons(tmp_path / "far")
    assert len(stalled) == 3


def test_bytes_that_were_changed_on_the_way_are_not_taken(
    archive: Path, line: Proxy, tmp_path: Path, tiny_net: Path
) -> None:
    hurt: list[str] = []

    def deed(method: str, path: str, headers: dict[str, str], body: bytes) -> tuple[dict[str, str], bytes, int | None]:
        if method == "GET" and path.endswith(".jpg") and path not in hurt and len(body) > 4096 // 2:
            hurt.append(path)
            body = body[:-40] + bytes([body[-40] ^ 1]) + body[-39:]
        return headers, body, None

    line.deed = deed
    assert run(tmp_path / "far", tiny_net).exit_code == 0, reasons(tmp_path / "far")
    assert hurt
    run_archive([archive], tmp_path / "near", settings(tiny_net), quiet=True)
    assert files(tmp_path / "far") == files(tmp_path / "near")


def test_tags_that_are_no_hashes_cost_a_second_look_and_tags_that_never_stay_fail_aloud(
    archive: Path, line: Proxy, tmp_path: Path, tiny_net: Path
) -> None:
    def encrypted(method: str, path: str, headers: dict[str, str], body: bytes) -> tuple[dict[str, str], bytes, None]:
        body = re.sub(rb"<ETag>[^<]*</ETag>", b"<ETag>" + TAG.encode() + b"</ETag>", body)
        return changed(headers, TAG, body), body, None

    line.deed = encrypted
    assert run(tmp_path / "far", tiny_net).exit_code == 0, reasons(tmp_path / "far")
    assert {row["status"] for row in manifest(tmp_path / "far").values()} == {"done", "unsupported"}

    def restless(method: str, path: str, headers: dict[str, str], body: bytes) -> tuple[dict[str, str], bytes, None]:
        return changed(headers, f'"{os.urandom(16).hex()}"', body), body, None

    line.deed = restless
    with pytest.raises(InputError, match="failed by a fault of the system"):
        run(tmp_path / "other", tiny_net)
    told = {row["reason"] for row in manifest(tmp_path / "other").values() if row["status"] == "failed"}
    assert told == {"reading failed: it was changed while it was fetched, or does not arrive whole"}
    assert files(tmp_path / "other") == {}


def test_a_server_that_goes_ends_the_run_and_the_next_one_goes_on(
    archive: Path, line: Proxy, tmp_path: Path, tiny_net: Path
) -> None:
    output = tmp_path / "colour"

    def gone(method: str, path: str, headers: dict[str, str], body: bytes) -> tuple[dict[str, str], bytes, int | None]:
        line.silent = sum(each.endswith(".jpg") for each in line.whole) > 4
        return headers, body, None

    line.deed = gone
    with pytest.raises(InputError, match="is gone, or empty all of a sudden"):
        run(output, tiny_net)
    before = files(output)
    assert 0 < len(before) < 10
    line.silent, line.deed = False, servers.faithful
    assert run(output, tiny_net).exit_code == 0
    assert len(files(output)) == 10
    assert before.items() <= files(output).items()


def test_an_output_that_was_filled_from_an_address_takes_what_fits_it(
    archive: Path, line: Proxy, tmp_path: Path, tiny_net: Path
) -> None:
    run(tmp_path / "colour", tiny_net)
    with pytest.raises(OutputError, match=f"filled from {ADDRESS}; {ADDRESS}/box 0 is a part of {ADDRESS}: its"):
        run_archive([located(f"{ADDRESS}/box 0")], tmp_path / "colour", settings(tiny_net), quiet=True)
    one, box = located(f"{ADDRESS}/box 0/picture 000.jpg"), located(f"{ADDRESS}/box 0")
    run_archive([one], tmp_path / "one", settings(tiny_net), quiet=True)
    assert run_archive([box], tmp_path / "one", settings(tiny_net), quiet=True).worked == 1, "as of a folder"
    line.silent = True  # what has nothing to do with a storage that is lost does not ask it
    assert run_archive([archive], tmp_path / "one", settings(tiny_net), quiet=True).exit_code == 0
