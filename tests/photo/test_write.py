import errno
import hashlib
import io
import os
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from pipeline.ground import files
from pipeline.ground.errors import ItemError, OutputError
from pipeline.media.photo.write import SUFFIXES, encode


@pytest.fixture
def tmp_dir(tmp_path):
    folder = tmp_path / "tmp"
    folder.mkdir()
    return folder


def room(tmp_dir):
    return files.Room(tmp_dir.parent, tmp_dir)


def publish(data, path, tmp_dir):
    return files.publish(data, path.relative_to(tmp_dir.parent).as_posix(), room(tmp_dir))


def copy_bytes(source, path, tmp_dir):
    return files.copy_bytes(source, path.relative_to(tmp_dir.parent).as_posix(), room(tmp_dir))


def picture(*shape):
    return cv2.blur(np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8), (5, 5))


def decoded(data):
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


@pytest.mark.parametrize("format", SUFFIXES)
def test_each_format_comes_back(format):
    pixels = cv2.blur(picture(90, 121, 3), (9, 9))
    image = decoded(encode(pixels, format, 95))
    assert image.format == {"jpg": "JPEG", "png": "PNG", "tif": "TIFF", "webp": "WEBP"}[format]
    off = np.abs(np.asarray(image)[:, :, ::-1].astype(int) - pixels)
    assert off.mean() < (3 if format in ("jpg", "webp") else 1e-9)


@pytest.mark.parametrize("format", ["png", "tif", "webp"])
def test_alpha_comes_back(format):
    veil = picture(90, 121)
    image = decoded(encode(picture(90, 121, 3), format, 95, veil))
    assert image.mode == "RGBA"
    np.testing.assert_array_equal(np.asarray(image)[:, :, 3], veil)


def test_jpeg_keeps_chroma_at_full_size_and_drops_alpha():
    image = decoded(encode(picture(64, 64, 3), "jpg", 95, picture(64, 64)))
    assert image.mode == "RGB"
    assert [part[1:3] for part in image.layer] == [(1, 1)] * 3
    assert "progressive" not in image.info


def test_quality_makes_a_difference():
    for format in ("jpg", "webp"):
        assert len(encode(picture(90, 90, 3), format, 40)) < len(encode(picture(90, 90, 3), format, 95))


@pytest.mark.parametrize(
    ("format", "side", "advice"), [("jpg", 65501, "png or tif"), ("webp", 16384, "png or tif"), ("png", 1000001, "tif")]
)
def test_too_large_for_the_format(format, side, advice):
    with pytest.raises(ItemError, match=f"too large for {format}.*choose format {advice}"):
        encode(np.zeros((1, side, 3), np.uint8), format)
    assert len(encode(np.zeros((1, side - 1, 3), np.uint8), format)) > 100


def test_unknown_format():
    with pytest.raises(ValueError):
        encode(picture(4, 4, 3), "gif")


@pytest.mark.parametrize("size", [0, 5, 3 << 20])
def test_publish_makes_folders_and_says_size_and_hash(tmp_path, tmp_dir, size):
    data = os.urandom(size)
    target = tmp_path / "out" / "ä b" / "c.jpg"
    assert publish(memoryview(data), target, tmp_dir) == (size, hashlib.sha256(data).hexdigest(), True)
    assert target.read_bytes() == data
    assert not list(tmp_dir.iterdir())


def test_publish_replaces_an_older_file(tmp_path, tmp_dir):
    target = tmp_path / "a.jpg"
    target.write_bytes(b"older and longer")
    publish(b"new", target, tmp_dir)
    assert target.read_bytes() == b"new"


def test_publish_moves_a_finished_file(tmp_path, tmp_dir):
    (tmp_dir / "film.part").write_bytes(b"frames")
    size, digest, _ = publish(tmp_dir / "film.part", tmp_path / "x" / "film.mkv", tmp_dir)
    assert (size, digest) == (6, hashlib.sha256(b"frames").hexdigest())
    assert (tmp_path / "x" / "film.mkv").read_bytes() == b"frames"
    assert not list(tmp_dir.iterdir())


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO])
def test_a_full_disk_stops_the_run_and_leaves_nothing(tmp_path, tmp_dir, monkeypatch, code):
    def fail(handle):
        raise OSError(code, os.strerror(code))

    (tmp_path / "a.jpg").write_bytes(b"old")
    monkeypatch.setattr(files.os, "fsync", fail)
    with pytest.raises(OutputError, match=os.strerror(code)):
        publish(b"new", tmp_path / "a.jpg", tmp_dir)
    assert (tmp_path / "a.jpg").read_bytes() == b"old"
    assert not list(tmp_dir.iterdir())


def test_a_run_whose_folder_is_gone_publishes_nothing(tmp_path):
    with pytest.raises(OutputError, match="is gone"):
        publish(b"x", tmp_path / "out" / "a.jpg", tmp_path / "gone")
    assert not (tmp_path / "out").exists()


def test_one_file_that_cannot_be_placed_fails_alone(tmp_path, tmp_dir):
    with pytest.raises(ItemError, match="name too long"):
        publish(b"x", tmp_path / ("n" * 300 + ".jpg"), tmp_dir)
    (tmp_path / "folder" / "inside").mkdir(parents=True)
    with pytest.raises(ItemError, match="in the way"):
        publish(b"x", tmp_path / "folder", tmp_dir)
    (tmp_path / "file").write_bytes(b"mine")
    with pytest.raises(ItemError, match="in the way"):
        publish(b"x", tmp_path / "file" / "a.jpg", tmp_dir)
    assert (tmp_path / "file").read_bytes() == b"mine"
    assert not list(tmp_dir.iterdir())


def test_the_file_is_synced_before_it_appears(tmp_path, tmp_dir, monkeypatch):
    seen, sync, target = [], os.fsync, tmp_path / "a.jpg"

    def watched(handle):
        seen.append(target.exists())
        sync(handle)

    monkeypatch.setattr(files.os, "fsync", watched)
    publish(b"x", target, tmp_dir)
    assert seen == [False]


def test_copy_is_byte_for_byte_and_keeps_the_time(tmp_path, tmp_dir):
    source = tmp_path / "source.jpg"
    data = os.urandom((2 << 20) + 17)
    source.write_bytes(data)
    os.utime(source, ns=(10**18, 10**18 + 123_000))
    source.chmod(0o444)
    size, digest, _ = copy_bytes(source, tmp_path / "out" / "copy.jpg", tmp_dir)
    copy = tmp_path / "out" / "copy.jpg"
    assert copy.read_bytes() == data
    assert (size, digest) == (len(data), hashlib.sha256(data).hexdigest())
    assert copy.stat().st_mtime_ns == source.stat().st_mtime_ns
    assert not list(tmp_dir.iterdir())


def test_copy_of_what_is_gone(tmp_path, tmp_dir):
    with pytest.raises(FileNotFoundError):
        copy_bytes(tmp_path / "none", tmp_path / "out", tmp_dir)
    with pytest.raises(ItemError, match="directory"):
        copy_bytes(tmp_path, tmp_path / "out", tmp_dir)
    assert not Path(tmp_path / "out").exists()
