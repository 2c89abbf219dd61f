"""What stands at the name of an output is replaced only where the plan has seen it there."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

pytest.importorskip("s3fs", reason="writes s3://; extra: storage")

from pipeline.archive.claims import Claims
from pipeline.ground.items import Stamp
from tests.conftest import write_archive
from tests.storage.far import IN_BOTH, PLACE, outputs, rows, run
from tests.storage.servers import Bucket, Proxy

PICTURE, OTHER = "box 0/picture 000.jpg", "box 1/picture 001.jpg"
TAKEN = "something that this program did not write has taken its name"


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    write_archive(tmp_path / "scans", 3)
    return tmp_path / "scans"


def hidden(name: str, headers: dict[str, str], body: bytes) -> tuple[dict[str, str], bytes, None]:
    """Leave a file out of a listing of S3 or Google."""
    if body.startswith(b"{"):
        told = json.loads(body)
        told["items"] = [each for each in told.get("items", []) if not each["name"].endswith(name)]
        body = json.dumps(told).encode()
    else:
        spelled = name.replace(" ", "(?:[+ ]|%20)").replace(".", r"\.").encode()
        body = re.sub(rb"<Contents>(?:(?!</Contents>).)*" + spelled + rb".*?</Contents>", b"", body, flags=re.DOTALL)
    kept = {key: value for key, value in headers.items() if key.lower() != "content-length"}
    return kept | {"Content-Length": str(len(body))}, body, None


@IN_BOTH
def test_what_a_stale_listing_does_not_show_stays(
    archive: Path, bucket: Bucket, address: str, line: Proxy, tmp_path: Path, tiny_net: Path
) -> None:
    state = tmp_path / "state"
    bucket.put(f"{PLACE}/{PICTURE}", b"mine")

    def stale(method: str, path: str, headers: dict[str, str], body: bytes) -> tuple[dict[str, str], bytes, int | None]:
        return hidden("picture 000.jpg", headers, body) if re.search(r"[?&]prefix=", path) else (headers, body, None)

    line.deed = stale
    assert run(archive, state, tiny_net, address).exit_code == 3
    assert outputs(bucket)[PICTURE] == b"mine"
    assert rows(bucket)[PICTURE]["reason"] == TAKEN
    bucket.remove(f"{PLACE}/{PICTURE}")
    assert run(archive, state, tiny_net, address).exit_code == 0
    made = outputs(bucket)
    assert run(archive, state, tiny_net, address, saturation=0.5).exit_code == 0
    assert all(outputs(bucket)[place] != made[place] for place in (PICTURE, OTHER)), "one of ours is known as that"


def test_the_journal_keeps_what_was_seen(
    archive: Path, bucket: Bucket, line: Proxy, tmp_path: Path, tiny_net: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = list[tuple[Stamp | None, Stamp | None]]()
    claims = Claims.claims

    def noted(self: Claims, run_id: str) -> object:
        for claim in claims(self, run_id):
            seen.append(claim.stood)
            yield claim

    monkeypatch.setattr(Claims, "claims", noted)
    run(archive, tmp_path / "state", tiny_net)
    nothing, sizes = set(seen), sorted(len(data) for data in outputs(bucket).values())
    seen.clear()
    run(archive, tmp_path / "state", tiny_net, saturation=0.5)
    assert nothing == {(None, None)}
    assert sorted(stamp[0] for stamp, _ in seen if stamp) == sizes
