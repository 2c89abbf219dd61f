"""A depthwise 5x5 convolution whose backward pass is quick on a CPU.

oneDNN, which computes torch's convolutions on a CPU, has a fast kernel for the weight gradient of a depthwise 3x3
convolution and none for 5x5. The gradient of a 5x5 kernel is made of those of four 3x3 kernels, one for each of its
corners: they overlap in the middle row and column, where they agree.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

_backward = torch.ops.aten.convolution_backward


class Depthwise5x5(torch.autograd.Function):
    """`apply(x, weight, bias, stride, padding)`: x (N, C, H, W), weight (C, 1, 5, 5) and bias (C,), all float32."""

    @staticmethod
    def forward(context: Any, x: Tensor, weight: Tensor, bias: Tensor, stride: int, padding: int) -> Tensor:
        """Convolve."""
        context.save_for_backward(x, weight)
        context.stride, context.padding = stride, padding
        return torch.conv2d(x, weight, bias, stride, padding, 1, x.shape[1])

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, Tensor, None, None]:
        """Gradients of x, weight and bias."""
        x, weight = context.saved_tensors
        stride, padding, channels = context.stride, context.padding, x.shape[1]
        gradient = gradients[0].contiguous(memory_format=torch.channels_last)

        def conv_backward(source: Tensor, kernel: Tensor, pad: int, wanted: list[bool]) -> list[Tensor]:
            steps = [stride, stride], [pad, pad], [1, 1]
            given: list[Tensor] = _backward(gradient, source, kernel, None, *steps, False, [0, 0], channels, wanted)
            return given

        of_x = conv_backward(x, weight, padding, [True, False, False])[0]
        of_weight = torch.empty_like(weight)
        padded = F.pad(x, (padding, padding, padding, padding))
        height, width = ((length - 1) * stride + 3 for length in gradient.shape[2:])
        corner = weight[:, :, :3, :3].contiguous()
        for down in (0, 2):
            for right in (0, 2):
                part = padded[:, :, down : down + height, right : right + width]
                part = part.contiguous(memory_format=torch.channels_last)
                aim = of_weight[:, :, down : down + 3, right : right + 3]
                aim.copy_(conv_backward(part, corner, 0, [False, True, False])[1])
        return of_x, of_weight, gradient.sum((0, 2, 3)), None, None
