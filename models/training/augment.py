"""Make modern photographs look like old ones, cheaply and a batch at a time.

Lightness is float32 (N, 1, S, S), 0..100; chroma is float32 (N, 2, S/2, S/2) in Lab units. Only the lightness ages; the
chroma stays the truth, but for painted borders, whose paper is neutral. All chance comes from one numpy generator.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

Rng = np.random.Generator
AGED = 0.5  # the rest stays as it was taken, but for damage and mounts
OBLONG = 0.67
NARROWEST = 0.6


def _uniform(rng: Rng, count: int, low: float, high: float) -> Tensor:
    """(count, 1, 1, 1) float32, uniform."""
    return torch.from_numpy(rng.uniform(low, high, (count, 1, 1, 1)).astype(np.float32))


def _chosen(rng: Rng, count: int, share: float) -> Tensor:
    """(count, 1, 1, 1) bool, true for about `share` of the pictures."""
    return torch.from_numpy(rng.random((count, 1, 1, 1)) < share)


def _noise(rng: Rng, shape: tuple[int, ...]) -> Tensor:
    """Standard normal float32."""
    return torch.from_numpy(rng.standard_normal(shape, dtype=np.float32))


def flip(lightness: Tensor, chroma: Tensor, rng: Rng) -> tuple[Tensor, Tensor]:
    """Mirror half of the pictures."""
    mirrored = _chosen(rng, len(lightness), 0.5)
    return torch.where(mirrored, lightness.flip(3), lightness), torch.where(mirrored, chroma.flip(3), chroma)


def crop(lightness: Tensor, chroma: Tensor, rng: Rng, side: int, smallest: float) -> tuple[Tensor, Tensor]:
    """Cut one window for the whole batch: lightness to side, chroma to side / 4 squares.

    Its longer side is smallest..1 of the picture's; two thirds of the windows are oblong, as pictures are that the net
    is later given squeezed into a square.
    """
    full = lightness.shape[-1]
    longer = rng.uniform(smallest, 1.0) * full
    shorter = longer * (rng.uniform(NARROWEST, 1.0) if rng.random() < OBLONG else 1.0)
    height, width = (4 * round(length / 4) for length in rng.permutation([longer, shorter]))
    top, left = (int(2 * rng.integers(0, (full - length) // 2 + 1)) for length in (height, width))
    lightness = lightness[:, :, top : top + height, left : left + width]
    chroma = chroma[:, :, top // 2 : (top + height) // 2, left // 2 : (left + width) // 2]
    if (height, width) != (side, side):
        lightness = F.interpolate(
            lightness, size=(side, side), mode="bilinear", align_corners=False, antialias=max(height, width) > side
        )
    return lightness, F.adaptive_avg_pool2d(chroma, side // 4)


def film_response(lightness: Tensor, chroma: Tensor, rng: Rng) -> Tensor:
    """Orthochromatic film (reds dark, skies white) and, more rarely, a yellow filter (skies dark).

    To first order the grey of blue-sensitive film differs from L by -0.1 a - 0.5 b.
    """
    count = len(lightness)
    strength = torch.where(_chosen(rng, count, 0.25), _uniform(rng, count, -0.3, 1.0), torch.zeros(1))
    change = (-0.1 * chroma[:, :1] - 0.5 * chroma[:, 1:]) * strength
    return lightness + F.interpolate(change, size=lightness.shape[-2:], mode="bilinear", align_corners=False)


def tone(lightness: Tensor, rng: Rng) -> Tensor:
    """Gamma, then fading and low contrast: blacks lifted, whites lowered."""
    count = len(lightness)
    lightness = 100 * (lightness / 100).clamp(0, 1) ** _uniform(rng, count, 0.75, 1.3)
    mild = _uniform(rng, count, -4, 8), _uniform(rng, count, 88, 104)
    faded = _uniform(rng, count, 0, 32), _uniform(rng, count, 60, 98)
    old = _chosen(rng, count, 0.25)
    black, white = torch.where(old, faded[0], mild[0]), torch.where(old, faded[1], mild[1])
    return black + (white - black) * lightness / 100


def soften(lightness: Tensor, rng: Rng) -> Tensor:
    """Blur: a small Gaussian (sigma up to 1) on a third, the loss of half the resolution on a few."""
    count, side = len(lightness), lightness.shape[-1]
    sigma = _uniform(rng, count, 0.35, 1.0)
    one, two = torch.exp(-0.5 / sigma**2), torch.exp(-2 / sigma**2)
    total = 1 + 2 * one + 2 * two
    padded = F.pad(lightness, (2, 2, 0, 0), mode="replicate")
    across = lightness + one * (padded[..., 1:-3] + padded[..., 3:-1]) + two * (padded[..., :-4] + padded[..., 4:])
    padded = F.pad(across / total, (0, 0, 2, 2), mode="replicate")
    middle = padded[:, :, 2:-2]
    both = middle + one * (padded[:, :, 1:-3] + padded[:, :, 3:-1]) + two * (padded[:, :, :-4] + padded[:, :, 4:])
    softened = torch.where(_chosen(rng, count, 0.35), both / total, lightness)
    half = F.interpolate(F.avg_pool2d(lightness, 2), size=(side, side), mode="bilinear", align_corners=False)
    return torch.where(_chosen(rng, count, 0.08), half, softened)


def grain(lightness: Tensor, rng: Rng) -> Tensor:
    """Grain of one pixel on a third of the pictures, of two pixels on a few."""
    count, side = len(lightness), lightness.shape[-1]
    fine = _noise(rng, (count, 1, side, side)) * _uniform(rng, count, 0, 6)
    coarse = _noise(rng, (count, 1, side // 2, side // 2)) * _uniform(rng, count, 0, 5)
    lightness = lightness + torch.where(_chosen(rng, count, 0.3), fine, torch.zeros(1))
    coarse = torch.where(_chosen(rng, count, 0.12), coarse, torch.zeros(1))
    return lightness + F.interpolate(coarse, size=(side, side), mode="bilinear", align_corners=False)


def vignette(lightness: Tensor, rng: Rng) -> Tensor:
    """Corners darkened, or lightened as an oval studio mask does, on an eighth."""
    count, side = len(lightness), lightness.shape[-1]
    line = torch.linspace(-1, 1, side)
    radius = (line[None, :] ** 2 + line[:, None] ** 2)[None, None] / 2
    aim = torch.where(_chosen(rng, count, 0.6), torch.zeros(1), torch.full((1,), 95.0))
    share = (radius ** _uniform(rng, count, 1.0, 4.0)) * _uniform(rng, count, 0.2, 1.0)
    return torch.where(_chosen(rng, count, 0.12), lightness + (aim - lightness) * share, lightness)


def damage(lightness: Tensor, rng: Rng) -> Tensor:
    """Scratches, dust and creases on a tenth of the pictures; in place."""
    side = lightness.shape[-1]
    for index in np.flatnonzero(rng.random(len(lightness)) < 0.1):
        picture = lightness[index, 0]
        for _ in range(int(rng.integers(1, 6))):
            level = float(rng.choice([rng.uniform(80, 100), rng.uniform(0, 20)]))
            place = int(rng.integers(0, side))
            if rng.random() < 0.6:
                start, length = int(rng.integers(0, side // 2)), int(rng.integers(side // 8, side))
                line = (
                    picture[start : start + length, place]
                    if rng.random() < 0.7
                    else picture[place, start : start + length]
                )
                line.lerp_(torch.tensor(level), float(rng.uniform(0.3, 0.9)))
            else:
                spot, size = int(rng.integers(0, side)), int(rng.integers(1, 4))
                picture[place : place + size, spot : spot + size] = level
    return lightness


def mount(lightness: Tensor, chroma: Tensor, rng: Rng) -> tuple[Tensor, Tensor]:
    """Paper borders and mounts with neutral chroma on a tenth: white, cream-grey or black, plain; in place."""
    side, coarse = lightness.shape[-1], chroma.shape[-1]
    step = side // coarse
    for index in np.flatnonzero(rng.random(len(lightness)) < 0.1):
        level = float(rng.choice([rng.uniform(78, 100), rng.uniform(0, 15), rng.uniform(30, 80)], p=[0.65, 0.2, 0.15]))
        texture = float(rng.uniform(0, 2))
        left, right, top, bottom = (int(rng.integers(0, max(2, coarse // 5))) for _ in range(4))
        if rng.random() < 0.5:
            right = top = bottom = left
        inside = torch.zeros(coarse, coarse, dtype=torch.bool)
        inside[top : coarse - bottom, left : coarse - right] = True
        large = inside.repeat_interleave(step, 0).repeat_interleave(step, 1)
        paper = level + texture * _noise(rng, (side, side))
        lightness[index, 0] = torch.where(large, lightness[index, 0], paper)
        chroma[index] = torch.where(inside, chroma[index], torch.zeros(1))
    return lightness, chroma


def age(
    lightness: Tensor, chroma: Tensor, rng: Rng, side: int, smallest: float = 0.65, share: float = AGED
) -> tuple[Tensor, Tensor]:
    """All of it: L 0..100 (N, 1, 128, 128), ab (N, 2, 64, 64) -> L - 50 of that side, ab of side / 4."""
    lightness, chroma = crop(*flip(lightness, chroma, rng), rng, side, smallest)
    aged = tone(film_response(lightness, chroma, rng), rng)
    aged = grain(soften(vignette(aged, rng), rng), rng)
    lightness = torch.where(_chosen(rng, len(lightness), share), aged, lightness).contiguous()
    lightness, chroma = mount(damage(lightness, rng), chroma.contiguous(), rng)
    return lightness.clamp(0, 100) - 50, chroma
