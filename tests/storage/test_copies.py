"""Outputs in S3 that follow their renamed sources: small ones by one copy, large ones by parts, under conditions."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("s3fs", reason="writes s3://; extra: storage")

from pipeline.ground import uploads
from pipeline.ground.storage import Origin, Taken, located
from pipeline.ground.uploads import s3
from tests.conftest import write_archive
from tests.storage.far import ADDRESS, PLACE, outputs, run
from tests.storage.servers import Bucket, Proxy

FILM = bytes(range(256)) * 40  # 10,240 bytes
large = pytest.mark.parametrize("limit", [1 << 30, 1000], ids=["one copy", "parts"])


@pytest.fixture
def film(bucket: Bucket, line: Proxy, limit: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Origin, Origin]]:
    """A film that stands in the bucket, and where it is to go."""
    monkeypatch.setattr(s3, "_COPIED", limit)
    monkeypatch.setattr(s3, "_COPIED_PART", 3000)
    monkeypatch.setattr("moto.s3.models.S3_UPLOAD_PART_MIN_SIZE", 1)
    about = {"ContentType": "video/x-matroska", "Metadata": {"shelf": "7"}}
    bucket.client.put_object(Bucket="museum", Key=f"{PLACE}/old.mkv", Body=FILM, **about)
    old, new = located(f"{ADDRESS}/old.mkv"), located(f"{ADDRESS}/below/new.mkv")
    assert isinstance(old, Origin)
    assert isinstance(new, Origin)
    yield old, new
    for _, abort in uploads.abandoned(located(ADDRESS)):
        abort()


def unfinished(bucket: Bucket) -> list[str]:
    return [each["Key"] for each in bucket.client.list_multipart_uploads(Bucket="museum").get("Uploads", [])]


@large
def test_it_goes_there_as_it_is_under_conditions(
    film: tuple[Origin, Origin], bucket: Bucket, line: Proxy, limit: int
) -> None:
    tag = bucket.client.head_object(Bucket="museum", Key=f"{PLACE}/old.mkv")["ETag"]
    uploads.rename(*film)
    assert outputs(bucket) == {"below/new.mkv": FILM}
    told = bucket.client.head_object(Bucket="museum", Key=f"{PLACE}/below/new.mkv")
    assert (told["ContentType"], told["Metadata"]) == ("video/x-matroska", {"shelf": "7"})
    asked = list(zip(line.asked, line.given, strict=True))
    copies = [given for _, given in asked if "x-amz-copy-source" in given]
    assert len(copies) == (4 if limit == 1000 else 1)
    assert {given["x-amz-copy-source-if-match"] for given in copies} == {tag}
    last = next(given for (method, path), given in reversed(asked) if method in ("PUT", "POST"))
    assert last["if-none-match"] == "*"
    assert [given["if-match"] for (method, _), given in asked if method == "DELETE"] == [tag]
    assert unfinished(bucket) == []


@large
@pytest.mark.parametrize("fate", ["unheard", "cut", "500 InternalError"])
def test_a_line_that_breaks_costs_nothing(
    film: tuple[Origin, Origin], bucket: Bucket, line: Proxy, fate: str, limit: int
) -> None:
    met = set[tuple[str, str]]()

    def once(method: str, path: str) -> str:
        if (method, path) in met:
            return ""
        met.add((method, path))
        return fate if method in ("PUT", "POST", "DELETE") else ""

    line.fate = once
    uploads.rename(*film)
    assert outputs(bucket) == {"below/new.mkv": FILM}


@large
def test_a_name_that_was_taken_meanwhile_is_left_alone(
    film: tuple[Origin, Origin], bucket: Bucket, line: Proxy, limit: int
) -> None:
    def comes_late(method: str, path: str) -> str:
        if method != ("POST" if limit == 1000 else "PUT") or path.endswith("?uploads"):
            return ""
        bucket.put(f"{PLACE}/below/new.mkv", b"mine" * 2560)  # as large
        return "412 PreconditionFailed"  # what the test's server does not say of copies itself

    line.fate = comes_late
    with pytest.raises(Taken):
        uploads.rename(*film)
    assert outputs(bucket) == {"below/new.mkv": b"mine" * 2560, "old.mkv": FILM}
    assert unfinished(bucket) == []


@large
def test_what_somebody_writes_at_the_old_name_meanwhile_stays(
    film: tuple[Origin, Origin], bucket: Bucket, line: Proxy, limit: int
) -> None:
    def comes_late(method: str, path: str) -> str:
        if method == "DELETE":
            bucket.put(f"{PLACE}/old.mkv", b"mine")
        return ""

    line.fate = comes_late
    uploads.rename(*film)
    assert outputs(bucket) == {"below/new.mkv": FILM, "old.mkv": b"mine"}


@pytest.mark.parametrize("limit", [1000])
def test_one_that_cannot_be_copied_stays_where_it_is(film: tuple[Origin, Origin], bucket: Bucket, line: Proxy) -> None:
    line.fate = lambda method, path: "cut" if "partNumber=3" in path else ""
    with pytest.raises(OSError, match=r"closed|onnect"):
        uploads.rename(*film)
    assert outputs(bucket) == {"old.mkv": FILM}
    assert unfinished(bucket) == []


def test_parts_are_as_large_as_their_number_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    assert s3._in_as_many(1 << 40) * s3._MOST_PARTS >= 1 << 40
    assert s3._in_as_many(s3._PART) < s3._PART


def test_a_run_lets_what_is_large_follow_its_source(
    bucket: Bucket, line: Proxy, tmp_path: Path, tiny_net: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(s3, "_COPIED", 1000)
    monkeypatch.setattr(s3, "_COPIED_PART", 1500)
    monkeypatch.setattr("moto.s3.models.S3_UPLOAD_PART_MIN_SIZE", 1)
    write_archive(tmp_path / "scans", 2)
    run(tmp_path / "scans", tmp_path / "state", tiny_net)
    before = outputs(bucket)
    (tmp_path / "scans" / "box 0" / "picture 000.jpg").rename(tmp_path / "scans" / "box 0" / "harbour.jpg")
    assert run(tmp_path / "scans", tmp_path / "state", tiny_net).worked == 0
    before["box 0/harbour.jpg"] = before.pop("box 0/picture 000.jpg")
    assert outputs(bucket) == before
    assert any("partNumber=2" in path for _, path in line.asked)
    assert run(tmp_path / "scans", tmp_path / "state", tiny_net).worked == 0
