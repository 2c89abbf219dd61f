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

from pipeline.ground import storages
from pipeline.ground.errors import SettingsError
from pipeline.ground.storage import as_fault, located


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
from pipeline.ground import storages
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
