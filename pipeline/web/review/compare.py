"""One picture under several nets, palettes and saturations: a sheet or a page to choose from."""

from __future__ import annotations

import base64
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.colour.palette import repainted
from pipeline.colour.recipe import Look, coloured
from pipeline.ground.errors import InputError, ItemError, SettingsError
from pipeline.ground.files import words
from pipeline.ground.hints import PALETTES
from pipeline.ground.settings import Settings
from pipeline.ground.storage import brought
from pipeline.media.photo.caption import Caption, captioned
from pipeline.nets.resolve import find_net
from pipeline.run.engine import settled_net
from pipeline.web.gallery.words import escaped
from pipeline.web.review.small import jpeg, read_small

MOST: Final = 64
_GAP: Final = 12  # pixels
_STYLE: Final = (
    "body{margin:0;padding:16px;background:#f5f4f0;color:#21201d;font:15px/1.45 system-ui,sans-serif}"
    "ol{list-style:none;margin:0;padding:0;display:grid;gap:16px;"
    "grid-template-columns:repeat(auto-fill,minmax(min(100%,320px),1fr))}"
    "img{display:block;width:100%;height:auto;border-radius:6px}p{overflow-wrap:anywhere}"
    "@media(prefers-color-scheme:dark){body{background:#161514;color:#eceae5}}"
)


@dataclass(frozen=True, slots=True)
class Variant:
    """One way to colour a picture.

    Attributes:
        number: from 1.
        model, palette: by name.
        saturation: factor on chroma.
    """

    number: int
    model: str
    palette: str
    saturation: float

    @property
    def label(self) -> str:
        """What stands below it."""
        return f"{self.number}: {Path(self.model).name}, {self.palette}, saturation {self.saturation:g}"


@dataclass(frozen=True, slots=True)
class Shown:
    """A picture as it is looked at: uint8 RGB (H, W, 3), and what stands below."""

    pixels: NDArray[np.uint8]
    label: str


def variants(models: Sequence[str], palettes: Sequence[str], saturations: Sequence[float]) -> list[Variant]:
    """Return every combination, in this order: models, palettes, saturations, the last changing first.

    Raises:
        SettingsError: too many, or one that is none.
    """
    for palette in palettes:
        if palette not in PALETTES:
            raise SettingsError(f"--palettes: {palette} is not {', '.join(PALETTES[:-1])} or {PALETTES[-1]}.")
    for saturation in saturations:
        if not 0 <= saturation <= 3:
            raise SettingsError(f"--saturations: {saturation:g} is not a number from 0 to 3.")
    found = [Variant(number, *each) for number, each in enumerate(product(models, palettes, saturations), 1)]
    if len(found) > MOST:
        raise SettingsError(f"These are {len(found)} variants, and up to {MOST} are shown: name fewer.")
    return found


def shown(source: Path, wanted: Sequence[Variant], settings: Settings, side: int) -> Iterator[Shown]:
    """Yield the picture as it is, then each variant; one net is loaded at a time.

    Args:
        source: the original.
        wanted: see `variants`.
        settings: everything else.
        side: longest side in pixels.

    Raises:
        InputError: it is not there, or cannot be read as a picture.
        ModelError: a net is missing or unfit.
    """
    by_model = {each.model: replace(settings, model=each.model, palette="plain") for each in wanted}
    specs = {model: find_net(own) for model, own in by_model.items()}  # all are looked for before any works
    try:
        with brought(source) as near:
            small = read_small(near, settings, side, {spec.input_size for spec in specs.values()})
    except FileNotFoundError:
        raise InputError(f"{source} is not there.") from None
    except ItemError as error:
        raise InputError(f"{source}: {error}.") from None
    except OSError as error:
        raise InputError(f"{source} cannot be read: {words(error)}.") from None
    yield Shown(small.shown(small.pixels), "as it is")
    for model, own in by_model.items():
        net, answers = settled_net(own), dict[str, NDArray[np.float32]]()
        for each in (each for each in wanted if each.model == model):
            if each.palette not in answers:
                answers[each.palette] = repainted(net, each.palette).predict(small.lightness[net.spec.input_size])
            look = Look(each.saturation, settings.lightness, tones=small.tones)
            made = coloured(small.pixels, answers[each.palette], look)
            yield Shown(small.shown(made), each.label)


def sheet(tiles: Sequence[Shown]) -> NDArray[np.uint8]:
    """Return all in one picture, row by row, with what they are below: uint8 RGB."""
    labelled = [captioned(each.pixels, Caption(each.label)) for each in tiles]
    height, width = labelled[0].shape[:2]
    columns = max(1, math.ceil(math.sqrt(len(tiles) * height / width)))
    rows = math.ceil(len(tiles) / columns)
    canvas = np.full((rows * (height + _GAP) + _GAP, columns * (width + _GAP) + _GAP, 3), 255, np.uint8)
    for number, tile in enumerate(labelled):
        top, left = _GAP + number // columns * (height + _GAP), _GAP + number % columns * (width + _GAP)
        canvas[top : top + height, left : left + width] = tile
    return canvas


def page(tiles: Sequence[Shown], title: str) -> str:
    """Return a page of one file that shows all, and loads nothing."""
    items = "\n".join(
        f'<li><img alt="The picture, {escaped(each.label)}" src="data:image/jpeg;base64,'
        f'{base64.b64encode(jpeg(each.pixels)).decode()}"><p>{escaped(each.label)}</p></li>'
        for each in tiles
    )
    policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>Variants of {escaped(title)}</title>\n<style>{_STYLE}</style>\n</head>\n"
        f"<body>\n<main>\n<h1>Variants of {escaped(title)}</h1>\n<ol>\n{items}\n</ol>\n</main>\n</body>\n</html>\n"
    )


def encoded(tiles: Sequence[Shown], suffix: str, title: str) -> bytes:
    """Return a sheet or a page by the suffix of its file: .jpg, .png or .html."""
    if suffix == ".html":
        return page(tiles, title).encode("utf-8", "backslashreplace")
    if suffix == ".png":
        return bytes(cv2.imencode(".png", sheet(tiles)[:, :, ::-1])[1])
    return jpeg(sheet(tiles))
