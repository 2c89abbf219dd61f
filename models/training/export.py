"""Export a checkpoint: `python -m models.training.export CHECKPOINT OUT.onnx`.

One graph that cv2 4.14, cv2 5.0, onnxruntime and OpenVINO run alike: input `L` 1x1xSxS float32, L* - 50; output `ab`
1x2x(S/4)x(S/4) float32 in Lab units; any S divisible by 32. Folded in: a slight blur before the net, the stem's / 50,
the temperature, the bins' centres times the default saturation, and the mean over a second, shifted view. With
`--beside` a second checkpoint answers too, and the mean of the two nets' logits is decoded: two nets that were trained
apart make different mistakes.

Weights are rounded inside a float32 file, which then compresses to half or less and needs no special loader: to half
precision, and with `--step` the large kernels more coarsely, to multiples of about that share of their channel's rms.

Training weighs rare colours up, so that the net sees them more often than they are. `--logit-adjustment` takes a share
of that back (Menon et al. 2021, "Long-tail learning via logit adjustment"): 1 gives the frequencies of photographs.
"""

from __future__ import annotations

import argparse
import functools
import warnings
from collections.abc import Sequence
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
from models.training.network import ColourNet, with_weights
from models.training.warmstart import load_exported

SHIFT = 2
LARGE_KERNEL = 20_000  # weights; smaller ones are few and sensitive
OPSET = 13


@dataclass(frozen=True)
class Decoding:
    """How logits become ab: `views` 1 or 2, `blur` the sigma in pixels of the blur before the net."""

    temperature: float = 0.65
    logit_adjustment: float = 0.3
    saturation: float = 1.0
    blur: float = 0.6
    views: int = 2


def gaussian(sigma: float) -> Tensor:
    """A 5x5 Gaussian kernel, sum 1, float32 (1, 1, 5, 5); sigma 0 is the identity."""
    place = torch.arange(-2, 3, dtype=torch.float32)
    line = torch.exp(-(place**2) / (2 * sigma**2)) if sigma > 0 else (place == 0).float()
    return torch.outer(line, line)[None, None] / line.sum() ** 2


class Exported(nn.Module):
    """The graph as it is shipped, L - 50 -> ab, of one net or of the mean over several nets' logits."""

    def __init__(self, nets: Sequence[ColourNet], decoding: Decoding) -> None:
        super().__init__()
        self.nets = nn.ModuleList(net.eval() for net in nets)
        self.views = views = decoding.views
        blur = decoding.blur
        with torch.no_grad():
            for net in nets:
                # a broadcast Add after a convolution stops cv2 5.0's new engine; a Sub of the negated context does not
                net.context.weight.neg_()
                assert net.context.bias is not None
                assert net.head.bias is not None
                net.context.bias.neg_()
                net.head.bias.sub_(decoding.logit_adjustment * net.rarity.log())
                net.head.weight.div_(decoding.temperature * len(nets))
                net.head.bias.div_(decoding.temperature * len(nets))
                net.encoder.stem.weight.div_(50)
        first = nets[0].centres
        self.centres = nn.Conv2d(first.shape[0], 2, 1, bias=False)
        self.centres.weight.data.copy_(first.t()[:, :, None, None] * decoding.saturation)
        self.before = nn.Conv2d(1, 1, 5, padding=2, bias=False) if blur > 0 else None
        if self.before is not None:
            self.before.weight.data.copy_(gaussian(blur))
        if views == 2:
            self.move = nn.Conv2d(1, 1, 2 * SHIFT + 1, padding=SHIFT, bias=False)
            self.move.weight.data.zero_()
            self.move.weight.data[0, 0, 0, 0] = 1.0
            # half a cell of the quarter-size output: the mean of four neighbours moves it back
            self.move_back = nn.Conv2d(2, 2, 3, padding=1, groups=2, bias=False)
            self.move_back.weight.data.zero_()
            self.move_back.weight.data[:, :, 1:, 1:] = 0.25

    def colour(self, lightness: Tensor) -> Tensor:
        """One view: L - 50 (1, 1, S, S) -> ab (1, 2, S/4, S/4)."""
        logits = []
        for net in self.nets:
            assert isinstance(net, ColourNet)
            at4, at8, at16, at32 = net.encoder(lightness)
            top = F.relu(net.top(at32))
            top = top - net.context(F.adaptive_avg_pool2d(top, 1))
            y = net.up4(net.up8(net.up16(top, at16), at8), at4)
            logits.append(net.head(y + F.relu(net.refine(y))))
        ab: Tensor = self.centres(torch.softmax(functools.reduce(torch.add, logits), 1))
        return ab

    def forward(self, lightness: Tensor) -> Tensor:
        """L - 50 (1, 1, S, S) -> ab (1, 2, S/4, S/4)."""
        if self.before is not None:
            lightness = self.before(lightness)
        ab = self.colour(lightness)
        if self.views == 2:
            ab = (ab + self.move_back(self.colour(self.move(lightness)))) * 0.5
        return ab


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


def round_weights(model: onnx.ModelProto, step: float) -> None:
    """Round every float32 weight to half precision, and with `step` > 0 large kernels as the module says, in place."""
    for tensor in model.graph.initializer:
        if tensor.data_type != onnx.TensorProto.FLOAT:
            continue
        weights = numpy_helper.to_array(tensor)
        if step > 0 and weights.ndim == 4 and weights.size >= LARGE_KERNEL:
            rms = np.sqrt(np.square(weights).mean((1, 2, 3), keepdims=True))
            # a power of two, so that the multiples have few bits
            steps = np.exp2(np.round(np.log2(np.maximum(rms * step, 1e-12))))
            weights = np.round(weights / steps) * steps
        rounded = weights.astype(np.float16).astype(np.float32)
        tensor.CopyFrom(numpy_helper.from_array(rounded, tensor.name))


def export(nets: Sequence[ColourNet], out: Path, decoding: Decoding, step: float = 0.0) -> None:
    """Write one net, or the mean of several (changed by this), as ONNX."""
    graph = Exported(nets, decoding).eval()
    uneven = _plain_padding(graph)
    axes = {"L": {2: "height", 3: "width"}, "ab": {2: "quarter_height", 3: "quarter_width"}}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            graph,
            (torch.zeros(1, 1, 160, 160),),
            out,
            dynamo=False,
            opset_version=OPSET,
            input_names=["L"],
            output_names=["ab"],
            dynamic_axes=axes,
        )
    model = onnx.load(out)
    _put_uneven_padding(model, uneven)
    round_weights(model, step)
    onnx.checker.check_model(model)
    onnx.save(model, out)


@torch.no_grad()
def averaged_net(path: Path, centres: Floats, *others: Path) -> ColourNet:
    """The averaged weights of a training checkpoint as a net: with `others`, the mean over all of them.

    The mean means something only for checkpoints that were trained on from the same weights.
    """
    state = checkpoint.load(path)
    net = with_weights(state["average"], centres, state["recipe"]["variant"], state["recipe"]["smooth"])
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
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--bins", type=Path, default=CENTRES, help="pts_in_hull.npy, 313x2")
    parser.add_argument("--temperature", type=float, default=Decoding.temperature)
    parser.add_argument("--logit-adjustment", type=float, default=Decoding.logit_adjustment, help="0 for none")
    parser.add_argument("--saturation", type=float, default=Decoding.saturation, help="folded into the centres")
    parser.add_argument("--blur", type=float, default=Decoding.blur, help="sigma before the net, pixels; 0 for none")
    parser.add_argument("--views", type=int, choices=[1, 2], default=Decoding.views, help="2: a shifted view too")
    parser.add_argument(
        "--average", type=Path, nargs="+", default=[], metavar="CHECKPOINT", help="mean over these checkpoints too"
    )
    parser.add_argument("--beside", type=Path, nargs="+", default=[], metavar="CHECKPOINT", help="nets that answer too")
    parser.add_argument("--step", type=float, default=0.0, help="0 for half precision; 0.0625 makes two nets small")
    parser.add_argument("--mix", type=Path, help="average the weights with those of the net that training started from")
    parser.add_argument("--mix-share", type=float, default=0.5, help="share of that net, 0..1")
    parser.add_argument("--mix-temperature", type=float, default=0.65, help="what that net was exported with")
    parser.add_argument("--data", type=Path, help=argparse.SUPPRESS)  # train passes it
    arguments = parser.parse_args()
    net = averaged_net(arguments.checkpoint, read_centres(arguments.bins), *arguments.average)
    if arguments.mix is not None:
        mix(net, arguments.mix, arguments.mix_temperature, arguments.mix_share)
    decoding = Decoding(**{field.name: getattr(arguments, field.name) for field in fields(Decoding)})
    nets = [net, *(averaged_net(each, read_centres(arguments.bins)) for each in arguments.beside)]
    export(nets, arguments.out, decoding, arguments.step)
    difference = largest_difference(arguments.out)
    print(f"{arguments.out}: {arguments.out.stat().st_size} bytes, engines differ by {difference:.1e}")


if __name__ == "__main__":
    main()
