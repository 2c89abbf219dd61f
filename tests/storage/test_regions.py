"""Buckets of S3 in another region than is asked: one that is named is followed, else a sentence says what to set."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("s3fs", reason="reads s3://; extra: storage")

from pipeline.ground.errors import OutputError
from pipeline.ground.storage import Origin, located, scan
from tests.conftest import write_archive
from tests.storage.far import outputs, run
from tests.storage.servers import Bucket, Proxy

SAID = (
    r"s3://museum/colour cannot be written: its bucket is {}: set AWS_DEFAULT_REGION, "
    r"and AWS_ENDPOINT_URL where that region has its own\. "
)


@pytest.mark.parametrize(
    ("fate", "named"),
    [
        ("301 PermanentRedirect", "in another region, and the server does not say in which"),
        ("301 PermanentRedirect eu-north-1", "in the region eu-north-1"),
        ("307 TemporaryRedirect eu-north-1", "in the region eu-north-1"),
    ],
)
def test_one_sentence_says_what_to_set(
    fate: str, named: str, bucket: Bucket, line: Proxy, tmp_path: Path, tiny_net: Path
) -> None:
    write_archive(tmp_path / "scans", 1)
    line.fate = lambda method, path: fate
    with pytest.raises(OutputError, match=SAID.format(named)):
        run(tmp_path / "scans", tmp_path / "state", tiny_net)
    assert len(line.asked) < 6, "it is asked once"


def test_a_region_that_is_named_is_followed(bucket: Bucket, line: Proxy, tmp_path: Path, tiny_net: Path) -> None:
    def of_the_north(method: str, path: str) -> str:
        signed = line.given[-1]["authorization"]
        return "" if "/eu-north-1/" in signed else "301 PermanentRedirect eu-north-1"

    line.fate = of_the_north
    write_archive(tmp_path / "scans", 1)
    assert run(tmp_path / "scans", tmp_path / "state", tiny_net).exit_code == 0
    assert len(outputs(bucket)) == 1
    origin = located("s3://museum/colour")
    assert origin.is_dir()
    assert located("s3://museum").is_dir()


def test_a_signature_for_another_region_is_said_where_only_it_can_be_meant(line: Proxy) -> None:
    line.fate = lambda method, path: "400 AuthorizationHeaderMalformed garage"
    with pytest.raises(PermissionError, match="another AWS_DEFAULT_REGION than the bucket's"):
        located("s3://museum/colour/a.jpg").stat()  # all that a HEAD is answered is 400
    with pytest.raises(OSError, match="its bucket is in the region garage: set AWS_DEFAULT_REGION"):
        scan(Origin("s3://museum/colour"))
