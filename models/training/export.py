"""Export a checkpoint: `python -m models.training.export CHECKPOINT OUT.onnx`.

One graph that cv2 4.14, cv2 5.0, onnxruntime and OpenVINO run alike: input `L` 1x1xSxS float32, L* - 50; output
`ab_spread` 1x3x(S/4)x(S/4) float32 in Lab units: a, b, and the spread, how far from them the colours lie that the net
holds possible there (root mean square). Any S divisible by 32. Folded in: a slight blur before the net and one behind
it, the stem's / 50, the temperature, the bins' centres times the default saturation. Weights are rounded to half
precision inside a float32 file, which then compresses to about half and needs no special loader.

CHECKPOINT may be an exported file of the same shape, too: it is decoded anew (`models/embedded-v4.md` says how).

Training weighs rare colours up, so that the net sees them more often than they are. `--logit-adjustment` takes a share
of that back (Menon et al. 2021, "Long-tail learning via logit adjustment"): 1 gives the frequencies of photographs.
"""

from __future__ import annotations

import argparse
import warnings
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import onnx
import torch
import torch.nn.functional as F
from onnx import numpy_helper
from torch import Tensor, nn

from models.training import checkpoint
from models.training.agree import largest_difference
from models.training.bins import CENTRES, Floats, read_centres
from models.training.encoder import SameConv
from models.training.network import ColourNet, gaussian
from models.training.warmstart import load_exported
from pipeline.nets.spec import METADATA_KEY, Answer, Feed, contract_json

OPSET = 13
SIZE = 192


@dataclass(frozen=True)
class Decoding:
    """How logits become ab: `blur` is the sigma in pixels of the blur before the net.

    `soften`: the answer is a mean over 3 x 3 cells. What a shift of the picture by less than a cell changes is in it no
    more, as in a mean over shifted views, at no cost.
    """

    temperature: float = 0.4
    logit_adjustment: float = 0.15
    saturation: float = 1.0
    blur: float = 0.6
    soften: bool = True


class Exported(nn.Module):
    """The graph as it is shipped: L - 50 -> ab and spread."""

    def __init__(self, net: ColourNet, decoding: Decoding) -> None:
        super().__init__()
        self.net = net.eval()
        with torch.no_grad():
            # a broadcast Add after a convolution stops cv2 5.0's new engine; a Sub of the negated context does not
            net.context.weight.neg_()
            assert net.context.bias is not None
            assert net.head.bias is not None
            net.context.bias.neg_()
            net.head.bias.sub_(decoding.logit_adjustment * net.rarity.log())
            net.head.weight.div_(decoding.temperature)
            net.head.bias.div_(decoding.temperature)
            net.encoder.stem.weight.div_(50)
        self.soften = decoding.soften
        self.before = nn.Conv2d(1, 1, 5, padding=2, bias=False) if decoding.blur > 0 else None
        if self.before is not None:
            self.before.weight.data.copy_(gaussian(decoding.blur))
        centres = net.centres.t() * decoding.saturation
        self.moments = _pointwise(torch.cat([centres, centres.square().sum(0, keepdim=True)]))
        self.colour = _pointwise(torch.eye(3)[:2])
        self.second = _pointwise(torch.eye(3)[2:])
        self.squared = _pointwise(torch.tensor([[-1.0, -1.0, 0.0]]))

    def forward(self, lightness: Tensor) -> Tensor:
        """L - 50 (1, 1, S, S) -> a, b and spread (1, 3, S/4, S/4)."""
        net = self.net
        if self.before is not None:
            lightness = self.before(lightness)
        at4, at8, at16, at32 = net.encoder(lightness)
        top = F.relu(net.top(at32))
        top = top - net.context(F.adaptive_avg_pool2d(top, 1))
        y = net.up4(net.up8(net.up16(top, at16), at8), at4)
        # means of a, b and a^2 + b^2 under the distribution of each cell, then over the cells around it
        moments = self.moments(torch.softmax(net.head(y + F.relu(net.refine(y))), 1))
        if self.soften:
            moments = F.avg_pool2d(_widened(moments), 3, 1)
        variance = self.second(moments) + self.squared(moments * moments)
        # 1 is little beside the bins' own width, and keeps the root's slope, so that engines agree
        return torch.cat([self.colour(moments), torch.sqrt(F.relu(variance) + 1)], 1)


def _widened(x: Tensor) -> Tensor:
    """Repeat the border of (N, C, h, w) once: cv2 4.14 counts padding in a mean whatever it is told."""
    x = torch.cat([x[:, :, :1], x, x[:, :, -1:]], 2)
    return torch.cat([x[:, :, :, :1], x, x[:, :, :, -1:]], 3)


def _pointwise(weights: Tensor) -> nn.Conv2d:
    """A 1x1 convolution with these weights (outputs, inputs)."""
    made = nn.Conv2d(weights.shape[1], weights.shape[0], 1, bias=False)
    made.weight.data.copy_(weights[:, :, None, None])
    return made


def _plain_padding(net: nn.Module) -> dict[str, tuple[int, int, int, int]]:
    """Trace stride-2 layers with symmetric padding; returns the uneven (left, right, top, bottom) by parameter name."""
    uneven = {}
    for name, module in net.named_modules():
        if isinstance(module, SameConv) and module.uneven_pad is not None:
            uneven[f"{name}.weight"] = module.uneven_pad
            module.padding = (module.kernel_size[0] // 2, module.kernel_size[0] // 2)
            module.uneven_pad = None
    return uneven


def _put_uneven_padding(model: onnx.ModelProto, uneven: dict[str, tuple[int, int, int, int]]) -> None:
    """Write the uneven padding into the Conv nodes: cv2 4.14 can't import Pad nodes traced from `F.pad`."""
    done = set()
    for node in model.graph.node:
        if node.op_type == "Conv" and node.input[1] in uneven:
            left, right, top, bottom = uneven[node.input[1]]
            for attribute in node.attribute:
                if attribute.name == "pads":
                    attribute.ints[:] = [top, left, bottom, right]
                    done.add(node.input[1])
    if done != set(uneven):
        raise RuntimeError(f"no Conv node found for {sorted(set(uneven) - done)}")


def round_to_half(model: onnx.ModelProto) -> None:
    """Round every float32 weight to the nearest half-precision value, stored as float32."""
    for tensor in model.graph.initializer:
        if tensor.data_type == onnx.TensorProto.FLOAT:
            rounded = numpy_helper.to_array(tensor).astype(np.float16).astype(np.float32)
            tensor.CopyFrom(numpy_helper.from_array(rounded, tensor.name))


def export(net: ColourNet, out: Path, decoding: Decoding, size: int = SIZE) -> None:
    """Write `net` (changed by this) as ONNX that says how it is fed, by default squares of `size` pixels."""
    graph = Exported(net, decoding).eval()
    uneven = _plain_padding(graph)
    axes = {"L": {2: "height", 3: "width"}, "ab_spread": {2: "quarter_height", 3: "quarter_width"}}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            graph,
            (torch.zeros(1, 1, 160, 160),),
            out,
            dynamo=False,
            opset_version=OPSET,
            input_names=["L"],
            output_names=["ab_spread"],
            dynamic_axes=axes,
        )
    model = onnx.load(out)
    _put_uneven_padding(model, uneven)
    round_to_half(model)
    onnx.helper.set_model_props(model, {METADATA_KEY: contract_json(size, Feed(offset=-50.0), Answer(spread=True))})
    onnx.checker.check_model(model)
    onnx.save(model, out)


def decoded_anew(path: Path, centres: Floats, temperature: float) -> ColourNet:
    """The net in an exported file; `temperature` and whatever its bins were adjusted by go into its head again."""
    net = ColourNet(centres)
    load_exported(net, path, temperature)
    return net


@torch.no_grad()
def averaged_net(path: Path, centres: Floats, *others: Path) -> ColourNet:
    """The averaged weights of a training checkpoint as a net: with `others`, the mean over all of them.

    The mean means something only for checkpoints that were trained on from the same weights.
    """
    state = checkpoint.load(path)
    net = ColourNet(centres, state["recipe"]["variant"], state["recipe"]["smooth"])
    net.load_state_dict(state["average"])
    for count, other in enumerate(others, 2):
        aim = averaged_net(other, centres)
        for mine, its in zip(net.parameters(), aim.parameters(), strict=True):
            mine.lerp_(its, 1 / count)
    return net


@torch.no_grad()
def mix(net: ColourNet, other: Path, temperature: float, share: float) -> None:
    """Move `net`'s weights towards those of an exported one-view net it was trained on from, by `share` (0..1)."""
    aim = ColourNet(net.centres.numpy(), net.encoder.variant)
    load_exported(aim, other, temperature)
    for mine, others in zip(net.parameters(), aim.parameters(), strict=True):
        mine.lerp_(others, share)


def main() -> None:
    """Parse the command line, export, check that the engines here agree."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", type=Path, help="or an exported file, whose temperature must be the same")
    parser.add_argument("out", type=Path)
    parser.add_argument("--bins", type=Path, default=CENTRES, help="pts_in_hull.npy, 313x2")
    parser.add_argument("--temperature", type=float, default=Decoding.temperature)
    parser.add_argument("--logit-adjustment", type=float, default=Decoding.logit_adjustment, help="0 for none")
    parser.add_argument("--saturation", type=float, default=Decoding.saturation, help="folded into the centres")
    parser.add_argument("--blur", type=float, default=Decoding.blur, help="sigma before the net, pixels; 0 for none")
    parser.add_argument("--soften", action=argparse.BooleanOptionalAction, default=Decoding.soften, help="see Decoding")
    parser.add_argument("--size", type=int, default=SIZE, help="side of the square it is to be fed")
    parser.add_argument(
        "--average", type=Path, nargs="+", default=[], metavar="CHECKPOINT", help="mean over these checkpoints too"
    )
    parser.add_argument("--mix", type=Path, help="average the weights with those of the net that training started from")
    parser.add_argument("--mix-share", type=float, default=0.5, help="share of that net, 0..1")
    parser.add_argument("--mix-temperature", type=float, default=0.65, help="what that net was exported with")
    parser.add_argument("--data", type=Path, help=argparse.SUPPRESS)  # train passes it
    arguments = parser.parse_args()
    centres = read_centres(arguments.bins)
    if arguments.checkpoint.suffix == ".onnx":
        net = decoded_anew(arguments.checkpoint, centres, arguments.temperature)
    else:
        net = averaged_net(arguments.checkpoint, centres, *arguments.average)
    if arguments.mix is not None:
        mix(net, arguments.mix, arguments.mix_temperature, arguments.mix_share)
    decoding = Decoding(**{field.name: getattr(arguments, field.name) for field in fields(Decoding)})
    export(net, arguments.out, decoding, arguments.size)
    difference = largest_difference(arguments.out)
    print(f"{arguments.out}: {arguments.out.stat().st_size} bytes, engines differ by {difference:.1e}")


if __name__ == "__main__":
    main()
