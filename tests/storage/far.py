"""What the tests of an OUTPUT in a storage share: a bucket as a folder is looked at, and runs into it."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from pipeline.archive.state import housed
from pipeline.ground.storage import located
from pipeline.run.driver import run_archive
from pipeline.run.summary import Summary
from tests.conftest import manifest_of
from tests.storage.servers import Bucket
from tests.storage.test_run import LOCAL, settings

PLACE = "colour"
ADDRESS = f"s3://museum/{PLACE}"
IN_BOTH = pytest.mark.parametrize("server", ["s3", "gs"], indirect=True)
IN_BOTH_SOAKED = pytest.mark.parametrize(
    "server", ["s3", pytest.param("gs", marks=pytest.mark.soak)], indirect=True
)  # Google's is left to `make soak`
OWN = (".colorize/", "manifest.csv")


def everything(bucket: Bucket) -> dict[str, bytes]:
    """Return all that lies there."""
    return {key.removeprefix(f"{PLACE}/"): bucket.get(key) for key in bucket.keys(f"{PLACE}/")}


def written(method: str, path: str) -> str:
    """Return the key that a request to S3 or Google writes; empty where it writes none."""
    parts = urlsplit(path)
    if parts.path.startswith("/upload/"):
        return parse_qs(parts.query)["name"][0] if method in ("POST", "PUT") else ""
    return unquote(parts.path).removeprefix("/museum/") if method == "PUT" else ""


def outputs(bucket: Bucket) -> dict[str, bytes]:
    """Return all of it but the program's own."""
    return {place: data for place, data in everything(bucket).items() if not place.startswith(OWN)}


def rows(bucket: Bucket) -> dict[str, dict[str, str]]:
    return manifest_of(bucket.get(f"{PLACE}/manifest.csv").decode())


def plain(bucket: Bucket) -> dict[str, dict[str, str]]:
    return {key: {name: row[name] for name in row if name not in LOCAL} for key, row in rows(bucket).items()}


def run(archive: Path, state: Path, net: Path, address: str = ADDRESS, **others: object) -> Summary:
    return run_archive([archive], housed(located(address), state), settings(net, **others), quiet=True)
