"""What the tests of an OUTPUT in a storage share: a bucket as a folder is looked at, and runs into it."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from pipeline.archive.state import housed
from pipeline.ground.storage import located
from pipeline.run.driver import run_archive
from pipeline.run.summary import Summary
from tests.storage.servers import Bucket
from tests.storage.test_run import LOCAL, settings

PLACE = "colour"
ADDRESS = f"s3://museum/{PLACE}"
OWN = (".colorize/", "manifest.csv")


def everything(bucket: Bucket) -> dict[str, bytes]:
    """Return all that lies there."""
    pages = bucket.client.get_paginator("list_objects_v2").paginate(Bucket="museum", Prefix=f"{PLACE}/")
    keys = [each["Key"] for page in pages for each in page.get("Contents", [])]
    return {key.removeprefix(f"{PLACE}/"): got(bucket, key) for key in keys}


def got(bucket: Bucket, key: str) -> bytes:
    return bytes(bucket.client.get_object(Bucket="museum", Key=key)["Body"].read())


def outputs(bucket: Bucket) -> dict[str, bytes]:
    """Return all of it but the program's own."""
    return {place: data for place, data in everything(bucket).items() if not place.startswith(OWN)}


def rows(bucket: Bucket) -> dict[str, dict[str, str]]:
    text = got(bucket, f"{PLACE}/manifest.csv").decode()
    return {row["source"]: row for row in csv.DictReader(io.StringIO(text, newline=""))}


def plain(bucket: Bucket) -> dict[str, dict[str, str]]:
    return {key: {name: row[name] for name in row if name not in LOCAL} for key, row in rows(bucket).items()}


def run(archive: Path, state: Path, net: Path, address: str = ADDRESS, **others: object) -> Summary:
    return run_archive([archive], housed(located(address), state), settings(net, **others), quiet=True)
