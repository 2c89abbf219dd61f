"""What a storage says for good is said at once: no second try, no pause."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

pytest.importorskip("s3fs", reason="speaks with s3://; extra: storage")

from pipeline.ground import storages, uploads
from pipeline.ground.errors import OutputError
from pipeline.ground.storage import Origin, located
from tests.conftest import write_archive
from tests.storage import google, servers
from tests.storage.conftest import reach
from tests.storage.far import IN_BOTH, run
from tests.storage.servers import Bucket, Proxy


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(seconds: float) -> None:
        raise AssertionError("it is tried once more")

    monkeypatch.setattr("pipeline.ground.storage.time", SimpleNamespace(sleep=never))


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    write_archive(tmp_path / "scans", 1)
    return tmp_path / "scans"


@pytest.mark.parametrize("name", ["nowhere", "Not_a_bucket", "x..y"])
@IN_BOTH
def test_a_bucket_that_is_not_there(
    name: str, archive: Path, bucket: Bucket, line: Proxy, tmp_path: Path, tiny_net: Path
) -> None:
    with pytest.raises(OutputError, match=rf"{name}/colour cannot be written: there is no such bucket or folder\. "):
        run(archive, tmp_path / "state", tiny_net, f"{bucket.scheme}://{name}/colour")
    assert not located(f"{bucket.scheme}://{name}/scans").exists()


@pytest.mark.parametrize("verb", ["PUT", "GET", "HEAD"])
@pytest.mark.parametrize("code", ["AccessDenied", "AllAccessDisabled", "QuotaOfTheHouse"])
def test_what_s3_forbids(verb: str, code: str, archive: Path, line: Proxy, tmp_path: Path, tiny_net: Path) -> None:
    line.fate = lambda method, path: f"403 {code}" if method == verb else ""
    known = r"( \(QuotaOfTheHouse\))?" if verb != "HEAD" else ""
    with pytest.raises(OutputError, match=rf"cannot be written: permission denied{known}\. "):
        run(archive, tmp_path / "state", tiny_net)


@pytest.mark.parametrize("verb", ["POST", "GET"])
@pytest.mark.parametrize("server", ["gs"], indirect=True)
def test_what_google_forbids(
    verb: str, archive: Path, address: str, line: Proxy, tmp_path: Path, tiny_net: Path
) -> None:
    line.fate = lambda method, path: "403 forbidden" if method == verb else ""
    with pytest.raises(OutputError, match=r"cannot be written: permission denied \(forbidden\)"):
        run(archive, tmp_path / "state", tiny_net, address)


def test_a_host_that_nobody_knows_and_a_file_in_the_way_of_a_folder(home: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"mine")
    with servers.sftp(home) as where:
        at, tmp = located(f"sftp://{where}{tmp_path}/file/a.jpg"), located(f"sftp://{where}{tmp_path}/tmp")
        assert isinstance(at, Origin)
        assert isinstance(tmp, Origin)
        with pytest.raises(NotADirectoryError, match="a file is in the way"):
            uploads.carry(b"ours", at, None, tmp)
        (home / ".ssh" / "known_hosts").write_text("")
        storages.file_system.cache_clear()
        with pytest.raises(PermissionError, match="known_hosts does not have this server"):
            at.entry()


def test_what_is_no_storage_of_googles(monkeypatch: pytest.MonkeyPatch) -> None:
    with google.serving() as museum, servers.proxy(museum.endpoint) as line:
        reach(museum.access(line.address), monkeypatch)
        monkeypatch.setattr("pipeline.ground.storage._PAUSES", ())
        line.deed = lambda method, path, headers, body: (headers | {"Content-Length": "2"}, b"{}", None)
        at = located("gs://museum/colour/a.jpg")
        museum.put("colour/a.jpg", b"ours")
        assert isinstance(at, Origin)
        with pytest.raises(OSError, match="what answers there does not speak as Google's storage does"):
            uploads.look(at)
    storages.file_system.cache_clear()
