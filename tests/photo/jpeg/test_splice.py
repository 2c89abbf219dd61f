import contextlib
import io

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from pipeline.ground.errors import ItemError
from pipeline.media.photo.jpeg.record import Edit, apply, inverse, is_record, original, segment
from pipeline.media.photo.jpeg.segments import DQT, SOS, body_of, parse
from pipeline.media.photo.jpeg.splice import refusal, splice
from tests.photo.jpeg.conftest import KINDS, as_colour, as_grey, chroma, grey_jpeg, textured

SHAPES = [(1, 1), (1, 2), (2, 1), (7, 9), (8, 8), (15, 17), (16, 16), (33, 8), (1, 700), (700, 1), (9, 1030), (64, 121)]
SAMPLING = ["4:2:0", "4:4:4"]


def planes(height, width, sampling="4:2:0"):
    return chroma((height + 1) // 2, (width + 1) // 2) if sampling == "4:2:0" else chroma(height, width)


def coloured(source, **wanted):
    frame = parse(source).frame
    return splice(source, *planes(frame.height, frame.width), **wanted)


def hold(source, made):
    """The luma of both is the same, in both decoders, and the original comes out again."""
    np.testing.assert_array_equal(as_grey(made), as_grey(source))
    image = Image.open(io.BytesIO(made))
    assert image.mode == "RGB"
    image.draft("L", image.size)
    np.testing.assert_array_equal(np.asarray(image), np.asarray(Image.open(io.BytesIO(source))))
    assert original(made) == source


def with_segment(source, marker, body, at=2):
    return source[:at] + segment(marker, body) + source[at:]


@pytest.mark.parametrize("sampling", SAMPLING)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kind", KINDS)
def test_luma_is_equal_and_the_original_comes_back(kind, shape, sampling):
    source = grey_jpeg(kind, textured(*shape))
    made = splice(source, *planes(*shape, sampling))
    hold(source, made)
    assert as_colour(made).shape == (*shape, 3)


@pytest.mark.parametrize("sampling", SAMPLING)
def test_chroma_is_what_was_given(source, sampling):
    cb, cr = planes(75, 101, sampling)
    image = Image.open(io.BytesIO(splice(source, cb, cr, quality=97)))
    image.draft("YCbCr", image.size)
    seen = np.asarray(image).astype(int)
    for number, plane in ((1, cb), (2, cr)):
        wanted = cv2.resize(plane, (101, 75)).astype(int)
        assert np.abs(seen[:, :, number] - wanted).mean() < 1.5
    assert image.layer[0][1:3] == ((2, 2) if sampling == "4:2:0" else (1, 1))


def test_the_coded_luma_is_the_sources_own(source):
    made = coloured(source)
    before, after = parse(source), parse(made)
    scans = [scan for scan in after.scans if scan.components == (1,)]
    assert [made[scan.segment.body : scan.end] for scan in scans] == [
        source[scan.segment.body : scan.end] for scan in before.scans
    ]
    assert {scan.components for scan in after.scans} == {(1,), (2,), (3,)}
    kept = [source[part.start : part.end] for part in before.segments if part.marker >= 0xE0]
    assert kept == [made[part.start : part.end] for part in after.segments if part.marker >= 0xE0][: len(kept)]


def test_the_same_input_gives_the_same_bytes(source):
    assert coloured(source) == coloured(source)


def test_bytes_after_the_end_are_kept(source):
    trailing = source + b"\xff\xd8 a second picture \xff\xd9" + bytes(range(256))
    made = coloured(trailing)
    assert made.endswith(trailing[len(source) :])
    hold(trailing, made)


@pytest.mark.parametrize("number", [0, 2, 82, 255])
def test_component_ids_other_than_1(source, number):
    jpeg = parse(source)
    edits = [Edit(jpeg.frame.segment.body + 6, jpeg.frame.segment.body + 7, bytes((number,)))]
    edits += [Edit(scan.segment.body + 1, scan.segment.body + 2, bytes((number,))) for scan in jpeg.scans]
    renamed = apply(source, edits)
    made = coloured(renamed)
    assert [part.id for part in parse(made).frame.components] == [1, 2, 3]
    hold(renamed, made)


@pytest.mark.parametrize("factors", [0x21, 0x22, 0x44])
def test_sampling_factors_of_grey_mean_nothing(source, factors):
    at = parse(source).frame.segment.body + 7
    odd = source[:at] + bytes((factors,)) + source[at + 1 :]
    hold(odd, coloured(odd))


@pytest.mark.parametrize("jfif", [True, False])
@pytest.mark.parametrize("transform", [0, 1, 2])
def test_adobes_flag_does_not_make_it_rgb(transform, jfif):
    source = grey_jpeg("baseline", textured(40, 50))
    if not jfif:
        source = source[:2] + source[parse(source).segments[0].end :]
    plain = coloured(source)
    marked = with_segment(source, 0xEE, b"Adobe\0\x64\0\0\0\0" + bytes((transform,)))
    made = coloured(marked)
    np.testing.assert_array_equal(as_colour(made), as_colour(plain))
    hold(marked, made)


def test_without_any_application_segment_it_is_ycbcr():
    source = grey_jpeg("baseline", textured(40, 50))
    with_jfif = as_colour(coloured(source))
    bare = source[:2] + source[parse(source).segments[0].end :]
    np.testing.assert_array_equal(as_colour(coloured(bare)), with_jfif)
    hold(bare, coloured(bare))


@pytest.mark.parametrize("taken", [{1}, {1, 2}, {1, 2, 3}, {0, 1, 2}])
def test_quantization_tables_do_not_collide(taken):
    source = grey_jpeg("baseline", textured(40, 50))
    body = next(body_of(source, part) for part in parse(source).segments if part.marker == DQT)
    at = parse(source).scans[0].segment.start
    crowded = source
    for slot in taken - {0}:
        crowded = with_segment(crowded, DQT, bytes((slot,)) + body[1:], at)
    if len(taken | {0}) == 4:
        with pytest.raises(ItemError, match="tables are taken"):
            coloured(crowded)
    else:
        hold(crowded, coloured(crowded))


@pytest.mark.filterwarnings("ignore:.*MPO", "ignore:Corrupt EXIF")
def test_the_index_of_a_multi_picture_file_is_put_aside():
    source = grey_jpeg("baseline", textured(40, 50))
    multi = with_segment(source, 0xE2, b"MPF\0II*\0" + bytes(60), parse(source).segments[0].end) + source
    made = coloured(multi)
    assert not any(made.startswith(b"MPF", part.body) for part in parse(made).segments)
    hold(multi, made)
    Image.open(io.BytesIO(made)).load()


def test_metadata_can_be_replaced_added_and_dropped(source):
    first = parse(source).segments[0]
    big = with_segment(source, 0xE1, b"Exif\0\0" + bytes(50_000), first.end)
    big = with_segment(big, 0xE2, b"ICC_PROFILE\0\1\1" + bytes(40_000), first.end)
    profile, exif = parse(big).segments[1:3]
    edits = [Edit(profile.start, profile.end, segment(0xE2, b"another")), Edit(exif.start, exif.end, b"")]
    edits.append(Edit(exif.end, exif.end, segment(0xE1, b"added")))
    made = coloured(big, edits=edits)
    assert sum(is_record(made, part) for part in parse(made).segments) == 2
    hold(big, made)
    bodies = [body_of(made, part) for part in parse(made).segments]
    assert b"another" in bodies
    assert b"added" in bodies
    assert not any(body.startswith((b"Exif\0\0\0", b"ICC")) for body in bodies)


def test_edits_that_overlap_are_refused(source):
    at = parse(source).frame.segment.body
    with pytest.raises(ValueError, match="overlap"):
        coloured(source, edits=[Edit(at, at + 1, b"")])


def test_a_record_of_an_older_colour_is_put_aside(source):
    older = coloured(source)
    part = next(part for part in parse(older).segments if is_record(older, part))
    carried = with_segment(source, 0xEF, body_of(older, part), parse(source).segments[0].end)
    made = coloured(carried)
    assert sum(is_record(made, part) for part in parse(made).segments) == 1
    hold(carried, made)


def test_without_a_record_there_is_no_original(source):
    made = coloured(source, keep=False)
    np.testing.assert_array_equal(as_grey(made), as_grey(source))
    for data in (source, made):
        with pytest.raises(ItemError, match="no original inside"):
            original(data)


def test_a_changed_file_is_noticed(source):
    made = coloured(source)
    scan = parse(made).scans[0]
    for changed in (
        made[: scan.segment.end] + bytes((made[scan.segment.end] ^ 1,)) + made[scan.segment.end + 1 :],
        with_segment(made, 0xFE, b"a comment"),
        made + b"more",
    ):
        with pytest.raises(ItemError, match="original inside"):
            original(changed)


@pytest.mark.parametrize("shape", [(40, 49), (20, 24), (40, 50, 1), (80, 100)])
def test_planes_of_another_size_are_refused(shape):
    with pytest.raises(ValueError, match="shapes"):
        splice(grey_jpeg("baseline", textured(40, 50)), *np.zeros((2, *shape), np.uint8))


def test_colour_is_refused():
    data = cv2.imencode(".jpg", np.zeros((20, 30, 3), np.uint8))[1].tobytes()
    assert refusal(parse(data)) == "stored with 3 components"
    with pytest.raises(ItemError, match="3 components"):
        coloured(data)


def test_12_bits_are_refused():
    source = grey_jpeg("baseline", textured(40, 50))
    at = parse(source).frame.segment.body
    assert refusal(parse(source[:at] + b"\x0c" + source[at + 1 :])) == "12-bit JPEG"


def test_an_incomplete_progressive_picture_is_refused():
    source = grey_jpeg("progressive", textured(40, 50))
    jpeg = parse(source)
    assert refusal(jpeg) == ""
    for scan in jpeg.scans[1:]:
        assert refusal(parse(source[: scan.segment.start] + source[scan.end :])).startswith("progressive")


def test_two_scans_of_a_baseline_picture_are_refused():
    source = grey_jpeg("baseline", textured(40, 50))
    scan = parse(source).scans[0]
    assert refusal(parse(source[: scan.end] + source[scan.segment.start :])) == "more than one scan"


@settings(max_examples=200)
@given(data=st.binary(max_size=60), cuts=st.lists(st.tuples(st.integers(0, 60), st.binary(max_size=9)), max_size=8))
def test_edits_can_be_undone(data, cuts):
    places = sorted(min(at, len(data)) for at, _ in cuts)
    pairs = zip(places[::2], places[1::2], strict=False)
    edits = [Edit(start, end, new) for (start, end), (_, new) in zip(pairs, cuts, strict=False)]
    assert apply(apply(data, edits), inverse(data, edits)) == data


@settings(max_examples=300)
@given(
    kind=st.sampled_from(KINDS),
    changes=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), min_size=1, max_size=6),
    head=st.booleans(),
    cut=st.floats(0.2, 1.5),
)
def test_damaged_input_ends_in_a_phrase(kind, changes, head, cut):
    source = bytearray(grey_jpeg(kind, textured(40, 50)))
    reach = parse(bytes(source)).scans[0].segment.end if head else len(source)
    for place, value in changes:
        source[int(place * (reach - 1))] = value
    damaged = bytes(source[: int(cut * len(source))])
    made = None
    with contextlib.suppress(ItemError):
        frame = parse(damaged).frame
        if frame.height * frame.width < 1_000_000:
            made = splice(damaged, *planes(frame.height, frame.width))
    if made is not None:
        assert original(made) == damaged


@settings(max_examples=200)
@given(changes=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), min_size=1, max_size=4), near=st.booleans())
def test_a_damaged_record_ends_in_a_phrase(changes, near):
    source = grey_jpeg("baseline", textured(40, 50))
    made = bytearray(coloured(source))
    part = next(part for part in parse(bytes(made)).segments if is_record(bytes(made), part))
    low, high = (part.body, part.end) if near else (0, len(made))
    for place, value in changes:
        made[low + int(place * (high - low - 1))] = value
    with contextlib.suppress(ItemError):
        assert original(bytes(made)) == source


def test_scan_headers_use_their_own_tables(source):
    made = coloured(source)
    for scan in parse(made).scans:
        if scan.components != (1,):
            assert set(made[scan.segment.body + 2 : scan.segment.body + 3]) <= {0x01, 0x10, 0x11}
    assert sum(part.marker == SOS for part in parse(made).segments) == len(parse(made).scans)
