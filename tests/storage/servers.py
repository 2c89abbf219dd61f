"""Real servers, started here: S3 (moto), SFTP (OpenSSH), WebDAV (wsgidav); a proxy does what lines do."""

from __future__ import annotations

import getpass
import http.client
import json
import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

KEYS = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "s3cr3t-of-the-test",
    "AWS_DEFAULT_REGION": "us-east-1",
}


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def fill(bucket: Any, folder: Path) -> None:
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            bucket.put(f"scans/{path.relative_to(folder).as_posix()}", path.read_bytes())


class Bucket:
    """A bucket of a server, filled by another way than the program's."""

    scheme = "s3"
    secret = KEYS["AWS_SECRET_ACCESS_KEY"]

    def __init__(self, endpoint: str) -> None:
        import boto3

        self.endpoint = endpoint
        self.client = boto3.client(
            "s3", endpoint_url=endpoint, aws_access_key_id=KEYS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=KEYS["AWS_SECRET_ACCESS_KEY"], region_name=KEYS["AWS_DEFAULT_REGION"],
        )  # fmt: skip
        self.client.create_bucket(Bucket="museum")

    def put(self, key: str, data: bytes) -> None:
        self.client.put_object(Bucket="museum", Key=key, Body=data)

    def fill(self, folder: Path) -> None:
        fill(self, folder)

    def get(self, key: str) -> bytes:
        return bytes(self.client.get_object(Bucket="museum", Key=key)["Body"].read())

    def keys(self, prefix: str) -> list[str]:
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket="museum", Prefix=prefix)
        return [each["Key"] for page in pages for each in page.get("Contents", [])]

    def remove(self, key: str) -> None:
        self.client.delete_object(Bucket="museum", Key=key)

    def access(self, endpoint: str) -> dict[str, str]:
        """Return the variables by which a process gets in."""
        return KEYS | {"AWS_ENDPOINT_URL": endpoint}


@contextmanager
def s3(address: str = "127.0.0.1", port: int = 0) -> Iterator[Bucket]:
    server = pytest.importorskip("moto.server", reason="an S3 server; extra: dev").ThreadedMotoServer(
        ip_address=address, port=port, verbose=False
    )
    server.start()
    try:
        yield Bucket(f"http://127.0.0.1:{server.get_host_and_port()[1]}")
    finally:
        server.stop()


Fate = Callable[[str, str], str]
Change = Callable[[str, bytes], bytes]
# What a proxy does to an answer: gets the request's method and path and the answer's headers and body, and returns
# what is sent instead, and how much of it.
Deed = Callable[[str, str, dict[str, str], bytes], tuple[dict[str, str], bytes, int | None]]


def faithful(method: str, path: str, headers: dict[str, str], body: bytes) -> tuple[dict[str, str], bytes, int | None]:
    return headers, body, None


@dataclass
class Proxy:
    """Stands before a server of S3 or Google's; `deed` may be exchanged at any time.

    Fates: "": it is passed on; "cut": it is not, and the line breaks; "unheard": it is, and the line breaks before the
    answer; a number and a word ("403 AccessDenied"): it is refused with them.
    """

    address: str = ""
    deed: Deed = faithful
    fate: Fate = lambda method, path: ""  # of a request: see above
    changed: Change = lambda path, body: body  # what is passed on of what is sent
    dropped: tuple[str, ...] = ()  # headers and parameters that the server does not understand, in small letters
    asked: list[tuple[str, str]] = field(default_factory=list)
    whole: list[str] = field(default_factory=list)  # paths that were asked for from end to end
    silent: bool = False

    def understood(self, path: str) -> str:
        path, _, query = path.partition("?")
        left = [each for each in query.split("&") if each.partition("=")[0].lower() not in self.dropped]
        return f"{path}?{'&'.join(left)}" if query else path


@contextmanager
def proxy(endpoint: str) -> Iterator[Proxy]:
    made = Proxy()
    host = endpoint.removeprefix("http://")

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: Any) -> None: ...

        def do_GET(self) -> None:
            made.asked.append((self.command, self.path))
            if self.command == "GET" and "Range" not in self.headers:
                made.whole.append(self.path)
            sent_up = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            fate = made.fate(self.command, self.path)
            if made.silent or fate == "cut":
                self._break()
                return
            if fate and fate != "unheard":
                self._refuse(*fate.split())
                return
            line = http.client.HTTPConnection(host, timeout=30)
            # Without If-Match: tags may be the proxy's.
            without = made.dropped + (("if-match",) if self.command in ("GET", "HEAD") else ())
            asked = {name: value for name, value in self.headers.items() if name.lower() not in without}
            line.request(
                self.command, made.understood(self.path), made.changed(self.path, sent_up) or None, headers=asked
            )
            answer = line.getresponse()
            body = answer.read()
            told = {name: value for name, value in answer.getheaders() if name.lower() not in ("connection", "date")}
            line.close()
            if fate == "unheard":
                self._break()
                return
            headers, sent, most = made.deed(self.command, self.path, told, body)
            self.send_response(answer.status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(sent if most is None else sent[:most])
                if most is not None:
                    self.wfile.flush()
                    self.close_connection = True
                    self.connection.shutdown(socket.SHUT_RDWR)

        do_HEAD = do_PUT = do_POST = do_DELETE = do_GET

        def _break(self) -> None:
            self.close_connection = True
            self.connection.close()

        def _refuse(self, status: str, code: str) -> None:
            body = f"<Error><Code>{code}</Code><Message>{code}</Message></Error>".encode()
            if "/storage/v1/" in self.path:
                body = json.dumps({"error": {"code": int(status), "message": code}}).encode()
            self.send_response(int(status))
            self.send_header("Content-Length", str(0 if self.command == "HEAD" else len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    made.address = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield made
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def sftp(home: Path) -> Iterator[str]:
    """An OpenSSH server for this user, whose key and known hosts lie in `home`; gives where it is."""
    daemon, service = shutil.which("sshd", path="/usr/sbin:/usr/bin"), Path("/usr/lib/openssh/sftp-server")
    if daemon is None or not service.exists() or shutil.which("ssh-keygen") is None:
        pytest.skip("needs Debian's openssh-server")
    ssh, port = home / ".ssh", free_port()
    ssh.mkdir(mode=0o700)
    for name in ("host", "id_ed25519"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", ssh / name], check=True)
    (ssh / "authorized_keys").write_bytes((ssh / "id_ed25519.pub").read_bytes())
    (ssh / "known_hosts").write_text(f"[127.0.0.1]:{port} {(ssh / 'host.pub').read_text()}")
    written = ssh / "sshd_config"
    written.write_text(
        f"ListenAddress 127.0.0.1:{port}\nHostKey {ssh}/host\nAuthorizedKeysFile {ssh}/authorized_keys\n"
        f"StrictModes no\nUsePAM no\nPermitRootLogin yes\nPasswordAuthentication no\nPidFile none\n"
        f"Subsystem sftp {service}\n"
    )
    Path("/run/sshd").mkdir(exist_ok=True)  # where its unprivileged half lives
    process = subprocess.Popen([daemon, "-D", "-e", "-f", written], stderr=subprocess.DEVNULL)
    try:
        _wait_for(port, process)
        yield f"{getpass.getuser()}@127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


@contextmanager
def webdav(folder: Path, user: str, password: str, port: int = 0) -> Iterator[str]:
    """A WebDAV server over a folder; gives where it is."""
    pytest.importorskip("wsgidav", reason="a WebDAV server; extra: dev")
    from cheroot.wsgi import Server
    from wsgidav.wsgidav_app import WsgiDAVApp

    known = {user: {"password": password}}
    app = WsgiDAVApp(
        {
            "provider_mapping": {"/": str(folder)}, "simple_dc": {"user_mapping": {"*": known}}, "verbose": 0,
            "http_authenticator": {"accept_basic": True, "accept_digest": False, "default_to_digest": False},
        }
    )  # fmt: skip
    port = port or free_port()
    server = Server(("127.0.0.1", port), app)
    server.prepare()
    thread = threading.Thread(target=server.serve, daemon=True)
    thread.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.stop()
        thread.join()


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    for _ in range(200):
        with socket.socket() as line:
            if line.connect_ex(("127.0.0.1", port)) == 0:
                return
        if process.poll() is not None:
            break
        time.sleep(0.05)
    raise AssertionError(f"no server came up: {process.returncode}, uid {os.getuid()}")
