"""The table of docs/fidelity.md, measured: copies are read back with exiftool, djpeg, jpegtran, tifffile and Pillow."""

from __future__ import annotations

import io
import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image, ImageSequence

from pipeline.ground.items import Kind
from pipeline.media.photo.jpeg import turbo
from pipeline.media.photo.jpeg.record import original
from tests.conftest import landscape
from tests.media.conftest import XMP, Make, exif, grey_source

tifffile = pytest.importorskip("tifffile", reason="reads 16 bits of colour; extra: scans")
DOCUMENT = Path(__file__).parents[2] / "docs" / "fidelity.md"
TOOLS = ("exiftool", "djpeg", "jpegtran")
needs_tools = pytest.mark.skipif(
    not all(map(shutil.which, TOOLS)) or not turbo.available(), reason=f"{', '.join(TOOLS)} are not installed"
)
GREY = landscape(3, 61, 83)
SEPIA = np.dstack([GREY, GREY * 0.85, GREY * 0.7]).astype(np.uint8)
VEIL = np.linspace(40, 220, GREY.size).reshape(GREY.shape).astype(np.uint8)


def _with(tag: str, value: object) -> Callable[[bytes], bytes]:
    """Return what adds metadata to a file by exiftool, which knows all formats."""

    def add(data: bytes) -> bytes:
        return subprocess.run(["exiftool", f"-{tag}={value}", "-"], input=data, capture_output=True, check=True).stdout

    return add


def _saved(image: Image.Image, format: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def _said(format: str, image: Image.Image, **options: object) -> bytes:
    """A picture with EXIF, XMP, IPTC and resolution, in a format that is not grey."""
    data = _saved(image, format, exif=exif(1).tobytes(), dpi=(300, 300), **options)
    data = _with("XMP-dc:Source", "box 7")(data)
    return _with("IPTC:Caption-Abstract", "a caption")(data) if format == "JPEG" else data


# Column -> name of the source, its bytes, and the same with transparency where the format has it.
SOURCES: dict[str, tuple[str, Callable[[], bytes]]] = {
    "JPEG, grey": ("a.jpg", lambda: grey_source("jpg")),
    "JPEG, toned": ("b.jpg", lambda: _said("JPEG", Image.fromarray(SEPIA), quality=90)),
    "JPEG, CMYK": ("c.jpg", lambda: _said("JPEG", Image.fromarray(GREY).convert("CMYK"), quality=90)),
    "PNG": ("d.png", lambda: grey_source("png")),
    "TIFF": ("e.tif", lambda: grey_source("tif")),
    "WebP, lossless": ("f.webp", lambda: grey_source("webp")),
    "WebP, lossy": ("g.webp", lambda: _saved(Image.fromarray(GREY).convert("RGB"), "WEBP", exif=exif(1), xmp=XMP)),
}
VEILED = {
    "PNG": lambda: _saved(_veiled(), "PNG"),
    "TIFF": lambda: _saved(_veiled(), "TIFF"),
    "WebP, lossless": lambda: _saved(_veiled(), "WEBP", lossless=True, exact=True),
    "WebP, lossy": lambda: _saved(_veiled(), "WEBP"),
}
# The same in 16 bits, and as several pictures in one file: where the format has that.
DEEP = GREY.astype(np.uint16) * 256 + VEIL
DEEPER = {"PNG": lambda: _saved(Image.fromarray(DEEP), "PNG"), "TIFF": lambda: _saved(Image.fromarray(DEEP), "TIFF")}
_GREYS = [GREY, GREY[::-1], GREY[:, ::-1]]
SEVERAL: dict[str, tuple[str, dict[str, object]]] = {
    "JPEG, grey": ("MPO", {"quality": 90}),
    "PNG": ("PNG", {}),
    "TIFF": ("TIFF", {"compression": "tiff_lzw"}),
    "WebP, lossless": ("WEBP", {"lossless": True}),
    "WebP, lossy": ("WEBP", {}),
}


def _several(column: str) -> bytes:
    format, options = SEVERAL[column]
    first, *others = (Image.fromarray(np.ascontiguousarray(grey)) for grey in _GREYS)
    return _saved(first, format, save_all=True, append_images=others, **options)


def _veiled() -> Image.Image:
    return Image.fromarray(np.dstack([GREY] * 3 + [VEIL]))


def told(path: Path) -> dict[str, object]:
    """All that exiftool reads in a file."""
    run = subprocess.run(["exiftool", "-j", "-G0", "-n", str(path)], capture_output=True, text=True, check=True)
    found: dict[str, object] = json.loads(run.stdout)[0]
    return found


def _kept(before: dict[str, object], after: dict[str, object], name: str) -> str:
    if name not in before:
        return "-"
    return "kept" if after.get(name) == before[name] else "dropped"


def _luma(path: Path) -> bytes:
    """The luma as djpeg or Pillow decodes it."""
    if path.suffix == ".jpg":
        command = ["djpeg", "-grayscale", str(path)]
        return subprocess.run(command, capture_output=True, check=False).stdout
    return Image.open(path).convert("L").tobytes()


def _luma_row(source: Path, output: Path) -> str:
    if _luma(source) != _luma(output):
        return "coded anew"
    if output.suffix != ".jpg":
        return "exact"
    coefficients = [
        subprocess.run(["jpegtran", "-grayscale", str(path)], capture_output=True, check=True).stdout
        for path in (source, output)
    ]
    return "exact, not decoded" if coefficients[0] == coefficients[1] else "exact"


def _orientation_row(make: Make, name: str, data: bytes) -> str:
    turned = _with("Orientation#", 6)(data)
    _, output = make(turned, name)
    source = told(output.parent.parent / name)
    same = told(output)["Composite:ImageSize"] == source["Composite:ImageSize"]
    tag = told(output).get("EXIF:Orientation", 1)
    return {(True, 6): "tag kept", (False, 1): "applied"}.get((same, int(str(tag))), "wrong")


def _alpha_row(make: Make, column: str, name: str) -> str:
    if column not in VEILED:
        return "-"
    _, output = make(VEILED[column](), name)
    alpha = np.asarray(Image.open(output).convert("RGBA"))[..., 3]
    return "kept" if np.abs(alpha.astype(int) - VEIL).max() == 0 else "dropped"


def _depth_row(make: Make, column: str, name: str) -> str:
    """The bits of a sample as exiftool reads them, of sources of 8 and of 16; of these each level counts."""
    found = [_bits(make(SOURCES[column][1](), name)[1])]
    if column in DEEPER:
        output = make(DEEPER[column](), name)[1]
        found.append(_bits(output))
        exact = np.array_equal(cv2.cvtColor(_rgb16(output), cv2.COLOR_RGB2GRAY), DEEP)
        return " and ".join(map(str, found)) if exact else "levels lost"
    return str(found[0])


def _bits(path: Path) -> int:
    said = told(path)
    if path.suffix == ".webp":  # which knows no other
        return 8
    tag = {".png": "PNG:BitDepth", ".tif": "EXIF:BitsPerSample", ".jpg": "File:BitsPerSample"}[path.suffix]
    return int(str(said[tag]).split()[0])


def _rgb16(path: Path) -> np.ndarray:
    """Colours of 16 bits, which Pillow has not: by tifffile, or OpenCV."""
    if path.suffix == ".tif":
        made: np.ndarray = tifffile.imread(path)
        return made
    return cv2.cvtColor(cv2.imread(str(path), cv2.IMREAD_UNCHANGED), cv2.COLOR_BGR2RGB)


def _pages_row(make: Make, column: str, name: str) -> str:
    """Which of three pictures in one file Pillow finds in the copy, by their luma."""
    if column not in SEVERAL:
        return "-"
    data = _several(column)
    result, output = make(data, name, kind=Kind.PAGES if column == "TIFF" else Kind.PHOTO)
    with Image.open(io.BytesIO(data)) as image:
        wanted = [np.asarray(frame.convert("L")).astype(int) for frame in ImageSequence.Iterator(image)]
    with Image.open(output) as image:
        made = [np.asarray(frame.convert("L")).astype(int) for frame in ImageSequence.Iterator(image)]
    limit = 8 if column == "WebP, lossy" else 0
    alike = all(np.abs(one - other).max() <= limit for one, other in zip(made, wanted, strict=False))
    if len(wanted) != 3 or not alike:
        return "wrong"
    if len(made) == 3:
        return "all"
    if len(made) == 1 and "first of 3 frames" in result.reason:
        return "the first; said"
    behind = output.read_bytes().endswith(data[-len(data) // 3 :])
    return "the first; the others behind it, uncoloured" if len(made) == 1 and behind else "wrong"


def _column(make: Make, column: str) -> dict[str, str]:
    name, data = SOURCES[column][0], SOURCES[column][1]()
    _, output = make(data, name)
    source = output.parent.parent / name
    before, after = told(source), told(output)
    try:
        inside = original(output.read_bytes()) == data
    except Exception:  # no JPEG, or none inside
        inside = False
    found = {"luma": _luma_row(source, output), "original inside": "byte for byte" if inside else "no"}
    for row, tag in {
        "EXIF": "EXIF:Artist",
        "IPTC": "IPTC:Caption-Abstract",
        "XMP": "XMP:Source",
        "resolution": "EXIF:XResolution" if "EXIF:XResolution" in before else "JFIF:XResolution",
    }.items():
        found[row] = _kept(before, after, tag)
    if "PNG" in column:
        found["resolution"] = _kept(before, after, "PNG:PixelsPerUnitX")
    found["profile"] = "tones kept" if "ICC_Profile:RedTRC" in after else "dropped" if _has_profile(before) else "-"
    found["orientation"] = _orientation_row(make, name, data)
    found["alpha"] = _alpha_row(make, column, name)
    found["depth"], found["pages"] = _depth_row(make, column, name), _pages_row(make, column, name)
    return found


def _has_profile(before: dict[str, object]) -> bool:
    return any(key.startswith("ICC_Profile:") for key in before)


ROWS = (
    "luma", "original inside", "depth", "orientation", "EXIF", "IPTC", "XMP", "profile", "resolution", "alpha", "pages",
)  # fmt: skip


@needs_tools
def test_the_table_of_the_document_is_what_other_tools_read(make: Make) -> None:
    columns = {column: _column(make, column) for column in SOURCES}
    lines = ["| | " + " | ".join(columns) + " |", "|" + "---|" * (len(columns) + 1)]
    lines += [f"| {row} | " + " | ".join(found[row] for found in columns.values()) + " |" for row in ROWS]
    written = re.search(r"<!-- measured -->\n(.*?)\n<!-- end -->", DOCUMENT.read_text(), re.S)
    assert written
    assert written[1] == "\n".join(lines)
