"""Shares whose INPUT or OUTPUT lies in a storage: nothing lacks, nothing is twice, and they become one OUTPUT."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Sequence
from pathlib import Path

import cv2
import pytest

pytest.importorskip("s3fs", reason="reads and writes s3://; extra: storage")

from pipeline.archive.merge import Merged, merge
from pipeline.archive.state import housed
from pipeline.ground.errors import LockedError, OutputError
from pipeline.ground.storage import located
from pipeline.run.driver import run_archive
from pipeline.run.verify import verify
from tests.conftest import Colorize, landscape, manifest, manifest_of, write_archive, write_tiff
from tests.storage import test_run
from tests.storage.far import PLACE, everything, run
from tests.storage.servers import KEYS, Bucket, Proxy
from tests.storage.test_run import LOCAL, settings

ODD = ("what? #1 100% +&=.jpg", "a b  .jpg", "\u65e5\u672c \U0001f4f7.jpg", "[1]{2}~'\"^`|<>.jpg", "..hidden...jpg")
MUELLER = [unicodedata.normalize(form, "M\u00fcller \u00c4rzte.jpg") for form in ("NFC", "NFD")]
ALL = f"s3://museum/{PLACE}/all"


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """Pictures, names of all kinds, and pages."""
    folder = tmp_path / "scans"
    write_archive(folder, 6)
    for number, name in enumerate([*ODD, *MUELLER]):
        path = folder / f"M\u00fcnchen {number % 2}" / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(cv2.imencode(".jpg", landscape(30 + number))[1].tobytes())
    write_tiff(folder / "minutes.tif", landscape(20), landscape(21))
    (folder / "notes.txt").write_text("no picture")
    return folder


def share(number: int) -> str:
    return f"s3://museum/{PLACE}/share {number}"


@pytest.fixture
def shares(archive: Path, bucket: Bucket, line: Proxy, tmp_path: Path, tiny_net: Path) -> list[Path]:
    """The addresses of three shares, each kept by a state folder of its own."""
    for number in (1, 2, 3):
        home = housed(located(share(number)), tmp_path / f"state {number}")
        run_archive([archive], home, settings(tiny_net, shard=f"{number}/3"), quiet=True)
    return [located(share(number)) for number in (1, 2, 3)]


def merged(shares: Sequence[Path], output: Path, state: Path | None = None) -> Merged:
    return merge(shares, housed(output, state))


def there(bucket: Bucket, place: str) -> dict[str, bytes]:
    """Return what lies below a place there, but the program's own."""
    found = {
        each.removeprefix(f"{place}/"): data for each, data in everything(bucket).items() if each.startswith(place)
    }
    return {each: data for each, data in found.items() if not each.startswith((".colorize/", "manifest.csv"))}


def test_shares_of_an_input_in_a_storage_are_what_one_run_over_the_folder_makes(
    archive: Path, near: Path, bucket: Bucket, line: Proxy, tmp_path: Path, tiny_net: Path
) -> None:
    bucket.fill(archive)
    for number in (1, 2, 3):
        one = settings(tiny_net, shard=f"{number}/3")
        assert run_archive([located("s3://museum/scans")], tmp_path / f"{number}", one, quiet=True).exit_code == 0
    parts = [manifest(tmp_path / f"{number}").keys() for number in (1, 2, 3)]
    assert sum(map(len, parts)) == len(set().union(*parts)) == len(manifest(near))
    assert min(map(len, parts)) > 0
    assert sum(set(MUELLER) <= {Path(key).name for key in part} for part in parts) == 0, "they lie in two folders"
    found = merged([tmp_path / "1", tmp_path / "2", tmp_path / "3"], tmp_path / "all")
    assert (found.problems, found.gaps) == ([], [])
    assert test_run.files(tmp_path / "all") == test_run.files(near)
    assert test_run.plain(tmp_path / "all") == test_run.plain(near)
    again = run_archive([located("s3://museum/scans")], tmp_path / "all", settings(tiny_net), quiet=True)
    for key in bucket.keys("scans/"):
        bucket.remove(key)
    assert (again.worked, again.exit_code) == (0, 0)


def test_shares_in_a_storage_become_one_folder_and_one_there(
    archive: Path, near: Path, shares: list[Path], bucket: Bucket, line: Proxy, tmp_path: Path, tiny_net: Path
) -> None:
    before, count = everything(bucket), len(manifest(near))
    found = merged(shares, tmp_path / "all")
    assert (found.taken, found.problems, found.gaps) == (count, [], [])
    assert test_run.files(tmp_path / "all") == test_run.files(near)
    assert test_run.plain(tmp_path / "all") == test_run.plain(near)
    assert everything(bucket) == before, "nothing is written into a share"
    assert run_archive([archive], tmp_path / "all", settings(tiny_net), quiet=True).worked == 0
    state = tmp_path / "state"
    first = merged(shares[:2], located(ALL), state)
    assert first.gaps == ["of 3 shares, 3 is not here"]
    found = merged(shares, located(ALL), state)
    assert (found.taken + first.taken, found.known, found.problems, found.gaps) == (count, first.taken, [], [])
    assert there(bucket, "all") == test_run.files(near)
    assert list((state / ".colorize" / "tmp").iterdir()) == []
    home, read = housed(located(ALL), state, known=True), len(line.whole)
    assert run_archive([archive], home, settings(tiny_net), quiet=True).worked == 0
    assert [path for path in line.whole[read:] if path.endswith((".jpg", ".tif"))] == [], "nothing is read for that"
    assert [each for each in verify(home) if each.problems] == []
    said = manifest_of(bucket.get(f"{PLACE}/all/manifest.csv").decode())
    told = {key: {name: row[name] for name in row if name not in LOCAL} for key, row in said.items()}
    assert told == test_run.plain(near)


def test_folders_become_an_output_in_a_storage_and_what_a_person_did_stays(
    archive: Path, near: Path, bucket: Bucket, line: Proxy, tmp_path: Path, tiny_net: Path
) -> None:
    picture, other = "box 0/picture 000.jpg", "box 1/picture 001.jpg"
    edited = bytearray((near / picture).read_bytes())
    edited[-40] ^= 1  # of the same size
    (near / picture).write_bytes(bytes(edited))
    bucket.put(f"{PLACE}/all/{other}", b"mine")
    found = merged([near], located(ALL), tmp_path / "state")
    assert found.problems == [f"{other}: something else lies at {other} in {ALL}"]
    assert there(bucket, "all") == test_run.files(near) | {other: b"mine"}
    home = housed(located(ALL), tmp_path / "state", known=True)
    assert run_archive([archive], home, settings(tiny_net), quiet=True).exit_code == 3
    assert manifest_of(bucket.get(f"{PLACE}/all/manifest.csv").decode())[picture]["status"] == "edited"
    assert there(bucket, "all") == test_run.files(near) | {other: b"mine"}


def test_a_link_in_a_folder_leads_nowhere(near: Path, bucket: Bucket, line: Proxy, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("of somebody else")
    (near / "box 0" / "picture 000.jpg").unlink()
    (near / "box 0" / "picture 000.jpg").symlink_to(tmp_path / "secret")
    found = merged([near], located(ALL), tmp_path / "state")
    assert ["a symbolic link" in each for each in found.problems] == [True]
    assert b"of somebody else" not in everything(bucket).values()


def test_shares_that_are_at_work_or_not_there_are_said(
    archive: Path, bucket: Bucket, line: Proxy, tmp_path: Path, tiny_net: Path
) -> None:
    run(archive, tmp_path / "state 2", tiny_net, share(2))
    key = f"{PLACE}/share 2/.colorize/keeper.json"
    kept = bucket.get(key)
    bucket.put(key, json.dumps(json.loads(kept) | {"pid": 7, "host": "attic", "since": "2026-01-02"}).encode())
    said = r"share 2 is in use by another run \(process 7 on attic.* last heard from 20"
    with pytest.raises(LockedError, match=said):
        merged([located(share(2))], tmp_path / "all")
    bucket.put(key, kept)
    with pytest.raises(OutputError, match=f"{share(4)} holds no copy of a journal"):
        merged([located(share(2)), located(share(4))], tmp_path / "all")
    with pytest.raises(OutputError, match=f"{share(2)} is one of the shares"):
        merged([located(share(2))], located(share(2)), tmp_path / "state 2")
    assert not (tmp_path / "all").exists()


def test_the_command_takes_addresses(near: Path, bucket: Bucket, tmp_path: Path, colorize: Colorize) -> None:
    access = KEYS | {"AWS_ENDPOINT_URL": bucket.endpoint, "XDG_STATE_HOME": str(tmp_path / "states")}
    made = colorize("merge", near, "-o", ALL, **access)
    assert made.returncode == 0, made.stderr
    assert made.stderr.startswith(f"What is known of {ALL} is kept in {tmp_path}/states/colorize/s3-museum-colour-all-")
    assert made.stdout == f"{len(manifest(near))} items taken over, 0 were there already.\n"
    assert there(bucket, "all") == test_run.files(near)
