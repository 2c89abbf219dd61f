"""Makes black-and-white prints of photographs as archives hold them: ten kinds; and what colour pictures suffer.

Pictures are float32, 0..1, BGR (H, W, 3) or grey (H, W), sRGB. Everything is drawn from one `Generator`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating[Any]]
Random = np.random.Generator
Range = tuple[float, float]


def slow(rng: Random, shape: tuple[int, int], cells: int = 4) -> Floats:
    """Return a smooth random field (H, W) of mean 0 and deviation 1."""
    small = rng.normal(0, 1, (cells, cells)).astype(np.float32)
    field = cv2.resize(small, shape[::-1], interpolation=cv2.INTER_CUBIC)
    return ((field - field.mean()) / max(float(field.std()), 1e-3)).astype(np.float32)


def from_lab(lightness: Floats, a: Floats, b: Floats) -> Floats:
    """Return the BGR of lightness 0..100 and ab, (H, W) each, clipped to sRGB."""
    lab = np.dstack([lightness, a, b]).astype(np.float32)
    return np.clip(cv2.cvtColor(lab, cv2.COLOR_LAB2BGR), 0, 1).astype(np.float32)


def colour(rng: Random, lightness: Range, chroma: Range, hues: Range) -> Floats:
    """Draw a colour, BGR (3,), from ranges in Lab (hues in degrees)."""
    light, strength, hue = rng.uniform(*lightness), rng.uniform(*chroma), np.radians(rng.uniform(*hues))
    spot = np.ones((1, 1), np.float32)
    return from_lab(spot * light, spot * strength * np.cos(hue), spot * strength * np.sin(hue))[0, 0]


def by_curves(rng: Random, grey: Floats, dark: Floats, light: Floats, bend: float) -> Floats:
    """Tone by a curve for each channel, from a dark to a light colour (BGR, (3,))."""
    gammas = np.exp(rng.normal(0, bend, 3)).astype(np.float32)
    ramp = np.dstack([grey**gamma for gamma in gammas])
    return (dark + (light - dark) * ramp).astype(np.float32)


def toned(rng: Random, grey: Floats) -> Floats:
    """Sepia, brown, selenium, green or any other single hue, weak to strong, strongest at some lightness."""
    hue = np.radians(rng.normal(70, 18) if rng.random() < 0.6 else rng.uniform(0, 360))
    strength = np.exp(rng.uniform(np.log(2.5), np.log(45)))
    lightness = 100 * grey
    peak, width = rng.uniform(0.1, 1.0), rng.uniform(0.3, 1.2)
    chroma = strength * np.exp(-(((grey - peak) / width) ** 2))
    turn = hue + rng.normal(0, 0.25) * (grey - 0.5)
    return from_lab(lightness, (chroma * np.cos(turn)).astype(np.float32), (chroma * np.sin(turn)).astype(np.float32))


def deep(rng: Random, grey: Floats) -> Floats:
    """One strong ink or lamp: orange, purple, red, blue, up to a mean chroma of 95."""
    ink = colour(rng, (35, 75), (50, 110), (0, 360))
    dark, light = ink * rng.uniform(0, 0.5), 1 - (1 - ink) * rng.uniform(0.1, 1.0)
    curved = by_curves(rng, grey, dark.astype(np.float32), light.astype(np.float32), 0.25)
    # The ink itself lies in the middle tones.
    middle = (4 * grey * (1 - grey))[:, :, np.newaxis] * rng.uniform(0, 1)
    return np.clip(curved * (1 - middle) + ink * middle, 0, 1).astype(np.float32)


def split(rng: Random, grey: Floats) -> Floats:
    """Cyanotype and split tones: shadows of one hue, lights of another."""
    if rng.random() < 0.4:
        dark, light = colour(rng, (5, 35), (8, 50), (220, 290)), colour(rng, (80, 98), (0, 20), (60, 260))
    else:
        dark, light = colour(rng, (0, 35), (3, 35), (0, 360)), colour(rng, (75, 98), (3, 30), (0, 360))
    return by_curves(rng, grey, dark, light, 0.15)


def yellowed(rng: Random, grey: Floats) -> Floats:
    """Faded and yellowed: flat contrast, cream to brown paper, its strength changing over the sheet."""
    dark, light = colour(rng, (8, 45), (2, 25), (40, 95)), colour(rng, (65, 96), (6, 45), (60, 100))
    print_ = by_curves(rng, grey, dark, light, 0.15)
    strength = 1 + rng.uniform(0.05, 0.3) * slow(rng, grey.shape, int(rng.integers(2, 6)))
    return _more_chroma(print_, strength.astype(np.float32))


def _more_chroma(picture: Floats, factor: Floats | float) -> Floats:
    lab: Any = cv2.cvtColor(picture, cv2.COLOR_BGR2LAB)
    return from_lab(lab[:, :, 0], lab[:, :, 1] * factor, lab[:, :, 2] * factor)


def plain(rng: Random, grey: Floats) -> Floats:
    """Neutral, or toned weakly: what most of the other kinds begin with."""
    if rng.random() < 0.5:
        return cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR).astype(np.float32)
    return (toned, yellowed, split)[int(rng.integers(3))](rng, grey)


def stained(rng: Random, grey: Floats) -> Floats:
    """Foxing, water stains and tape: brown and yellow spots; at times a small stamp or pencil mark."""
    print_ = plain(rng, grey)
    height, width = grey.shape
    for _ in range(int(rng.integers(1, 6))):
        mask = np.zeros(grey.shape, np.float32)
        centre = int(rng.integers(width)), int(rng.integers(height))
        axes = int(rng.uniform(0.01, 0.25) * width), int(rng.uniform(0.01, 0.25) * height)
        cv2.ellipse(mask, centre, axes, rng.uniform(0, 180), 0, 360, 1.0, -1)
        mask = cv2.GaussianBlur(mask, (0, 0), rng.uniform(0.5, 0.04 * width)).astype(np.float32)
        tint = colour(rng, (55, 90), (6, 30), (50, 95))
        print_ = print_ * (1 - mask[:, :, np.newaxis] * rng.uniform(0.1, 0.5) * (1 - tint))
    print_ = print_.astype(np.float32)
    return _marked(rng, print_) if rng.random() < 0.3 else print_


def _marked(rng: Random, print_: Floats) -> Floats:
    height, width = print_.shape[:2]
    ink = [float(each) for each in colour(rng, (30, 60), (30, 80), (0, 360))]
    start = int(rng.integers(width)), int(rng.integers(height))
    end = start[0] + int(rng.uniform(-0.12, 0.12) * width), start[1] + int(rng.uniform(-0.06, 0.06) * height)
    marked = print_.copy()
    cv2.line(marked, start, end, ink, max(1, width // 150), cv2.LINE_AA)
    return marked


def moved(rng: Random, picture: Floats, reach: float) -> Floats:
    """Move, turn and scale the channels against one another by up to `reach` pixels."""
    height, width = picture.shape[:2]
    channels = []
    for channel in cv2.split(picture):
        matrix: Any = cv2.getRotationMatrix2D((width / 2, height / 2), rng.normal(0, 0.1), 1 + rng.normal(0, 0.001))
        matrix[:, 2] += rng.uniform(-reach, reach, 2) / 2
        channels.append(cv2.warpAffine(channel, matrix, (width, height), borderMode=cv2.BORDER_REFLECT))
    return np.dstack(channels).astype(np.float32)


def shifted(rng: Random, grey: Floats) -> Floats:
    """Channels that do not lie on one another: up to 2.5 pixels of 256 apart."""
    return moved(rng, plain(rng, grey), rng.uniform(0.3, 2.5) * max(grey.shape) / 256)


def cast(rng: Random, picture: Floats) -> Floats:
    """Lay a slow cast of 1 to 10 levels over the sheet, other in each channel."""
    levels = np.exp(rng.uniform(np.log(1), np.log(10))) / 255
    shape = picture.shape[:2]
    fields = np.dstack([slow(rng, shape, int(rng.integers(2, 4))) for _ in range(3)])
    return np.clip(picture + levels * fields / 1.5, 0, 1).astype(np.float32)


def uneven(rng: Random, grey: Floats) -> Floats:
    """Under an uneven light."""
    return cast(rng, plain(rng, grey))


def cardboard(rng: Random, shape: tuple[int, int]) -> Floats:
    """Return a mount: cream, yellowed, brown, grey, green or black card (H, W, 3)."""
    tint = colour(rng, (10, 97), (2, 35), (40, 110)) if rng.random() < 0.8 else colour(rng, (5, 95), (0, 30), (0, 360))
    card = np.broadcast_to(tint, (*shape, 3)) * (1 + rng.uniform(0, 0.04) * slow(rng, shape, 5))[:, :, np.newaxis]
    return (card + rng.normal(0, rng.uniform(0, 0.02), (*shape, 1))).astype(np.float32)


def table(rng: Random, shape: tuple[int, int]) -> Floats:
    """Return a table (H, W, 3): wood, cloth, plastic, a pattern, in any colour."""
    tint = colour(rng, (15, 80), (8, 70), (30, 90) if rng.random() < 0.5 else (0, 360))
    other = colour(rng, (15, 80), (5, 60), (0, 360)) if rng.random() < 0.3 else tint * rng.uniform(0.5, 1)
    cells = [(2, 40), (40, 2), (6, 6), (30, 30)][int(rng.integers(4))]
    noise = rng.normal(0, 1, cells).astype(np.float32)
    grain = cv2.resize(noise, shape[::-1], interpolation=cv2.INTER_CUBIC)
    mixed = (1 / (1 + np.exp(-2 * grain)))[:, :, np.newaxis]
    light = (1 + 0.15 * slow(rng, shape, 3))[:, :, np.newaxis]
    return np.clip((tint * mixed + other * (1 - mixed)) * light, 0, 1).astype(np.float32)


def laid(rng: Random, picture: Floats, ground: Floats, margin: tuple[float, float], turn: float) -> Floats:
    """Lay a picture on a ground of its size, its margins shares of each side, turned by up to `turn` degrees."""
    height, width = picture.shape[:2]
    left, right, top, bottom = rng.uniform(*margin, 4)
    corners = np.array([[left, top], [1 - right, top], [1 - right, 1 - bottom], [left, 1 - bottom]]) * (width, height)
    angle = np.radians(rng.uniform(-turn, turn))
    centre = corners.mean(axis=0)
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    corners = (corners - centre) @ rotation.T + centre + rng.normal(0, 0.004 * width * (turn > 0), (4, 2))
    source = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    matrix = cv2.getPerspectiveTransform(source, corners.astype(np.float32))
    mask = cv2.warpPerspective(np.ones((height, width), np.float32), matrix, (width, height))[:, :, np.newaxis]
    placed = cv2.warpPerspective(picture, matrix, (width, height), flags=cv2.INTER_AREA)
    return (placed * mask + ground * (1 - mask)).astype(np.float32)


def _edged(rng: Random, picture: Floats) -> Floats:
    """Leave a print its white or cream edge."""
    paper = np.broadcast_to(colour(rng, (80, 98), (0, 14), (50, 100)), picture.shape)
    return laid(rng, picture, paper.astype(np.float32), (0.02, 0.06), 0)


def mounted(rng: Random, grey: Floats) -> Floats:
    """In a mount of any card."""
    return on_card(rng, plain(rng, grey))


def on_card(rng: Random, picture: Floats) -> Floats:
    """Put a picture into a mount, which at times lacks on some sides."""
    card = cardboard(rng, picture.shape[:2])
    low = float(rng.choice([0.0, 0.03]))
    return laid(rng, picture, card, (low, rng.uniform(0.06, 0.28)), rng.choice([0.0, 1.5]))


def on_table(rng: Random, picture: Floats) -> Floats:
    """Photograph a picture on a table."""
    picture = _edged(rng, picture) if rng.random() < 0.5 else picture
    return laid(rng, picture, table(rng, picture.shape[:2]), (0.02, rng.uniform(0.06, 0.26)), 7)


def photographed(rng: Random, grey: Floats) -> Floats:
    """A print that was photographed on a table."""
    return on_table(rng, plain(rng, grey))


def grainy(rng: Random, grey: Floats) -> Floats:
    """A scan with colour noise in it."""
    picture = plain(rng, grey)
    return np.clip(picture + rng.normal(0, rng.uniform(0.005, 0.04), picture.shape), 0, 1).astype(np.float32)


KINDS: dict[str, Callable[[Random, Floats], Floats]] = {
    "toned": toned,
    "deep": deep,
    "split": split,
    "yellowed": yellowed,
    "stained": stained,
    "shifted": shifted,
    "cast": uneven,
    "mounted": mounted,
    "table": photographed,
    "grainy": grainy,
}


def faded(rng: Random, picture: Floats) -> Floats:
    """Let a colour print fade: weaker, with a cast, its darks lifted."""
    weak = _more_chroma(picture, rng.uniform(0.6, 1.0))
    light, dark = colour(rng, (75, 99), (0, 30), (20, 110)), colour(rng, (0, 25), (0, 20), (0, 360))
    return (dark + (light - dark) * weak).astype(np.float32)


COLOUR_KINDS: dict[str, Callable[[Random, Floats], Floats]] = {
    "colour": lambda rng, picture: picture,
    "colour faded": faded,
    "colour cast": cast,
    "colour shifted": lambda rng, picture: moved(rng, picture, rng.uniform(0.3, 2.5) * max(picture.shape) / 256),
    "colour mounted": on_card,
    "colour table": on_table,
}


def filed(rng: Random, picture: Floats) -> npt.NDArray[np.uint8]:
    """Return a picture as it comes back from a JPEG file of quality 60 to 98: uint8 BGR (H, W, 3)."""
    data = np.round(np.clip(picture, 0, 1) * 255).astype(np.uint8)
    _, coded = cv2.imencode(".jpg", data, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(60, 99))])
    return cv2.imdecode(coded, cv2.IMREAD_COLOR)  # type: ignore[return-value]


def grey_of(picture: Floats, rng: Random) -> Floats:
    """Return the grey (H, W) that a plate, a film or a print made of a colour picture, contrast and grain its own."""
    weights = rng.dirichlet([2.0, 3.0, 2.0])
    grey = np.clip(picture @ weights.astype(np.float32), 0, 1) ** rng.uniform(0.7, 1.4)
    grain = rng.normal(0, rng.uniform(0, 0.04), grey.shape)
    return np.clip(grey + grain, 0, 1).astype(np.float32)
