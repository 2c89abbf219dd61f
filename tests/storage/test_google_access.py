"""Who gets in at Google's, and what is said to those who do not."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("gcsfs", reason="speaks with gs://; extra: gs")

from pipeline.ground import storages, uploads
from pipeline.ground.errors import SettingsError
from pipeline.ground.storage import Origin, as_fault, located
from tests.storage import google, servers
from tests.storage.conftest import reach


def test_a_token_that_has_run_out_is_said_as_google_says_it() -> None:
    from gcsfs.retry import HttpError
    from google.auth.exceptions import RefreshError

    def refused(retryable: bool) -> OSError:
        try:
            try:
                raise RefreshError("invalid_grant: Token has been expired or revoked.", retryable=retryable)
            except RefreshError as error:
                raise HttpError({"code": 401, "message": "Invalid Credentials"}) from error
        except HttpError as error:
            return as_fault(error)

    assert refused(retryable=False).strerror == (
        "permission denied (invalid_grant: Token has been expired or revoked.)"
    )
    assert not isinstance(refused(retryable=True), PermissionError)


def test_what_is_missing_is_said_with_the_extra_that_brings_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> None:
        raise ImportError(name="gcsfs")

    monkeypatch.setattr(storages, "_google", missing)
    storages.file_system.cache_clear()
    with pytest.raises(SettingsError, match=r"pip install 'colorize-archive\[gs\]' \(gcsfs is missing\)"):
        located("gs://museum/scans").stat()


PROBE = """
from pipeline.ground import storages, uploads
storages.file_system("gs", "museum")
found = storages._google_credentials()
print(type(found).__module__, getattr(found, "service_account_email", found))
"""


def probed(home: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    given = {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}
    return subprocess.run(
        [sys.executable, "-c", PROBE], env={**given, "HOME": str(home), **variables}, capture_output=True, text=True,
        check=False, cwd=Path(__file__).parents[2],
    )  # fmt: skip


@pytest.fixture
def metadata() -> Iterator[str]:
    """What a machine of Google's asks who it is."""

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: Any) -> None: ...

        def do_GET(self) -> None:
            said = {"email": "robot@museum.example", "scopes": [], "access_token": "t", "expires_in": 3600}
            plain = not self.path.rstrip("/").endswith(("recursive=true", "token"))
            body = b"museum" if plain else json.dumps(said).encode()
            self.send_response(200)
            kind = "text/plain" if plain else "application/json"
            for name, value in {"Metadata-Flavor": "Google", "Content-Type": kind, "Content-Length": len(body)}.items():
                self.send_header(name, str(value))
            self.end_headers()
            self.wfile.write(body)

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


@contextmanager
def deaf() -> Iterator[tuple[str, list[object]]]:
    """Where nobody answers, and who asked there."""
    asked = list[object]()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def listen() -> None:
            with suppress(OSError):
                while True:
                    line, _ = server.accept()
                    asked.append(line)
                    line.close()

        threading.Thread(target=listen, daemon=True).start()
        yield f"127.0.0.1:{server.getsockname()[1]}", asked


def test_credentials_are_those_of_the_machine_of_a_file_or_none_and_that_is_known_soon(
    home: Path, metadata: str
) -> None:
    machine = probed(home, GCE_METADATA_HOST=metadata, GCE_METADATA_IP=metadata)
    assert machine.stdout == "google.auth.compute_engine.credentials default\n", machine.stderr
    with deaf() as (nowhere, asked):
        assert probed(home, GCE_METADATA_HOST=nowhere, GCE_METADATA_IP=nowhere).stdout == "builtins anon\n"
    assert len(asked) == 1, "each question is one of seconds where nobody answers"
    (home / "key.json").write_text('{"type": "authorized_user", "client_id": "a"}')
    for name, said in (("key.json", "refresh_token"), ("gone.json", "was not found")):
        refused = probed(home, GOOGLE_APPLICATION_CREDENTIALS=str(home / name))
        assert said in refused.stderr.splitlines()[-1], refused.stderr


def test_a_proxy_of_the_environment_is_taken_unless_that_says_no(monkeypatch: pytest.MonkeyPatch) -> None:
    at = located("gs://museum/a.jpg")
    assert isinstance(at, Origin)
    with google.serving() as museum, servers.proxy(museum.endpoint) as line:
        reach({"STORAGE_EMULATOR_HOST": "http://storage.invalid", "http_proxy": line.address}, monkeypatch)
        monkeypatch.setenv("no_proxy", "example.org")
        uploads.carry(b"ours", at, None, at.parent)
        assert museum.get("a.jpg") == at.open().read() == b"ours"
        assert {path.partition(".invalid/")[0] for _, path in line.asked} == {"http://storage"}
        asked = len(line.asked)
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", museum.endpoint)
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        storages.file_system.cache_clear()
        assert at.open().read() == b"ours"
        assert len(line.asked) == asked
    storages.file_system.cache_clear()


@pytest.mark.parametrize(
    ("variables", "wanted"),
    [
        ({}, ""),
        ({"https_proxy": "http://proxy:3128"}, "http://proxy:3128"),
        ({"HTTPS_PROXY": "proxy:3128"}, "http://proxy:3128"),
        ({"https_proxy": "http://proxy:3128", "no_proxy": "localhost,.googleapis.com"}, ""),
        ({"http_proxy": "http://proxy:3128"}, ""),
    ],
)
def test_which_proxy_that_is(variables: dict[str, str], wanted: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("https_proxy", "http_proxy", "no_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert storages._proxy("https://storage.googleapis.com") == wanted
