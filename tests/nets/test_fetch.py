import errno
import hashlib
import http.server
import socket
import time

import pytest
from filelock import FileLock

from pipeline.ground.errors import LockedError, ModelError, OutputError
from pipeline.nets.store import fetch as room
from pipeline.nets.store.fetch import fetch, verify
from pipeline.nets.store.registry import load_registry

CONTENT = bytes(range(256)) * 4096  # 1 MiB
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Server(http.server.BaseHTTPRequestHandler):
    """A server whose paths misbehave, each in its own way; `asked` remembers what it was asked for."""

    asked: list[tuple[str, str]]

    def log_message(self, *_):
        pass

    def do_GET(self):
        begin = self.headers.get("Range", "")
        path = self.path.partition("?")[0]
        self.asked.append((path, begin))
        getattr(self, f"get_{path.rpartition('/')[2].partition('.')[0]}")(
            int(begin.removeprefix("bytes=").rstrip("-")) if begin else 0
        )

    def answer(self, content, *, status=200, length=None, kind="application/octet-stream", **headers):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        if length != -1:
            self.send_header("Content-Length", str(len(content) if length is None else length))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        try:
            self.wfile.write(content)
        except OSError:
            self.close_connection = True

    def get_good(self, offset):
        if not offset:
            self.answer(CONTENT)
        elif offset >= len(CONTENT):
            self.answer(b"", status=416)
        else:
            span = f"bytes {offset}-{len(CONTENT) - 1}/{len(CONTENT)}"
            self.answer(CONTENT[offset:], status=206, Content_Range=span)

    def get_plain(self, _):  # knows no ranges, tells no length
        self.answer(CONTENT, length=-1)

    def get_breaking(self, offset):  # 300,000 bytes at a time
        piece = CONTENT[offset : offset + 300_000]
        span = f"bytes {offset}-{len(CONTENT) - 1}/{len(CONTENT)}"
        self.answer(piece, length=len(CONTENT) - offset, status=206 if offset else 200, Content_Range=span)
        self.close_connection = True

    def get_breaking_other(self, offset):  # breaks off, and what it sends is another file
        span = f"bytes {offset}-{len(CONTENT) - 1}/{len(CONTENT)}"
        piece, status = b"x" * 300_000, 206 if offset else 200
        self.answer(piece[: len(CONTENT) - offset], length=len(CONTENT) - offset, status=status, Content_Range=span)
        self.close_connection = True

    def get_dead(self, _):  # breaks off before the first byte
        self.answer(b"", length=len(CONTENT))

    def get_shorter(self, _):
        self.answer(CONTENT[:1000])

    def get_longer(self, _):  # more than the model has, unannounced
        self.answer(CONTENT + b"more", length=-1)

    def get_other(self, _):  # the right size, other bytes
        self.answer(CONTENT[::-1])

    def get_html(self, _):
        self.answer(b"<!DOCTYPE html><html>quota exceeded</html>", kind="text/html")

    def get_pointer(self, _):
        self.answer(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n", length=-1)

    def get_page(self, _):  # a page of exactly the model's size
        self.answer((b"<html>" + b" " * len(CONTENT))[: len(CONTENT)])

    def get_moved(self, _):
        self.answer(b"", status=302, Location="/good")

    def get_gone(self, _):
        self.answer(b"", status=404)

    def get_silent(self, _):
        self.answer(CONTENT[:1000], length=len(CONTENT))
        self.rfile.read(1)  # until it is given up

    def get_trickle(self, _):
        self.answer(b"", length=len(CONTENT))
        for place in range(4000):
            try:
                self.wfile.write(CONTENT[place : place + 1])
                time.sleep(0.05)
            except OSError:
                return


@pytest.fixture
def site(serve):
    handler = type("Own", (Server,), {"asked": []})
    handler.address = serve(handler)
    return handler


@pytest.fixture
def registry(site, tmp_path):
    """Make a registry of one model whose one file has the given mirrors on the local server."""

    def make(*mirrors: str, size: int | None = len(CONTENT)):
        (tmp_path / "registry").mkdir(exist_ok=True)
        path = tmp_path / "registry" / f"{len(list((tmp_path / 'registry').iterdir()))}.toml"
        addresses = ", ".join(f'"{each if "://" in each else f"{site.address}/{each}"}"' for each in mirrors)
        path.write_text(
            "[models.tiny]\ntitle = 'Tiny'\nlicence = 'MIT'\ncitation = 'x'\ninput_size = 64\n"
            f"[[models.tiny.files]]\nname = 'tiny.onnx'\nsha256 = '{SHA256}'\nmirrors = [{addresses}]\n"
            + (f"bytes = {size}\n" if size else "")
        )
        return load_registry(path)

    return make


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "models"


def leftovers(folder):
    return sorted(each.name for each in folder.iterdir() if not each.name.startswith("."))


@pytest.mark.parametrize("mirror", ["good", "plain", "moved", "breaking"])
@pytest.mark.parametrize("size", [len(CONTENT), None])
def test_a_model_arrives_whole(registry, folder, mirror, size):
    told = []
    (path,) = fetch("tiny", models_dir=folder, registry=registry(mirror, size=size), progress=lambda *x: told.append(x))
    assert path.read_bytes() == CONTENT
    assert leftovers(folder) == ["tiny.onnx"]
    assert told[-1][:2] == ("tiny.onnx", len(CONTENT))
    assert [each[1] for each in told] == sorted(each[1] for each in told)


def test_what_is_here_is_not_fetched_again(registry, folder, site):
    fetch("tiny", models_dir=folder, registry=registry("good"))
    fetch("tiny", models_dir=folder, registry=registry("good"))
    assert len(site.asked) == 1


def test_a_damaged_file_is_fetched_anew(registry, folder):
    folder.mkdir()
    (folder / "tiny.onnx").write_bytes(b"<html>")
    (path,) = fetch("tiny", models_dir=folder, registry=registry("good"))
    assert path.read_bytes() == CONTENT


def test_a_broken_connection_is_taken_up_where_it_broke(registry, folder, site):
    fetch("tiny", models_dir=folder, registry=registry("breaking"))
    assert [begin for _, begin in site.asked] == ["", "bytes=300000-", "bytes=600000-", "bytes=900000-"]


def test_a_later_run_goes_on_with_what_is_there(registry, folder, site):
    folder.mkdir()
    (folder / "tiny.onnx.part").write_bytes(CONTENT[:700_000])
    (path,) = fetch("tiny", models_dir=folder, registry=registry("good"))
    assert path.read_bytes() == CONTENT
    assert site.asked == [("/good", "bytes=700000-")]


def test_a_whole_part_needs_no_server(registry, folder, site):
    folder.mkdir()
    (folder / "tiny.onnx.part").write_bytes(CONTENT)
    fetch("tiny", models_dir=folder, registry=registry("good"))
    assert site.asked == []


@pytest.mark.parametrize("size", [len(CONTENT), None])
@pytest.mark.parametrize("left", [b"x" * 5000, b"x" * len(CONTENT), b"x" * (len(CONTENT) + 5)])
def test_a_part_of_another_file_is_thrown_away(registry, folder, left, size):
    folder.mkdir()
    (folder / "tiny.onnx.part").write_bytes(left)
    (path,) = fetch("tiny", models_dir=folder, registry=registry("good", size=size))
    assert path.read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("mirror", "says"),
    [
        ("gone", "404"),
        ("html", "a page of HTML"),
        ("page", "a page of HTML"),
        ("pointer", "Git-LFS pointer"),
        ("shorter", "1,000 bytes where the model has 1,048,576"),
        ("longer", "more than"),
        ("other", "sha256 does not match"),
        ("breaking_other", "sha256 does not match"),
        ("dead", "broke off"),
    ],
)
def test_a_bad_mirror_gives_its_reason_and_the_next_one_is_tried(registry, folder, mirror, says):
    with pytest.raises(ModelError, match=says) as caught:
        fetch("tiny", models_dir=folder, registry=registry(mirror))
    assert "--from FOLDER" in str(caught.value)
    assert caught.value.exit_code == 4
    assert not (folder / "tiny.onnx").exists()
    (path,) = fetch("tiny", models_dir=folder, registry=registry(mirror, "good"))
    assert path.read_bytes() == CONTENT


@pytest.mark.parametrize("mirror", ["html", "pointer", "page", "other"])
def test_impostors_are_found_out_where_nobody_knows_the_size(registry, folder, mirror):
    with pytest.raises(ModelError, match=r"HTML|Git-LFS|does not match"):
        fetch("tiny", models_dir=folder, registry=registry(mirror, size=None))
    assert not (folder / "tiny.onnx").exists()


def test_all_reasons_are_told(registry, folder):
    with pytest.raises(ModelError) as caught:
        fetch("tiny", models_dir=folder, registry=registry("gone", "html"))
    assert "/gone: it answers 404" in str(caught.value)
    assert "/html: it " in str(caught.value)


def test_a_server_that_is_not_there(registry, folder):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(ModelError, match="cannot be reached"):
        fetch("tiny", models_dir=folder, registry=registry(f"http://127.0.0.1:{port}/x"))


def test_a_silent_server_is_given_up(registry, folder, monkeypatch):
    monkeypatch.setattr(room, "_SILENCE", 0.3)
    with pytest.raises(ModelError, match="sent nothing"):
        fetch("tiny", models_dir=folder, registry=registry("silent"))


def test_a_server_that_only_trickles_is_given_up(registry, folder, monkeypatch):
    monkeypatch.setattr(room, "_WINDOW", 0.3)
    with pytest.raises(ModelError, match="too slow"):
        fetch("tiny", models_dir=folder, registry=registry("trickle"))


def test_the_proxy_of_the_environment_is_asked(registry, folder, site, monkeypatch):
    monkeypatch.setenv("http_proxy", site.address)
    monkeypatch.setenv("no_proxy", "")
    fetch("tiny", models_dir=folder, registry=registry("http://models.invalid/good"))
    assert site.asked == [("http://models.invalid/good", "")]


def test_from_a_folder_without_internet(registry, folder, tmp_path, site):
    source = tmp_path / "stick"
    source.mkdir()
    with pytest.raises(ModelError, match="is not there"):
        fetch("tiny", models_dir=folder, from_folder=source, registry=registry("good"))
    (source / "tiny.onnx").write_bytes(CONTENT[:-1])
    with pytest.raises(ModelError, match="1,048,575 bytes"):
        fetch("tiny", models_dir=folder, from_folder=source, registry=registry("good"))
    (source / "tiny.onnx").write_bytes(CONTENT)
    (path,) = fetch("tiny", models_dir=folder, from_folder=source, registry=registry("good"))
    assert path.read_bytes() == CONTENT
    assert site.asked == []


def test_a_full_disk_is_said_and_nothing_bears_the_name(registry, folder, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(room.os, "fsync", full)
    with pytest.raises(OutputError, match="is full") as caught:
        fetch("tiny", models_dir=folder, registry=registry("good"))
    assert caught.value.exit_code == 5
    assert not (folder / "tiny.onnx").exists()


def test_a_folder_that_cannot_be_made(registry, tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutputError, match="cannot be written"):
        fetch("tiny", models_dir=tmp_path / "file" / "models", registry=registry("good"))


def test_two_fetches_do_not_meet(registry, folder):
    folder.mkdir()
    with FileLock(folder / ".fetch.lock"), pytest.raises(LockedError):
        fetch("tiny", models_dir=folder, registry=registry("good"))


def test_the_embedded_net_needs_no_fetching(tmp_path):
    (path,) = fetch("embedded", models_dir=tmp_path / "models")
    assert path.name == "embedded-v4.onnx"
    assert not (tmp_path / "models").exists()


def test_verify_tells_whole_damaged_and_missing_apart(registry, folder):
    tiny = registry("good")
    assert [each.state for each in verify("tiny", models_dir=folder, registry=tiny)] == ["missing"]
    fetch("tiny", models_dir=folder, registry=tiny)
    assert [each.state for each in verify("all", models_dir=folder, registry=tiny)] == ["ok"]
    (folder / "tiny.onnx").write_bytes(CONTENT[:-1] + b"!")
    (found,) = verify("tiny", models_dir=folder, registry=tiny)
    assert found.state == "damaged"
    assert "does not match its checksum" in found.detail
    with pytest.raises(ModelError, match="no model"):
        verify("nobody", models_dir=folder, registry=tiny)


def test_verify_knows_every_file_of_the_registry(tmp_path):
    found = verify("all", models_dir=tmp_path)
    assert {each.state for each in found if each.model == "embedded-v4"} == {"ok"}
    assert len([each for each in found if each.model == "zhang2016"]) == 3
