import time

import cv2
import numpy as np
import pytest

from pipeline.ground.errors import ItemError
from pipeline.media.photo.jpeg.segments import APP0, DHT, DQT, SOF0, SOF2, parse
from tests.photo.jpeg.conftest import grey_jpeg, textured

PLAIN = grey_jpeg("baseline", textured(40, 50))


def frame_at(data):
    return parse(data).frame.segment.body


def test_every_byte_belongs_to_something(source):
    data = source + b"trailer"
    jpeg = parse(data)
    ends = {scan.segment: scan.end for scan in jpeg.scans}
    at = 2
    for part in jpeg.segments:
        assert part.start == at
        at = ends.get(part, part.end)
    assert at == jpeg.end_marker
    assert data[jpeg.end :] == b"trailer"


def test_what_a_baseline_file_holds():
    jpeg = parse(PLAIN)
    assert {APP0, DQT, DHT, SOF0} <= {part.marker for part in jpeg.segments}
    assert (jpeg.frame.height, jpeg.frame.width, jpeg.frame.bits) == (40, 50, 8)
    assert [part.id for part in jpeg.frame.components] == [1]
    assert len(jpeg.scans) == 1
    assert jpeg.restart == 0
    assert parse(grey_jpeg("restarts", textured(40, 50))).restart > 0


def test_what_a_progressive_file_holds():
    jpeg = parse(grey_jpeg("progressive", textured(40, 50)))
    assert jpeg.frame.segment.marker == SOF2
    assert jpeg.frame.progressive
    assert (jpeg.scans[0].first, jpeg.scans[0].high) == (0, 0)
    assert len(jpeg.scans) > 3


def test_colour_and_its_sampling():
    data = cv2.imencode(".jpg", np.zeros((20, 30, 3), np.uint8))[1].tobytes()
    assert [(part.id, part.across, part.down) for part in parse(data).frame.components] == [
        (1, 2, 2),
        (2, 1, 1),
        (3, 1, 1),
    ]


def test_fill_bytes_and_rubbish_between_segments_are_passed_over():
    at = parse(PLAIN).frame.segment.start
    jpeg = parse(PLAIN[:at] + b"rubbish\xff\x00\xff\xd0\xff\xff\xff" + PLAIN[at:])
    assert jpeg.frame.width == 50
    assert jpeg.frame.segment.start == at


@pytest.mark.parametrize("data", [b"", b"\xff", b"GIF89a", b"\0" * 100, b"\xff\xd9"])
def test_no_jpeg(data):
    with pytest.raises(ItemError, match="not a JPEG"):
        parse(data)


def test_every_cut_is_truncated():
    for length in (*range(2, 700), len(PLAIN) - 1, len(PLAIN) - 2):
        with pytest.raises(ItemError, match="truncated"):
            parse(PLAIN[:length])


@pytest.mark.parametrize(
    ("marker", "words"),
    [(0xC3, "lossless"), (0xC9, "arithmetic"), (0xCC, "arithmetic"), (0xC5, "hierarchical"), (0xDC, "DNL")],
)
def test_kinds_that_nobody_reads(marker, words):
    at = frame_at(PLAIN) - 3
    with pytest.raises(ItemError, match=words):
        parse(PLAIN[:at] + bytes((marker,)) + PLAIN[at + 1 :])


@pytest.mark.parametrize(
    ("offset", "value", "words"),
    [
        (1, b"\0\0", "DNL"),  # height
        (3, b"\0\0", "no sense"),  # width
        (5, b"\2", "wrong length"),
        (7, b"\0", "no sense"),  # sampling
        (7, b"\x51", "no sense"),
        (8, b"\4", "no sense"),  # quantization table
        (6, b"\2", "not there"),  # an id that the scan doesn't know
        (-2, b"\0\1", "without a length"),
    ],
)
def test_frame_headers_that_make_no_sense(offset, value, words):
    at = frame_at(PLAIN) + offset
    with pytest.raises(ItemError, match=words):
        parse(PLAIN[:at] + value + PLAIN[at + len(value) :])


@pytest.mark.parametrize("marker", [0xD8, 0x02, 0xBF, 0xDE, 0xF0, 0xFD])
def test_markers_without_meaning(marker):
    with pytest.raises(ItemError, match=f"marker {marker:02X}"):
        parse(PLAIN[:2] + bytes((0xFF, marker, 0, 2)) + PLAIN[2:])


def test_two_frames_no_frame_no_scan():
    frame = parse(PLAIN).frame.segment
    header, first = PLAIN[frame.start : frame.end], parse(PLAIN).scans[0].segment
    with pytest.raises(ItemError, match="two frame headers"):
        parse(PLAIN[: frame.end] + header + PLAIN[frame.end :])
    with pytest.raises(ItemError, match="before its frame"):
        parse(PLAIN[: frame.start] + PLAIN[frame.end :])
    with pytest.raises(ItemError, match="without a picture"):
        parse(PLAIN[: first.start] + b"\xff\xd9")


@pytest.mark.parametrize("repeated", ["segment", "scan"])
def test_too_many_of_anything_is_refused_at_once(repeated):
    scan = parse(PLAIN).scans[0]
    piece = b"\xff\xfe\0\2" * 5000 if repeated == "segment" else PLAIN[scan.segment.start : scan.end] * 300
    with pytest.raises(ItemError, match="more than 200 scans or 4,096 segments"):
        parse(PLAIN[: scan.segment.start] + piece + PLAIN[scan.segment.start :])


@pytest.mark.parametrize("filler", [b"\xff", b"\xff\x00", b"\xff\xd0", b"\xff\x01", b"\x00", b"\xff\xff\x00"])
def test_time_is_linear_in_what_is_passed_over(filler):
    scan = parse(PLAIN).scans[0]
    junk = filler * (3_000_000 // len(filler))
    began = time.process_time()
    parse(PLAIN[: scan.segment.start] + junk + PLAIN[scan.segment.start : scan.end] + junk + b"\xff\xd9")
    assert time.process_time() - began < 2
