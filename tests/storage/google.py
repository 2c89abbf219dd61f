"""A server that speaks Google Cloud Storage's JSON API as its reference says it, with generations and conditions.

Google's own can't be asked here; what is known of it stands in the reference of its API: objects appear whole, a new
one has a new generation, and `ifGenerationMatch` is looked at before anything is written (0: nothing may be there).
"""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from email.parser import BytesParser
from email.policy import HTTP
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from tests.storage import servers

GRANULARITY = 256 << 10  # bytes of which the pieces of a resumable upload are multiples, but for the last


class Refused(Exception):
    """An answer that says no."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        self.status, self.reason, self.message = status, reason, message


GONE = Refused(404, "notFound", "No such object")
CONDITION = Refused(412, "conditionNotMet", "At least one of the pre-conditions you specified did not hold.")


@dataclass(frozen=True)
class Held:
    """An object as it was written; another content is another one."""

    bucket: str
    name: str
    data: bytes
    kind: str
    generation: int
    created: datetime
    updated: datetime

    @property
    def resource(self) -> dict[str, Any]:
        import google_crc32c

        written = {"timeCreated": self.created, "updated": self.updated}
        return {
            "kind": "storage#object", "bucket": self.bucket, "name": self.name, "contentType": self.kind,
            "id": f"{self.bucket}/{self.name}/{self.generation}", "storageClass": "STANDARD", "metageneration": "1",
            "size": str(len(self.data)), "generation": str(self.generation), "etag": f"C{self.generation}=",
            "md5Hash": base64.b64encode(hashlib.md5(self.data).digest()).decode(),
            "crc32c": base64.b64encode(google_crc32c.value(self.data).to_bytes(4, "big")).decode(),
        } | {name: f"{when:%Y-%m-%dT%H:%M:%S.%f}"[:-3] + "Z" for name, when in written.items()}  # fmt: skip


@dataclass
class Session:
    """A resumable upload."""

    bucket: str
    name: str
    only: dict[str, str]
    told: dict[str, Any]
    data: bytearray = field(default_factory=bytearray)
    made: Held | None = None


@dataclass
class Museum:
    """What the server holds; tests look into it and write by another way than the program's, as with `Bucket`."""

    scheme = "gs"
    secret = "&upload_id="

    endpoint: str = ""
    checks: bool = True  # whether a hash that was sent along is compared
    objects: dict[tuple[str, str], Held] = field(default_factory=dict)
    sessions: dict[str, Session] = field(default_factory=dict)
    buckets: set[str] = field(default_factory=lambda: {"museum"})
    lock: Any = field(default_factory=threading.RLock)
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(int(time.time() * 1e6)))

    def put(self, key: str, data: bytes) -> None:
        self._write("museum", key, data, "application/octet-stream")

    def touch(self, key: str) -> None:
        """Change what is said of an object and not the object, as rules of a bucket do."""
        held = self.objects["museum", key]
        self.objects["museum", key] = replace(held, updated=datetime.now(UTC))

    def fill(self, folder: Path) -> None:
        servers.fill(self, folder)

    def get(self, key: str) -> bytes:
        return self.objects["museum", key].data

    def keys(self, prefix: str) -> list[str]:
        return sorted(name for bucket, name in list(self.objects) if bucket == "museum" and name.startswith(prefix))

    def remove(self, key: str) -> None:
        self.objects.pop(("museum", key), None)

    def access(self, endpoint: str) -> dict[str, str]:
        """Return the variables by which a process gets in."""
        return {"STORAGE_EMULATOR_HOST": endpoint}

    def _write(self, bucket: str, name: str, data: bytes, kind: str) -> Held:
        if not 0 < len(name.encode()) <= 1024 or re.search("[\r\n]", name) or name in (".", ".."):
            raise Refused(400, "invalid", "The specified object name is not valid.")
        now = datetime.now(UTC)
        made = self.objects[bucket, name] = Held(bucket, name, data, kind, next(self._numbers), now, now)
        return made

    def found(self, bucket: str, name: str, asked: dict[str, str]) -> Held:
        """Return what is there, under the conditions of a request."""
        held = self.objects.get((bucket, name))
        self.met(held, asked.get("ifGenerationMatch"))
        if held is None or asked.get("generation", str(held.generation)) != str(held.generation):
            raise GONE
        return held

    def met(self, held: Held | None, wanted: str | None) -> None:
        if wanted is not None and int(wanted) != (held.generation if held else 0):
            raise CONDITION

    def insert(self, bucket: str, name: str, asked: dict[str, str], told: dict[str, Any], data: bytes) -> Held:
        self.met(self.objects.get((bucket, name)), asked.get("ifGenerationMatch"))
        md5, sent = base64.b64encode(hashlib.md5(data).digest()).decode(), told.get("md5Hash")
        if self.checks and sent is not None and sent != md5:
            message = f'Provided MD5 hash "{sent}" doesn\'t match calculated MD5 hash "{md5}".'
            raise Refused(400, "invalid", message)
        return self._write(bucket, name, data, told.get("contentType", "application/octet-stream"))

    def listed(self, bucket: str, asked: dict[str, str]) -> dict[str, Any]:
        prefix, delimiter = asked.get("prefix", ""), asked.get("delimiter", "")
        most, after = int(asked.get("maxResults", "1000")), asked.get("pageToken", "")
        names: list[str] = []
        for name in sorted(name for of, name in self.objects if of == bucket and name.startswith(prefix)):
            head, found, _ = name[len(prefix) :].partition(delimiter) if delimiter else (name, "", "")
            shown = prefix + head + delimiter if found else name
            if shown > after and shown not in names[-1:]:
                names.append(shown)
        page = names[:most]
        said: dict[str, Any] = {"kind": "storage#objects"}
        if items := [self.objects[bucket, name].resource for name in page if (bucket, name) in self.objects]:
            said["items"] = items
        if folders := [name for name in page if delimiter and name.endswith(delimiter) and name != prefix]:
            said["prefixes"] = folders
            said["items"] = [each for each in items if each["name"] not in folders]
        return said | ({"nextPageToken": page[-1]} if len(names) > most else {})


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    museum: Museum

    def log_message(self, *_: Any) -> None: ...

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        address = urlsplit(self.path)
        asked = {name: values[-1] for name, values in parse_qs(address.query, keep_blank_values=True).items()}
        parts = address.path.strip("/").split("/")
        try:
            with self.museum.lock:
                self._route([unquote(each) for each in parts], asked, body)
        except Refused as no:
            reasons = [{"reason": no.reason, "message": no.message, "domain": "global"}]
            self._say({"error": {"code": no.status, "message": no.message, "errors": reasons}}, no.status)

    do_POST = do_PUT = do_DELETE = do_HEAD = do_GET

    def _route(self, parts: list[str], asked: dict[str, str], body: bytes) -> None:
        uploading, loading = parts[0] == "upload", parts[0] == "download"
        names = parts[parts.index("b") + 1 :]
        bucket = names[0]
        if not re.fullmatch(r"[a-z0-9][-a-z0-9_.]+", bucket):
            raise Refused(400, "invalid", f"Invalid bucket name: '{bucket}'")
        if bucket not in self.museum.buckets:
            raise Refused(404, "notFound", "The specified bucket does not exist.")
        if uploading:
            self._upload(bucket, asked, body)
        elif len(names) == 1:
            self._say({"kind": "storage#bucket", "name": bucket, "location": "EU"})
        elif len(names) == 2:
            self._say(self.museum.listed(bucket, asked))
        elif len(names) > 3:
            self._copy(bucket, names, asked)
        elif self.command == "DELETE":
            held = self.museum.found(bucket, names[2], asked)
            del self.museum.objects[bucket, held.name]
            self._send(204, b"")
        elif loading or asked.get("alt") == "media":
            self._media(self.museum.found(bucket, names[2], asked))
        else:
            self._say(self.museum.found(bucket, names[2], asked).resource)

    def _copy(self, bucket: str, names: list[str], asked: dict[str, str]) -> None:
        assert names[3] in ("rewriteTo", "copyTo")
        wanted = asked.get("ifSourceGenerationMatch")
        held = self.museum.found(bucket, names[2], {"ifGenerationMatch": wanted} if wanted else {})
        made = self.museum.insert(names[5], names[7], asked, {"contentType": held.kind}, held.data)
        size = str(len(held.data))
        done = {"done": True, "resource": made.resource, "objectSize": size, "totalBytesRewritten": size}
        self._say(done if names[3] == "rewriteTo" else made.resource)

    def _media(self, held: Held) -> None:
        said = held.resource
        headers = {
            "Content-Type": held.kind, "ETag": said["etag"], "X-Goog-Generation": said["generation"],
            "X-Goog-Hash": f"crc32c={said['crc32c']},md5={said['md5Hash']}",
        }  # fmt: skip
        span = re.match(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if span is None:
            self._send(200, held.data, headers)
            return
        first, last = int(span[1]), min(int(span[2] or len(held.data)), len(held.data) - 1)
        if first >= len(held.data):
            raise Refused(416, "requestedRangeNotSatisfiable", "The requested range cannot be satisfied.")
        headers["Content-Range"] = f"bytes {first}-{last}/{len(held.data)}"
        self._send(206, held.data[first : last + 1], headers)

    def _upload(self, bucket: str, asked: dict[str, str], body: bytes) -> None:
        if "upload_id" in asked:
            self._piece(asked["upload_id"], body)
            return
        if asked["uploadType"] == "resumable":
            told = json.loads(body or b"{}")
            name = asked.get("name") or told["name"]
            self.museum.met(self.museum.objects.get((bucket, name)), asked.get("ifGenerationMatch"))
            mark = base64.urlsafe_b64encode(hashlib.sha256(str(next(self.museum._numbers)).encode()).digest()).decode()
            self.museum.sessions[mark] = Session(bucket, name, asked, told)
            self._send(200, b"", {"Location": f"http://{self.headers['Host']}{self.path}&upload_id={mark}"})
            return
        assert asked["uploadType"] == "multipart"
        whole = b"Content-Type: " + self.headers["Content-Type"].encode() + b"\r\n\r\n" + body
        first, second = BytesParser(policy=HTTP).parsebytes(whole).iter_parts()
        told, data = json.loads(first.get_payload(decode=True)), second.get_payload(decode=True)
        told.setdefault("contentType", second.get_content_type())
        self._say(self.museum.insert(bucket, asked.get("name") or told["name"], asked, told, data).resource)

    def _piece(self, mark: str, body: bytes) -> None:
        session = self.museum.sessions.get(mark)
        if session is None:
            raise GONE
        if self.command == "DELETE":
            del self.museum.sessions[mark]
            self._send(499, b"")
            return
        span = re.fullmatch(r"bytes (?:(\d+)-(\d+)|\*)/(\d+)", self.headers["Content-Range"])
        assert span is not None, self.headers["Content-Range"]
        if body and session.made is None:
            first, last, size = (int(each) for each in span.groups())
            if first > len(session.data) or last + 1 - first != len(body):
                raise Refused(400, "invalid", "Invalid request.")
            if last + 1 < size and len(body) % GRANULARITY:
                raise Refused(400, "invalid", "Invalid request. The number of bytes is not a multiple of 256 KiB.")
            session.data[first:] = session.data[first:] if last < len(session.data) else body
        if session.made is None and len(session.data) == int(span[3]):
            data = bytes(session.data)
            session.made = self.museum.insert(session.bucket, session.name, session.only, session.told, data)
        if session.made is not None:
            self._say(session.made.resource)
        else:
            last_byte = {"Range": f"bytes=0-{len(session.data) - 1}"} if session.data else {}
            self._send(308, b"", last_byte)

    def _say(self, said: dict[str, Any], status: int = 200) -> None:
        self._send(status, json.dumps(said).encode(), {"Content-Type": "application/json; charset=UTF-8"})

    def _send(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


class Server(ThreadingHTTPServer):
    def handle_error(self, *_: Any) -> None:
        """A client that has heard enough goes."""


@contextmanager
def serving(address: str = "127.0.0.1", port: int = 0) -> Iterator[Museum]:
    pytest.importorskip("gcsfs", reason="speaks with gs://; extra: gs")
    museum = Museum()
    server = Server((address, port), type("Serving", (Handler,), {"museum": museum}))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    museum.endpoint = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield museum
    finally:
        server.shutdown()
        server.server_close()
