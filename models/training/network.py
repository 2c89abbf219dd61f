"""The embedded colour net: EfficientNet-Lite encoder, light U-Net decoder, 313 bins of chroma, annealed mean."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.training.encoder import Encoder

WIDTHS = (256, 192, 128, 96)


class Up(nn.Module):
    """Double the size of `x` (bilinear if smooth, else nearest), add the encoder's features of that size, convolve."""

    def __init__(self, inputs: int, skip: int, outputs: int, smooth: bool) -> None:
        super().__init__()
        self.smooth = smooth
        self.reduce = nn.Conv2d(inputs, outputs, 1)
        self.skip = nn.Conv2d(skip, outputs, 1)
        self.mix = nn.Conv2d(outputs, outputs, 3, padding=1)

    def forward(self, x: Tensor, features: Tensor) -> Tensor:
        """(N, inputs, H, W) and (N, skip, 2H, 2W) -> (N, outputs, 2H, 2W)."""
        small = self.reduce(x)
        if self.smooth:
            up = F.interpolate(small, scale_factor=2.0, mode="bilinear", align_corners=False)
        else:
            up = F.interpolate(small, scale_factor=2.0, mode="nearest")
        return F.relu(self.mix(F.relu(up + self.skip(features))))


class ColourNet(nn.Module):
    """Lightness (N, 1, S, S), L* - 50 -> logits of the chroma bins (N, bins, S/4, S/4)."""

    def __init__(self, centres: npt.NDArray[np.float32], variant: str = "lite0", smooth: bool = True) -> None:
        super().__init__()
        self.encoder = Encoder(variant)
        at4, at8, at16, at32 = self.encoder.channels
        top, mid16, mid8, mid4 = WIDTHS
        self.top = nn.Conv2d(at32, top, 1)
        self.context = nn.Conv2d(top, top, 1)
        self.up16 = Up(top, at16, mid16, smooth)
        self.up8 = Up(mid16, at8, mid8, smooth)
        self.up4 = Up(mid8, at4, mid4, smooth)
        self.refine = nn.Conv2d(mid4, mid4, 3, padding=1)
        self.head = nn.Conv2d(mid4, len(centres), 1)
        self.centres: Tensor
        self.register_buffer("centres", torch.tensor(centres, dtype=torch.float32))
        # what each bin weighs in the loss; `export` may take part of it back
        self.rarity: Tensor
        self.register_buffer("rarity", torch.ones(len(centres)))
        self.reset_decoder()

    def reset_decoder(self) -> None:
        """He-normal decoder, an almost silent head, no global context: as at the very start of training."""
        for module in (self.top, self.up16, self.up8, self.up4, self.refine):
            for part in module.modules():
                if isinstance(part, nn.Conv2d):
                    nn.init.kaiming_normal_(part.weight, nonlinearity="relu")
                    if part.bias is not None:
                        nn.init.zeros_(part.bias)
        for silent in (self.context, self.head):
            nn.init.normal_(silent.weight, 0, 0.01 if silent is self.head else 0.0)
            assert silent.bias is not None
            nn.init.zeros_(silent.bias)

    def encode(self, lightness: Tensor, frozen: int = 0) -> list[Tensor]:
        """Encoder features of L* - 50 at 1/4 to 1/32 of the size; no gradient for the first `frozen` blocks."""
        features: list[Tensor] = self.encoder(lightness / 50.0, frozen)
        return features

    def decode(self, features: list[Tensor]) -> Tensor:
        """Encoder features -> what the head reads: (N, 96, S/4, S/4)."""
        at4, at8, at16, at32 = features
        top = F.relu(self.top(at32))
        top = top + self.context(top.mean((2, 3), keepdim=True))
        y = self.up4(self.up8(self.up16(top, at16), at8), at4)
        refined: Tensor = y + F.relu(self.refine(y))
        return refined

    def forward(self, lightness: Tensor, frozen: int = 0) -> Tensor:
        """L* - 50, (N, 1, S, S) -> logits (N, bins, S/4, S/4)."""
        logits: Tensor = self.head(self.decode(self.encode(lightness, frozen)))
        return logits


def gaussian(sigma: float) -> Tensor:
    """A 5x5 Gaussian kernel, sum 1, float32 (1, 1, 5, 5); sigma 0 is the identity."""
    place = torch.arange(-2, 3, dtype=torch.float32)
    line = torch.exp(-(place**2) / (2 * sigma**2)) if sigma > 0 else (place == 0).float()
    return torch.outer(line, line)[None, None] / line.sum() ** 2


def blurred(lightness: Tensor, sigma: float) -> Tensor:
    """What the net is given of L* - 50, (N, 1, S, S): the exported graph begins with the same blur."""
    return F.conv2d(lightness, gaussian(sigma).to(lightness.device), padding=2)


def annealed_mean(logits: Tensor, centres: Tensor, temperature: float) -> Tensor:
    """Logits (N, bins, h, w) and centres (bins, 2) in Lab units -> ab (N, 2, h, w): the mean of the sharpened bins."""
    shares = torch.softmax(logits.float() / temperature, 1)
    return F.conv2d(shares, centres.t()[:, :, None, None])
