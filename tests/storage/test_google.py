"""What is Google's own: resumable uploads, generations, what is said of objects, what may pass."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("gcsfs", reason="speaks with gs://; extra: gs")

from pipeline.ground import storage, storages, uploads
from pipeline.ground.errors import OutputError
from pipeline.ground.storage import Origin, Taken, located
from pipeline.ground.uploads import gs
from pipeline.run.driver import run_archive
from tests.conftest import landscape, write_archive, write_tiff
from tests.storage import google, servers, test_run
from tests.storage.far import outputs, run, written
from tests.storage.google import Museum
from tests.storage.servers import Proxy, free_port
from tests.storage.test_run import settings

LARGE = bytes(range(256)) * 3000


@pytest.fixture(scope="module")
def server() -> Iterator[Museum]:
    with google.serving() as found:
        yield found


@pytest.fixture
def bucket(server: Museum) -> Museum:
    server.objects.clear()
    server.sessions.clear()
    return server


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    write_archive(tmp_path / "scans", 3)
    write_tiff(tmp_path / "scans" / "minutes.tif", landscape(20), landscape(21))
    return tmp_path / "scans"


@pytest.fixture
def place(address: str) -> Origin:
    found = located(f"{address}/box 1/a film.mkv")
    assert isinstance(found, Origin)
    return found


@pytest.fixture
def in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gs, "_PART", google.GRANULARITY)


def sent(line: Proxy) -> list[str]:
    return [path for method, path in line.asked if method == "PUT"]


def again_and_again(fate: str, line: Proxy) -> None:
    """Let each piece have this fate once, and not the question after it."""

    def of(method: str, path: str) -> str:
        return fate if method == "PUT" and len(sent(line)) % 3 == 1 else ""

    line.fate = of


def carried(place: Origin, data: bytes, over: uploads.Stood | None = None) -> str:
    return uploads.carry(data, place, over, place.parent)


@pytest.mark.parametrize("fate", ["", "cut", "unheard", "503 backendError"])
def test_what_is_large_goes_up_in_pieces_and_on_where_the_line_broke(
    fate: str, bucket: Museum, line: Proxy, place: Origin, in_pieces: None
) -> None:
    again_and_again(fate, line)
    tag = carried(place, LARGE)
    stood = uploads.look(place)
    assert stood is not None
    assert (stood.tag, bucket.get("colour/box 1/a film.mkv")) == (tag, LARGE)
    # After a refusal the server is asked what it has; where the line broke, aiohttp sends a piece once more by itself.
    assert len(sent(line)) == {"": 3, "503 backendError": 9}.get(fate, 5)
    with pytest.raises(Taken):
        carried(place, LARGE)
    line.fate = lambda method, path: ""
    assert carried(place, LARGE[1:], stood) != tag
    with pytest.raises(Taken):
        carried(place, LARGE, stood)
    assert bucket.get("colour/box 1/a film.mkv") == LARGE[1:]


def test_a_large_file_whose_line_is_gone_is_no_object_and_its_session_is_closed(
    bucket: Museum, line: Proxy, place: Origin, in_pieces: None
) -> None:
    line.fate = lambda method, path: "cut" if len(sent(line)) > 2 and method == "PUT" else ""
    with pytest.raises(OSError, match=r"[Dd]isconnected") as said:
        carried(place, LARGE)
    assert "upload_id" not in str(said.value), "who has it can write"
    assert (bucket.keys(""), bucket.sessions) == ([], {})


def test_a_namesake_that_comes_while_a_large_file_goes_up_stays(
    bucket: Museum, line: Proxy, place: Origin, in_pieces: None
) -> None:
    def comes(method: str, path: str) -> str:
        if len(sent(line)) == 2:
            bucket.put("colour/box 1/a film.mkv", b"mine")
        return ""

    line.fate = comes
    with pytest.raises(Taken):
        carried(place, LARGE)
    assert bucket.get("colour/box 1/a film.mkv") == b"mine"


def test_a_large_file_that_is_hurt_on_the_way_does_not_appear(
    bucket: Museum, line: Proxy, place: Origin, in_pieces: None
) -> None:
    line.changed = lambda path, body: body[:9] + b"!" + body[10:] if len(body) > 9000 else body
    with pytest.raises(OSError, match="MD5 hash"):
        carried(place, LARGE)
    assert bucket.keys("") == []


@pytest.mark.soak
def test_runs_bring_large_outputs_in_pieces(
    archive: Path, near: Path, bucket: Museum, address: str, line: Proxy, tmp_path: Path, tiny_net: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(gs, "_PART", 3000)
    monkeypatch.setattr(google, "GRANULARITY", 1)
    line.fate = lambda method, path: "cut" if method in ("PUT", "DELETE") else ""
    with pytest.raises(OutputError):
        run(archive, tmp_path / "state", tiny_net, address)
    assert outputs(bucket) == {}
    again_and_again("unheard", line)
    assert run(archive, tmp_path / "state", tiny_net, address).exit_code == 0
    assert outputs(bucket) == test_run.files(near)


def without_hashes(
    method: str, path: str, headers: dict[str, str], body: bytes
) -> tuple[dict[str, str], bytes, int | None]:
    if not body.startswith(b"{"):
        return headers, body, None
    said = json.loads(body)
    for each in (said, *said.get("items", ())):
        each.pop("md5Hash", None)
    body = json.dumps(said).encode()
    return headers | {"Content-Length": str(len(body))}, body, None


def test_what_a_server_gives_no_hash_of_is_read_back(
    archive: Path, near: Path, bucket: Museum, address: str, line: Proxy, tmp_path: Path, tiny_net: Path
) -> None:
    line.deed = without_hashes
    assert run(archive, tmp_path / "state", tiny_net, address).exit_code == 0
    assert outputs(bucket) == test_run.files(near)
    read = {path for method, path in line.asked if method == "GET" and "alt=media" in path}
    assert len([path for path in read if ".colorize" not in path]) >= len(outputs(bucket))


def test_what_is_said_anew_of_an_object_does_not_make_it_another(
    archive: Path, bucket: Museum, address: str, line: Proxy, tmp_path: Path, tiny_net: Path
) -> None:
    """A rule of the bucket moves objects to a class that costs little to keep and much to read."""
    bucket.fill(archive)
    there, before = located("gs://museum/scans"), located(f"{address}/box 0/picture 000.jpg")
    run_archive([there], tmp_path / "near", settings(tiny_net), quiet=True)
    run(archive, tmp_path / "state", tiny_net, address)
    seen = before.stat().st_mtime_ns
    time.sleep(1.1)  # a time there is one of seconds
    for key in bucket.keys(""):
        bucket.touch(key)
    assert before.stat().st_mtime_ns == seen
    line.asked.clear()
    assert run_archive([there], tmp_path / "near", settings(tiny_net), quiet=True).worked == 0
    assert run(archive, tmp_path / "state", tiny_net, address).worked == 0
    assert [path for _, path in line.asked if "alt=media" in path and "picture" in path] == []


def flipped() -> servers.Deed:
    """Change a byte of each picture when it comes for the first time."""
    hurt = set[str]()

    def deed(method: str, path: str, headers: dict[str, str], body: bytes) -> tuple[dict[str, str], bytes, int | None]:
        if "alt=media" in path and path not in hurt and "Content-Range" not in headers:
            hurt.add(path)
            body = body[:-40] + bytes([body[-40] ^ 1]) + body[-39:]
        return headers, body, None

    return deed


def late() -> servers.Deed:
    """Answer a few times when nobody waits any more."""
    seen = list[str]()

    def deed(method: str, path: str, headers: dict[str, str], body: bytes) -> tuple[dict[str, str], bytes, int | None]:
        seen.append(path)
        time.sleep(0 if len(seen) % 7 or len(seen) > 22 else 0.9)
        return headers, body, None

    return deed


@pytest.mark.parametrize("deed", [test_run.halves(4), flipped(), pytest.param(late(), marks=pytest.mark.soak)])
def test_originals_arrive_whole(
    deed: servers.Deed, archive: Path, near: Path, bucket: Museum, line: Proxy, tmp_path: Path, tiny_net: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    bucket.fill(archive)
    monkeypatch.setattr(storages, "_PATIENCE", 0.6)
    storages.file_system.cache_clear()
    line.deed = deed
    summary = run_archive([located("gs://museum/scans")], tmp_path / "far", settings(tiny_net), quiet=True)
    assert summary.exit_code == 0, test_run.reasons(tmp_path / "far")
    assert test_run.files(tmp_path / "far") == test_run.files(near)


@pytest.mark.soak
def test_a_server_of_another_make_gets_what_a_folder_gets_and_is_known_to_know_no_conditions(
    archive: Path, near: Path, tmp_path: Path, tiny_net: Path, home: Path, capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    emulator = pytest.importorskip("gcp_storage_emulator.server", reason="a server; extra: soak")
    port = free_port()
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", f"http://127.0.0.1:{port}")
    monkeypatch.setattr(gs, "_PART", google.GRANULARITY)
    made = emulator.create_server("127.0.0.1", port, in_memory=True, default_bucket="museum")
    made.start()
    try:
        assert run(archive, tmp_path / "state", tiny_net, "gs://museum/colour").exit_code == 0
        assert "writes over what it is told not to" in capfd.readouterr().err
        fs, place = storages.file_system("gs", "museum"), located("gs://museum/colour/large")
        found = {name: fs.cat_file(f"museum/colour/{name}") for name in test_run.files(near)}
        assert found == test_run.files(near)
        assert isinstance(place, Origin)
        carried(place, LARGE)
        assert place.open().read() == LARGE
    finally:
        made.stop()


def test_a_copy_whose_answer_is_lost_is_known_as_ours(bucket: Museum, line: Proxy, place: Origin) -> None:
    carried(place, b"ours")
    new = place.parent / "harbour.mkv"
    assert isinstance(new, Origin)
    lost = ["unheard"]
    line.fate = lambda method, path: lost.pop() if "rewriteTo" in path and lost else ""
    uploads.rename(place, new)
    assert bucket.keys("") == ["colour/box 1/harbour.mkv"]
    carried(place, b"another")
    with pytest.raises(Taken):
        uploads.rename(place, new)
    assert len(bucket.keys("")) == 2
    with pytest.raises(FileNotFoundError):
        uploads.rename(place.parent / "gone.mkv", new)  # type: ignore[arg-type]


def test_what_was_written_a_moment_ago_is_not_removed(bucket: Museum, line: Proxy, place: Origin) -> None:
    carried(place, b"ours")

    def comes(method: str, path: str) -> str:
        if method == "DELETE":
            bucket.put("colour/box 1/a film.mkv", b"mine")
        return ""

    line.fate = comes
    with pytest.raises(FileNotFoundError, match="something else has taken its name"):
        uploads.remove(place)
    assert bucket.get("colour/box 1/a film.mkv") == b"mine"
    lost = ["unheard"]
    line.fate = lambda method, path: lost.pop() if method == "DELETE" and lost else ""
    uploads.remove(place)
    uploads.remove(place)
    assert bucket.keys("") == []


@pytest.mark.parametrize(
    ("fate", "said"),
    [
        ("401 Anonymous", r"permission denied \(Anonymous"),
        ("403 quotaExceeded", r"permission denied \(quotaExceeded"),
        ("404 notFound", "there is no such bucket or folder"),
    ],
)
def test_what_no_second_try_changes_is_said_at_once(
    fate: str, said: str, archive: Path, bucket: Museum, address: str, line: Proxy, tmp_path: Path, tiny_net: Path
) -> None:
    line.fate = lambda method, path: fate if written(method, path) else ""
    with pytest.raises(OutputError, match=rf"{address} cannot be written: {said}"):
        run(archive, tmp_path / "state", tiny_net, address)
    assert sum(bool(written(*each)) for each in line.asked) == 1


@pytest.mark.parametrize("fate", ["429 rateLimitExceeded", "500 internalError", "502 badGateway", "408 timeout", "cut"])
def test_what_may_pass_is_tried_as_often_as_at_other_storages(
    fate: str, bucket: Museum, line: Proxy, place: Origin
) -> None:
    """Gcsfs tries six times by itself: by ours it would be 24, in more than two minutes."""
    line.fate = lambda method, path: fate
    with pytest.raises(OSError, match=r"."):
        carried(place, b"ours")
    assert len(line.asked) == len(storage._PAUSES) + 1
    line.fate = lambda method, path: fate if len(line.asked) < 5 else ""
    carried(place, b"ours")
    assert bucket.get("colour/box 1/a film.mkv") == b"ours"


def test_an_answer_that_does_not_come_is_not_waited_for(
    bucket: Museum, line: Proxy, place: Origin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storages, "_PATIENCE", 0.3)
    storages.file_system.cache_clear()
    stalled = list[str]()

    def deed(method: str, path: str, headers: dict[str, str], body: bytes) -> tuple[dict[str, str], bytes, int | None]:
        if len(stalled) < 2:
            stalled.append(path)
            time.sleep(0.8)
        return headers, body, None

    line.deed = deed
    assert uploads.look(place) is None
    assert len(stalled) == 2
    stalled.pop()
    with pytest.raises(Taken):  # it arrived, and nobody heard: what stands there is looked at
        carried(place, b"ours")
    assert bucket.get("colour/box 1/a film.mkv") == b"ours"
