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
from urllib.parse import quote, urlsplit

from pipeline.ground.errors import SettingsError

_PATIENCE: Final = 60.0  # seconds without a byte
_SLOWEST: Final = 1 << 14  # bytes a second that an upload to Google takes at least
_REFUSALS: Final = {  # what libraries call by a name alone, or in words of their own
    "NoCredentialsError": "no credentials were found",
    "PartialCredentialsError": "half of the credentials is missing",
    "AuthenticationException": "the server takes no key of this user's",
    "BadHostKeyException": "the server shows another key than known_hosts has",
    "UnknownHost": "known_hosts does not have this server",
    "BadRequest": "a bad request, as one with a token that has run out, or with another AWS_DEFAULT_REGION than the "
    "bucket's",
}
_SENT_ON: Final = {301, 302, 307}
_OF_REGIONS: Final = {"AuthorizationHeaderMalformed", "IllegalLocationConstraintException"}
_NO_CREDENTIALS: Final = {"DefaultCredentialsError", "MalformedError"}  # of Google, who says more
# Google's `updated` is of what is said of a file, too, such as another class of storage by a rule of the bucket.
_TIMES: Final = ("LastModified", "timeCreated", "mtime", "modified", "updated")
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
            return _google()
        return _webdav(scheme, host)
    except ImportError as error:
        extra = "gs" if scheme == "gs" else "storage"
        raise SettingsError(
            f"{scheme}:// needs the extra: pip install 'colorize-archive[{extra}]' ({error.name} is missing)."
        ) from None


def forget(scheme: str, host: str) -> None:
    """Let go of a connection: the next call makes another."""
    if scheme == "sftp":
        with suppress(Exception):
            file_system(scheme, host).client.close()
    file_system.cache_clear()


def _s3() -> Any:
    from s3fs import S3FileSystem

    class Following(S3FileSystem):  # type: ignore[misc,unused-ignore]
        """Follows to the region that a server names; one that sends on and names none is not asked for ever."""

        async def set_session(self, *given: Any, **named: Any) -> Any:
            client = await super().set_session(*given, **named)
            client.meta.events.register("needs-retry.s3.HeadBucket", _ask_no_further, unique_id="ask-no-further")
            return client

    patience = {"connect_timeout": 20, "read_timeout": _PATIENCE}
    return Following(config_kwargs=patience, use_listings_cache=False, skip_instance_cache=True)


def _ask_no_further(request_dict: Mapping[str, Any], response: Any, **_: Any) -> None:
    """Let a bucket be asked for its region once: botocore asks again where the answer sends it on without saying."""
    if response is not None and "x-amz-bucket-region" not in response[1]["ResponseMetadata"]["HTTPHeaders"]:
        request_dict["context"].setdefault("s3_redirect", {})["redirected"] = True


def _answer(error: Exception) -> Mapping[str, Any]:
    """Return what S3 has answered, of an error of s3fs; else nothing."""
    answer = getattr(error.__cause__, "response", None)
    return answer if isinstance(error, OSError) and isinstance(answer, dict) else {}


def names_no_bucket(error: Exception) -> bool:
    """Tell whether there can be no bucket of a name: botocore and Google say so in words of their own."""
    no_name = google_code(error) == "400" and "bucket name" in str(error)
    return no_name or type(error).__name__ == "ParamValidationError"


def elsewhere(error: Exception) -> str:
    """Return what to say where S3 has a bucket in another region and botocore could not follow; else empty."""
    answer = _answer(error)
    said, meta = answer.get("Error", {}), answer.get("ResponseMetadata", {})
    region = str(meta.get("HTTPHeaders", {}).get("x-amz-bucket-region") or said.get("Region") or "")
    if meta.get("HTTPStatusCode") in _SENT_ON or said.get("Code") in _OF_REGIONS:
        named = f"in the region {region}" if region else "in another region, and the server does not say in which"
        return f"its bucket is {named}: set AWS_DEFAULT_REGION, and AWS_ENDPOINT_URL where that region has its own"
    return ""


def _google() -> Any:
    # Where no metadata server answers, this is no machine of Google's, or the firmware says that it is: one question,
    # not three in twelve seconds. Read when google.auth is loaded.
    os.environ.setdefault("GCE_METADATA_DETECT_RETRIES", "1")
    import asyncio

    import aiohttp
    from gcsfs.core import GCSFileSystem

    class Patient(GCSFileSystem):  # type: ignore[misc,unused-ignore]
        """Its own tries each call six times, whatever `storage.tried` does, and waits for an answer for ever."""

        async def _request(self, *given: Any, **named: Any) -> Any:
            asked = _once(GCSFileSystem._request)(self, *given, **named)
            if not named.get("data"):
                return await asked
            return await asyncio.wait_for(asked, _PATIENCE + len(named["data"]) / _SLOWEST)

        _get_file_request = _once(GCSFileSystem._get_file_request)
        _get_file_concurrent = _once(getattr(GCSFileSystem, "_get_file_concurrent", None))

    patience = aiohttp.ClientTimeout(total=None, sock_connect=20, sock_read=_PATIENCE)
    token = "anon" if os.environ.get("STORAGE_EMULATOR_HOST") else _google_credentials()
    fresh = {"use_listings_cache": False, "skip_instance_cache": True}
    proxy = _proxy(os.environ.get("STORAGE_EMULATOR_HOST") or "https://storage.googleapis.com")
    session = {"proxy": proxy} if proxy else {}  # aiohttp reads no variables unless it takes passwords of ~/.netrc, too
    return Patient(token=token, access="read_write", requests_timeout=patience, session_kwargs=session, **fresh)


def _proxy(address: str) -> str:
    """Return the proxy by which an address is reached, says the environment (https_proxy, no_proxy); empty: by none."""
    from urllib.request import getproxies, proxy_bypass

    where = urlsplit(address)
    proxy = getproxies().get(where.scheme, "")
    if not proxy or proxy_bypass(where.netloc):
        return ""
    return proxy if "://" in proxy else f"http://{proxy}"


def _once(call: Any) -> Any:
    """Return a function of a library without what tries it several times."""
    return getattr(call, "__wrapped__", call)


@functools.cache
def _google_credentials() -> Any:
    """Return the application default credentials; where there are none, what may be read by everybody can be read."""
    import google.auth
    from google.auth.exceptions import DefaultCredentialsError

    try:
        return google.auth.default(scopes=["https://www.googleapis.com/auth/devstorage.read_write"])[0]
    except DefaultCredentialsError as error:
        if "were not found" in str(error):
            return "anon"
        raise


def refusal(error: Exception) -> str:
    """Return why a storage does not let somebody in, as its library says it; empty: that is not what it says."""
    name, said = type(error).__name__, " ".join(str(error).split())
    if isinstance(error, OSError) and error.strerror == "Bad Request":  # all that S3 says of a HEAD
        name = "BadRequest"
    if name in _REFUSALS:
        return _REFUSALS[name]
    if name in _NO_CREDENTIALS or getattr(error, "status_code", None) in (401, 403):  # the latter of a WebDAV server
        return said
    if isinstance(error, OSError) and str(error).startswith("Forbidden: "):  # gcsfs: the address, and what Google says
        return " ".join(str(error).partition("\n")[2].split()) or "Forbidden"
    cause = error.__cause__
    answer = {} if isinstance(error, PermissionError) else _answer(error)
    if answer.get("ResponseMetadata", {}).get("HTTPStatusCode") in (401, 403):  # by a word that s3fs does not know
        return str(answer["Error"].get("Message") or said)
    if google_code(error) not in ("401", "403") or getattr(cause, "retryable", False):
        return ""
    return str(cause.args[0]) if cause and cause.args else said


def google_code(error: Exception) -> str:
    """Return the status of an answer of Google's that gcsfs gives as it is; else empty."""
    return str(getattr(error, "code", "")) if type(error).__name__ == "HttpError" else ""


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

    class UnknownHost(Exception): ...

    class Refusing(paramiko.MissingHostKeyPolicy):  # type: ignore[misc,unused-ignore]
        """paramiko's own says so in words alone, as it says of a line that breaks."""

        def missing_host_key(self, *_: Any) -> None:
            raise UnknownHost

    class Known(SFTPFileSystem):  # type: ignore[misc]
        """fsspec's own takes any key that a server shows."""

        def _connect(self) -> None:
            self.client = paramiko.SSHClient()
            self.client.load_system_host_keys()
            with suppress(OSError):
                self.client.load_system_host_keys("/etc/ssh/ssh_known_hosts")
            self.client.set_missing_host_key_policy(Refusing())
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
    when = _moment(next((info[name] for name in _TIMES if info.get(name)), 0))
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
