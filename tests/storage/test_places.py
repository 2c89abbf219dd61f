"""Storages other than S3, addresses, and what is said where something does not work."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import pytest

pytest.importorskip("fsspec", reason="reads storages; extra: storage")

from pipeline.archive.discover import LINK_THERE
from pipeline.ground import storage, storages
from pipeline.ground.addresses import is_address
from pipeline.ground.errors import InputError, OutputError, SettingsError, of_the_machine
from pipeline.ground.files import lost_folder, sha256, words
from pipeline.ground.settings import Settings
from pipeline.ground.storage import Origin, as_fault, located, scan
from pipeline.ground.storages import information
from pipeline.run.driver import run_archive
from tests.conftest import Colorize, landscape, manifest, write_archive, write_tiff
from tests.storage import servers
from tests.storage.test_run import files, plain, settings


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    write_archive(tmp_path / "scans", 4)
    write_tiff(tmp_path / "scans" / "minutes.tif", landscape(20), landscape(21))
    return tmp_path / "scans"


def alike(archive: Path, address: str, output: Path, net: Path) -> None:
    """Run over a folder and over the same in a storage, twice."""
    run_archive([archive], output / "near", settings(net), quiet=True)
    far = run_archive([located(address)], output / "far", settings(net), quiet=True)
    assert far.exit_code == 0, manifest(output / "far")
    assert files(output / "far") == files(output / "near")
    assert plain(output / "far") == plain(output / "near")
    assert run_archive([located(address)], output / "far", settings(net), quiet=True).worked == 0


def test_sftp_gives_what_the_folder_gives(archive: Path, home: Path, tmp_path: Path, tiny_net: Path) -> None:
    with servers.sftp(home) as where:
        alike(archive, f"sftp://{where}{archive}", tmp_path, tiny_net)
        (archive / "link.jpg").symlink_to(archive / "box 0" / "picture 000.jpg")
        (archive / "loop").symlink_to(archive)
        run_archive([located(f"sftp://{where}{archive}")], tmp_path / "far", settings(tiny_net), quiet=True)
    assert {manifest(tmp_path / "far")[each]["reason"] for each in ("link.jpg", "loop")} == {LINK_THERE}


def test_an_sftp_server_whose_key_is_not_known_is_not_believed(archive: Path, home: Path) -> None:
    with servers.sftp(home) as where:
        (home / ".ssh" / "known_hosts").write_text("")
        with pytest.raises(OSError, match="known_hosts does not have this server"):
            located(f"sftp://{where}{archive}").stat()


def test_an_sftp_server_that_is_begun_again_is_connected_again(archive: Path, home: Path) -> None:
    with servers.sftp(home) as where:
        found = located(f"sftp://{where}{archive}")
        assert found.is_dir()
        storages.file_system("sftp", where).client.close()  # as a line that breaks
        assert found.is_dir()
        assert sha256(found / "minutes.tif") == sha256(archive / "minutes.tif")


def test_webdav_gives_what_the_folder_gives_by_the_password_of_netrc(
    archive: Path, home: Path, tmp_path: Path, tiny_net: Path
) -> None:
    with servers.webdav(archive.parent, "archivist", "b0x-of-glass") as where:
        with pytest.raises(OSError, match=r"401|Unauthorized|ermission"):
            located(f"webdav://{where}/scans").stat()
        (home / ".netrc").write_text("machine 127.0.0.1 login archivist password b0x-of-glass\n")
        (home / ".netrc").chmod(0o600)
        storages.file_system.cache_clear()
        alike(archive, f"webdav://{where}/scans", tmp_path, tiny_net)
    for path in (tmp_path / "far").rglob("*"):
        assert not path.is_file() or b"b0x-of-glass" not in path.read_bytes()


@pytest.mark.parametrize(
    ("address", "word"),
    [
        ("s3://key:secret@bucket/scans", "holds a password"),
        ("s3://key@bucket/scans", "holds a password"),
        ("sftp://me:secret@host/scans", "holds a password"),
        ("webdav://me:secret@host/scans", "holds a password"),
        ("s3://bucket/scans?X-Amz-Signature=secret", "holds a password"),
        ("ftp://host/scans", r"can be read at s3://"),
        ("s3:///scans", "names no host or bucket"),
        ("s3:/bucket/scans", "two slashes behind its colon"),
        ("SFTP:/host/scans", "two slashes behind its colon"),
        ("s3://bucket/a//b", "single slashes"),
        ("sftp://host/srv/../home", r"without \. or \.\."),
    ],
)
def test_addresses_that_would_be_written_down_with_a_secret_are_refused(address: str, word: str) -> None:
    with pytest.raises(SettingsError, match=word) as said:
        located(address)
    assert "secret" not in str(said.value)


def test_an_origin_is_a_path() -> None:
    origin = located("s3://bucket/scans")
    assert isinstance(origin, Origin)
    below = origin / "box 1" / "a.tif"
    assert (str(below), below.name, below.suffix) == ("s3://bucket/scans/box 1/a.tif", "a.tif", ".tif")
    assert below.inner == "bucket/scans/box 1/a.tif"
    assert (type(below.parent), str(below.parent.parent)) == (Origin, str(origin))
    assert pickle.loads(pickle.dumps(below)) == below
    assert os.fspath(below) == str(below)
    assert (below.absolute(), below.resolve(), below.is_absolute()) == (below, below, True)
    assert located("S3://bucket/scans/") == origin
    assert str(located("s3://bucket/what? #1.jpg")) == "s3://bucket/what? #1.jpg"
    assert located("sftp://host//srv/scans").inner == "/srv/scans"
    assert located("sftp://me@host:22/srv/scans").inner == "/srv/scans"
    assert located("webdav://host/dav/scans").inner == "dav/scans"
    assert not isinstance(located("/srv/scans"), Origin)
    assert not is_address(str(Path("s3://bucket")))
    assert not lost_folder(below)


def test_a_second_of_two_contents_is_two_times_and_listings_agree_with_answers() -> None:
    listed = information({"size": 3, "LastModified": "2026-01-02T03:04:05.678Z", "ETag": '"abc"'})
    asked = information({"size": 3, "LastModified": "Fri, 02 Jan 2026 03:04:05 GMT", "ETag": '"abc"'})
    other = information({"size": 3, "LastModified": "2026-01-02T03:04:05Z", "ETag": '"abd"'})
    assert listed == asked
    assert listed[1] // 10**9 == other[1] // 10**9 == 1767323045
    assert listed[1] != other[1]
    assert information({"size": 1, "mtime": 5.9}) == (1, 5 * 10**9, "")
    assert information({"size": None, "etag": 'W/"x"', "modified": None})[0] == 0
    assert information({"size": 1, "ETag": f'"{"0a" * 16}"'})[2] == "0a" * 16
    assert information({"size": 1, "ETag": f'"{"0a" * 16}-3"'})[2] == "", "of several parts: no hash of the whole"


def test_what_a_library_says_is_told_without_what_is_secret() -> None:
    fault = as_fault(RuntimeError("GET https://me:secret@host/a?X-Amz-Signature=secret failed"))
    assert "secret" not in str(fault)
    assert fault.strerror == "GET https://host/a failed (RuntimeError)"
    for name, word in (
        ("NoCredentialsError", "no credentials were found"),
        ("BadHostKeyException", "another key than"),
    ):
        refused = as_fault(type(name, (Exception,), {})())
        assert isinstance(refused, PermissionError)
        assert word in str(refused)
    assert "a token that has run out" in str(as_fault(OSError(22, "Bad Request")))
    fault = as_fault(type("SSHException", (Exception,), {"__module__": "paramiko"})("Server 'NAS' not found"))
    assert words(fault) == "server 'NAS' not found"
    assert isinstance(as_fault(FileNotFoundError("x")), FileNotFoundError)
    for error in (OSError(None, "Unable to connect to port 22"), OSError(110, "Unable to connect to port 22")):
        assert as_fault(error).strerror == "Unable to connect to port 22"
    assert as_fault(RuntimeError("[Errno -2] Name not known")).strerror == "Name not known (RuntimeError)"


def test_two_things_of_one_name_are_one_and_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    told = [
        {"name": "bucket/scans/a", "type": "file", "size": 3},
        {"name": "bucket/scans/a", "type": "directory"},
        {"name": "bucket/scans/..", "type": "directory"},
        {"name": "bucket/scans/", "type": "file", "size": 0},
        {"name": "bucket/scans/b.jpg", "type": "file", "size": 5},
    ]
    monkeypatch.setattr(storage, "tried", lambda origin, call: told)
    entries, odd = scan(Origin("s3://bucket/scans"))
    assert [(each.name, each.folder, each.path) for each in entries] == [
        ("a", True, "s3://bucket/scans/a"),
        ("b.jpg", False, "s3://bucket/scans/b.jpg"),
    ]
    assert odd == 2


def test_what_takes_no_address_says_so(archive: Path, tmp_path: Path, colorize: Colorize) -> None:
    for command in (("original", "s3://bucket/a.jpg", "-o", "a.jpg"), ("image", "s3://bucket/a.jpg")):
        said = colorize(*command)
        assert said.returncode == 2
        assert "nothing else can be one" in " ".join(said.stderr.split()), said.stderr
    with pytest.raises(OutputError, match="nothing else can be one"):
        run_archive([archive], located("s3://bucket/colour"), Settings(), quiet=True)
    assert not Path("s3:").exists()


def test_an_input_that_cannot_be_reached_is_said_before_anything_is_written(
    home: Path, tmp_path: Path, tiny_net: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for scheme, word in (("webdav", "connection refused"), ("sftp", "unable to connect to port")):
        address = f"{scheme}://127.0.0.1:{servers.free_port()}/scans"
        with pytest.raises(InputError, match=rf"^{address} cannot be read: {word}[^\[]*$"):
            run_archive([located(address)], tmp_path / "colour", settings(tiny_net), quiet=True)
        assert not (tmp_path / "colour").exists()
    with pytest.raises(OSError, match="Unable to connect to port") as said:
        located(address).is_dir()
    assert str(of_the_machine(said.value)).startswith(f"{address}: unable to connect"), "wherever it is met"

    def missing(scheme: str, host: str) -> None:
        raise ImportError(name="s3fs")

    monkeypatch.setattr(storages, "_s3", lambda: missing("s3", "bucket"))
    with pytest.raises(SettingsError, match=r"pip install 'colorize-archive\[storage\]'"):
        located("s3://bucket/scans").stat()


@pytest.mark.soak
def test_google_s_storage_gives_what_the_folder_gives(
    archive: Path, home: Path, tmp_path: Path, tiny_net: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("gcsfs", reason="reads gs://; extra: soak")
    emulator = pytest.importorskip("gcp_storage_emulator.server", reason="a server; extra: soak")
    port = servers.free_port()
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", f"http://127.0.0.1:{port}")
    server = emulator.create_server("127.0.0.1", port, in_memory=True, default_bucket="museum")
    server.start()
    try:
        fs = storages.file_system("gs", "museum")
        for path in archive.rglob("*"):
            if path.is_file():
                fs.pipe_file(f"museum/scans/{path.relative_to(archive).as_posix()}", path.read_bytes())
        alike(archive, "gs://museum/scans", tmp_path, tiny_net)
    finally:
        server.stop()
