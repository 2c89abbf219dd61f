"""What is fuzzed: sound examples of each kind, and what is done with a hurt one. Only what has a sentence may come."""

from __future__ import annotations

import io
import shutil
import sqlite3
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import cv2
from PIL import Image

from pipeline.archive.journal import Journal
from pipeline.archive.manifest import write_manifest
from pipeline.archive.recover import recover
from pipeline.archive.spelling import cell, escape, uncell, unescape
from pipeline.archive.status import read_status, status_json, status_lines
from pipeline.ground.errors import Cause, ColorizeError, ItemError
from pipeline.ground.gather import from_file
from pipeline.ground.items import Kind, Result, Unit, Verb
from pipeline.ground.settings import Settings
from pipeline.media.film import index
from pipeline.media.medium import Job
from pipeline.media.photo import xmp
from pipeline.media.photo.jpeg.record import original
from pipeline.media.photo.jpeg.segments import parse
from pipeline.media.photo.metadata import Metadata, gather, made_upright
from pipeline.media.photo.pages import has_several_pages
from pipeline.nets.engine import Engine
from pipeline.nets.resolve import resolve
from pipeline.nets.store.onnx_header import read_header
from pipeline.run.driver import run_archive
from pipeline.run.worker import Worker
from tests.photo.mutations import COMPRESSED, GREY, PLAIN, saved

_OPENCV = Engine("opencv", "float32")
_WISHES = {"engine": "opencv", "precision": "float32", "executor": "serial", "max_megapixels": 5}
# What a journal's cell is set to: ways out of OUTPUT, numbers without sense, texts that are none.
_ODD = (
    "", "../victim.txt", "/etc/passwd", "a\0b", "x" * 5000, "\udcff".encode("utf-8", "surrogatepass"), -1, 2**62, 1e308,
    float("inf"), "NaN", "[1]", "{}", "done", "pages", "film", b"\xff\xfe", "=cmd", "box/../..", "%2e%2e", "\x1b[2J",
)  # fmt: skip


@dataclass(frozen=True)
class Target:
    """Sound examples, and what is done with one that was hurt; whatever that raises is a finding."""

    seeds: Mapping[str, bytes]
    run: Callable[[bytes], None]


def targets(folder: Path, net: Path) -> dict[str, Target]:
    """Return all targets; files are written into `folder`."""
    return {
        "picture": _pictures(folder, net),
        "onnx": Target({"tiny": net.read_bytes()[:4096], "whole": net.read_bytes()}, _of_file(folder / "n", _onnx)),
        "configuration": Target(_configurations(), _of_file(folder / "c.toml", _configuration)),
        "journal": _journals(folder / "archive", net),
        "manifest": _manifests(folder / "lost", net),
        "metadata": Target(_packets(), _packet),
        "jpeg": Target({name: COMPRESSED[name] for name in COMPRESSED if name.startswith("JPEG")}, _jpeg),
        "index": Target(_indices(folder), _of_file(folder / "i.npz", _index)),
        "names": Target({"plain": "box 1/ä b.jpg".encode(), "odd": b"%25\xff\x1b=\xe2\x80\xa8/.."}, _name),
    }


def _of_file(path: Path, run: Callable[[Path], None]) -> Callable[[bytes], None]:
    def written(data: bytes) -> None:
        path.write_bytes(data)
        run(path)

    return written


def _described() -> dict[str, bytes]:
    """Return pictures that say something of themselves."""
    exif = Image.Exif()
    exif.update({270: "A street", 274: 6, 305: "a scanner", 306: "1999:01:01 00:00:00", 0x8769: {36867: "1999"}})
    packet = xmp.with_provenance(b"", xmp.Provenance("a", "b", "c", "d"))
    extra = {
        "exif": exif.tobytes(),
        "xmp": packet,
        "icc_profile": b"\0" * 128 + b"acsp" + b"\0" * 60,
        "dpi": (300, 300),
    }
    kinds = {"JPEG": {}, "PNG": {}, "WEBP": {"quality": 80}, "TIFF": {}}
    return {f"{kind}, described": saved(GREY, kind, **options, **extra) for kind, options in kinds.items()}


def _pictures(folder: Path, net: Path) -> Target:
    path, tmp = folder / "in" / "a.tif", folder / "tmp"
    for each in (path.parent, tmp):
        each.mkdir(parents=True, exist_ok=True)
    worker = Worker(Job(Settings(**_WISHES, on_damage="done"), resolve(str(net)), _OPENCV, folder, tmp))  # type: ignore[arg-type]

    def run(data: bytes) -> None:
        path.write_bytes(data)
        gather(path)
        with suppress(ItemError):
            has_several_pages(path)
        output, copy = ("out/a.jpg", "out/a.jpg") if data[:1] == b"\xff" else ("out/a.tif", "out/a.png")
        answer = worker.do(Unit(Verb.MAKE, "a", Kind.PHOTO, path, output, copy))
        assert isinstance(answer, Result), answer
        assert answer.cause is not Cause.FAULT, answer.reason

    return Target({**COMPRESSED, **PLAIN, **_described()}, run)


def _onnx(path: Path) -> None:
    with suppress(ColorizeError):
        read_header(path, path.read_bytes())


def _configurations() -> dict[str, bytes]:
    folder = Path(__file__).parents[2] / "configs"
    made = b'jobs = 4\nformat = "keep"\nsaturation = 1.5\nexclude = ["a", "b*"]\non_color = "copy"\nquality = 90\n'
    return {"made": made, **{path.name: path.read_bytes() for path in sorted(folder.glob("*.toml"))}}


def _configuration(path: Path) -> None:
    with suppress(ColorizeError):
        from_file(path)


def _archive(folder: Path, net: Path) -> tuple[Path, Path, Settings]:
    scans, output = folder / "scans", folder / "whole"
    scans.mkdir(parents=True)
    (scans / "a.jpg").write_bytes(COMPRESSED["JPEG"])
    (scans / "b.png").write_bytes(cv2.imencode(".png", GREY)[1].tobytes())
    (scans / "c.tif").write_bytes(PLAIN["TIFF of pages"])
    (scans / "d.jpg").write_bytes(COMPRESSED["JPEG"][:300])
    settings = Settings(**_WISHES, model=str(net))  # type: ignore[arg-type]
    run_archive([scans], output, settings, bar=False, quiet=True)
    return scans, output, settings


def _journals(folder: Path, net: Path) -> Target:
    """Set cells of a journal to what makes no sense, by the first bytes of the data; or hurt its file."""
    scans, whole, settings = _archive(folder, net)
    output, victim = folder / "colour", folder / "victim.txt"
    sound = (whole / ".colorize" / "journal.sqlite").read_bytes()
    originals = {path: path.read_bytes() for path in scans.iterdir()}

    def run(data: bytes) -> None:
        shutil.rmtree(output, ignore_errors=True)
        shutil.copytree(whole, output)
        victim.write_text("mine")
        path = output / ".colorize" / "journal.sqlite"
        if data[:6] == sound[:6]:
            path.write_bytes(data)
        else:
            _set_cells(path, data)
        with suppress(ColorizeError):
            status = read_status(output)
            list(status_lines(status))
            status_json(status)
        with suppress(ColorizeError):
            run_archive([scans], output, settings, bar=False, quiet=True)
        assert victim.read_text() == "mine"
        assert {path: path.read_bytes() for path in scans.iterdir()} == originals

    return Target({"file": sound, "cells": bytes(range(1, 25)), "more": bytes(range(200, 248))}, run)


def _set_cells(path: Path, data: bytes) -> None:
    with sqlite3.connect(path) as db:
        for table, row, column, odd in zip(data[::4], data[1::4], data[2::4], data[3::4], strict=False):
            name = ("items", "claims", "runs", "pieces")[table % 4]
            columns = [each[1] for each in db.execute(f"PRAGMA table_info({name})")]
            keys = [each[0] for each in db.execute(f"SELECT rowid FROM {name}")] if name == "runs" else [
                each[0] for each in db.execute(f"SELECT key FROM {name}")
            ]  # fmt: skip
            if keys:
                mark, which = "rowid" if name == "runs" else "key", columns[column % len(columns)]
                with suppress(sqlite3.Error):
                    value = _ODD[odd % len(_ODD)]
                    db.execute(f"UPDATE {name} SET {which} = ? WHERE {mark} = ?", (value, keys[row % len(keys)]))
    db.close()


def _manifests(folder: Path, net: Path) -> Target:
    """A manifest from which a lost journal is made anew."""
    _, whole, _ = _archive(folder, net)
    output = folder / "colour"

    def run(data: bytes) -> None:
        shutil.rmtree(output, ignore_errors=True)
        shutil.copytree(whole, output, ignore=shutil.ignore_patterns(".colorize"))
        (output / "manifest.csv").write_bytes(data)
        with suppress(ColorizeError):
            recover(output)
            with Journal(output) as journal:
                write_manifest(journal, output)

    return Target({"manifest": (whole / "manifest.csv").read_bytes()}, run)


def _packets() -> dict[str, bytes]:
    exif = Image.Exif()
    exif.update({270: "A street", 274: 6, 0x8769: {36867: "1999"}})
    packet = xmp.with_provenance(b"", xmp.Provenance("a", "b", "c", "d"))
    return {"exif": exif.tobytes().removeprefix(b"Exif\0\0"), "xmp": packet}


def _packet(data: bytes) -> None:
    xmp.upright(data)
    xmp.with_provenance(data, xmp.Provenance("a", "b", "c", "d"))
    made_upright(Metadata(exif=data, xmp=data))
    block = io.BytesIO()
    Image.fromarray(GREY).save(block, "PNG", exif=b"Exif\0\0" + data)
    gather(block.getvalue())


def _jpeg(data: bytes) -> None:
    with suppress(ItemError):
        parse(data)
    with suppress(ItemError):
        original(data)


def _indices(folder: Path) -> dict[str, bytes]:
    if find_spec("av") is None:
        return {"none": b"nothing"}
    from pipeline.media.film.scan import scan
    from tests.film.clips import scenes, write_clip

    path = folder / "sound.npz"
    index.save(scan(write_clip(folder / "reel.mkv", scenes(30, 32, 32))), path)
    return {"npz": path.read_bytes()}


def _index(path: Path) -> None:
    with suppress(ColorizeError):
        index.load(path)


def _name(data: bytes) -> None:
    text = data.decode(errors="surrogateescape")
    assert unescape(escape(text)) == text
    assert uncell(cell(escape(text))) == escape(text)
    unescape(data.decode(errors="replace"))
