"""The libraries that speak with storages, each loaded when the first address of its kind is met."""

from __future__ import annotations

import base64
import functools
import hashlib
import os
import re
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from pipeline.ground.errors import SettingsError

_PATIENCE: Final = 60.0  # seconds without a byte
_MD5: Final = re.compile(r"[0-9a-f]{32}\Z")


@functools.cache
def file_system(scheme: str, host: str) -> Any:
    """Return what speaks with a bucket or host, by fsspec; kept, since a connection takes its time.

    Raises:
        SettingsError: what it needs is not installed.
        Exception: of its library, where no connection comes about.
    """
    try:
        if scheme == "s3":
            return _s3()
        if scheme == "sftp":
            return _sftp(host)
        if scheme == "gs":
            from gcsfs import GCSFileSystem

            return GCSFileSystem(use_listings_cache=False, skip_instance_cache=True)
        return _webdav(scheme, host)
    except ImportError as error:
        raise SettingsError(
            f"{scheme}:// needs the extra: pip install 'colorize-archive[storage]' ({error.name} is missing)."
        ) from None


def forget(scheme: str, host: str) -> None:
    """Let go of a connection: the next call makes another."""
    if scheme == "sftp":
        with suppress(Exception):
            file_system(scheme, host).client.close()
    file_system.cache_clear()


def _s3() -> Any:
    from s3fs import S3FileSystem

    patience = {"connect_timeout": 20, "read_timeout": _PATIENCE}
    return S3FileSystem(config_kwargs=patience, use_listings_cache=False, skip_instance_cache=True)


def _webdav(scheme: str, host: str) -> Any:
    import netrc

    from webdav4.client import Client
    from webdav4.fsspec import WebdavFileSystem

    class Quoting(Client):  # type: ignore[misc,unused-ignore]
        """Its own takes names for parts of an address: "what? #1 100%.jpg"."""

        def join_url(self, path: str, add_trailing_slash: bool = False) -> Any:
            return super().join_url(quote(path), add_trailing_slash)

    name, auth = host.partition(":")[0], None
    with suppress(OSError, netrc.NetrcParseError):
        known = netrc.netrc(os.environ.get("NETRC")).authenticators(name)
        auth = known and (known[0], known[2])
    address = f"{'https' if scheme == 'webdavs' else 'http'}://{host}/"
    return WebdavFileSystem(address, client=Quoting(address, auth=auth, timeout=_PATIENCE, retry=False))


def _sftp(address: str) -> Any:
    """Connect as ssh does: what ~/.ssh/config says of a host, the agent, the user's keys, and hosts that are known."""
    import paramiko
    from fsspec.implementations.sftp import SFTPFileSystem

    class Known(SFTPFileSystem):  # type: ignore[misc]
        """fsspec's own takes any key that a server shows."""

        def _connect(self) -> None:
            self.client = paramiko.SSHClient()
            self.client.load_system_host_keys()
            with suppress(OSError):
                self.client.load_system_host_keys("/etc/ssh/ssh_known_hosts")
            self.client.set_missing_host_key_policy(paramiko.RejectPolicy())
            self.client.connect(self.host, timeout=20, banner_timeout=20, auth_timeout=20, **self.ssh_kwargs)
            self.ftp = self.client.open_sftp()
            self.ftp.get_channel().settimeout(_PATIENCE)

    user, _, place = address.rpartition("@")
    host, _, port = place.partition(":")
    config, written = paramiko.SSHConfig(), Path("~/.ssh/config").expanduser()
    if written.is_file():
        config = paramiko.SSHConfig.from_path(str(written))
    said = config.lookup(host)
    chosen = {"username": user or said.get("user"), "port": int(port or said.get("port", 22))}
    if "identityfile" in said:
        chosen["key_filename"] = said["identityfile"]
    return Known(said["hostname"], skip_instance_cache=True, **chosen)


def information(info: Mapping[str, Any]) -> tuple[int, int, str]:
    """Return size, time in nanoseconds and MD5 of a file; see `storage.Entry`."""
    when = _moment(next((info[name] for name in ("LastModified", "mtime", "modified", "updated") if info.get(name)), 0))
    tag = str(info.get("ETag") or info.get("md5Hash") or info.get("etag") or "").removeprefix("W/").strip('"')
    fraction = int.from_bytes(hashlib.sha256(tag.encode()).digest()[:4], "big") % 10**9 if tag else 0
    md5 = tag if "ETag" in info and _MD5.match(tag) else ""
    if info.get("md5Hash"):
        md5 = base64.b64decode(info["md5Hash"]).hex()
    return int(info.get("size") or 0), when * 10**9 + fraction, md5


def _moment(said: Any) -> int:
    """Return seconds since 1970, whole: listings and answers on single files differ in the rest."""
    if isinstance(said, str):
        try:
            said = datetime.fromisoformat(said)
        except ValueError:
            from email.utils import parsedate_to_datetime

            said = parsedate_to_datetime(said)
    if isinstance(said, datetime):
        said = (said if said.tzinfo else said.replace(tzinfo=UTC)).timestamp()
    return int(said)
