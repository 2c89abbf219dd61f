"""A bucket, a line to it that can be disturbed, and what a folder would have got."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.ground import shelf, storage, storages
from pipeline.run.driver import run_archive
from tests.storage import google, servers
from tests.storage.far import PLACE
from tests.storage.servers import Bucket, Proxy
from tests.storage.test_run import settings


@pytest.fixture(scope="module")
def server(request: pytest.FixtureRequest) -> Iterator[Bucket]:
    """A bucket of S3, or of Google's where a test asks for that."""
    with google.serving() if getattr(request, "param", "s3") == "gs" else servers.s3() as found:
        yield found


@pytest.fixture
def bucket(server: Bucket) -> Iterator[Bucket]:
    yield server
    for key in server.keys(""):
        server.remove(key)


@pytest.fixture
def address(bucket: Bucket) -> str:
    """OUTPUT in that bucket."""
    return f"{bucket.scheme}://museum/{PLACE}"


@pytest.fixture
def line(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    """A line to the bucket that can be disturbed; this process takes it."""
    with servers.proxy(bucket.endpoint) as found:
        reach(bucket.access(found.address), monkeypatch)
        yield found
    storages.file_system.cache_clear()


@pytest.fixture
def reached(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """This process takes the bucket as it is."""
    reach(bucket.access(bucket.endpoint), monkeypatch)
    yield
    storages.file_system.cache_clear()


def reach(access: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (access | {"AWS_MAX_ATTEMPTS": "1"}).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(storage, "_PAUSES", (0.01, 0.01))
    monkeypatch.setattr("s3fs.S3FileSystem.retries", 1)
    storages.file_system.cache_clear()


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A home folder of the test's own."""
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    for name in ("SSH_AUTH_SOCK", "NETRC"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(storage, "_PAUSES", (0.01,))
    storages.file_system.cache_clear()
    yield folder
    storages.file_system.cache_clear()


@pytest.fixture
def near(archive: Path, tmp_path: Path, tiny_net: Path) -> Path:
    """The same archive, coloured into a folder."""
    run_archive([archive], tmp_path / "near", settings(tiny_net), quiet=True)
    return tmp_path / "near"


@pytest.fixture(autouse=True)
def nothing_stands_elsewhere() -> Iterator[None]:
    yield
    shelf._shelves.clear()
