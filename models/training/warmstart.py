"""Load an exported ONNX of the same shape back into the network, to train on from it.

Export folds some numbers in (stem / 50, head / temperature, the context's sign), so they are unfolded here.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import nn

from models.training.encoder import Block
from models.training.network import ColourNet


def _in_order(net: ColourNet) -> list[nn.Conv2d]:
    """The net's convolutions in the order in which the exported graph runs them."""
    order: list[nn.Conv2d] = [net.encoder.stem]
    for block in net.encoder.blocks:
        assert isinstance(block, Block)
        order += [part for part in (block.expand, block.depthwise, block.project) if part is not None]
    order += [net.top, net.context]
    for up in (net.up16, net.up8, net.up4):
        order += [up.reduce, up.skip, up.mix]
    return [*order, net.refine, net.head]


@torch.no_grad()
def load_exported(net: ColourNet, path: Path, temperature: float) -> None:
    """Copy the weights of an exported net into `net`; `temperature` is the one it was exported with."""
    graph = onnx.load(path).graph
    arrays = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    # the exporter stores equal arrays once
    arrays |= {node.output[0]: arrays[node.input[0]] for node in graph.node if node.op_type == "Identity"}
    found = [[arrays[name] for name in node.input[1:]] for node in graph.node if node.op_type == "Conv"]
    wanted = _in_order(net)
    found = [entry for entry in found if len(entry) == 2]  # without a bias: what goes before and behind the net
    if len(found) == 2 * len(wanted):  # two views of one picture, by the same weights
        found = found[: len(wanted)]
    if len(found) != len(wanted):
        raise ValueError(f"{path} has {len(found)} convolutions, this net {len(wanted)}")
    for target, entry in zip(wanted, found, strict=True):
        if tuple(target.weight.shape) != entry[0].shape:
            raise ValueError(f"{path}: a kernel is {entry[0].shape}, this net wants {tuple(target.weight.shape)}")
        factor = 1.0
        if target is net.encoder.stem:
            factor = 50.0
        elif target is net.context:
            factor = -1.0
        target.weight.copy_(torch.from_numpy(np.array(entry[0])) * factor)
        assert target.bias is not None
        target.bias.copy_(torch.from_numpy(np.array(entry[1])) * (1.0 if target is net.encoder.stem else factor))
    for part in (net.head.weight, net.head.bias):
        assert part is not None
        part.mul_(temperature)
