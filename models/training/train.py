"""Train the embedded net: `python -m models.training.train DATA --out FOLDER (--samples N | --deadline TIME)`.

Writes `last.pt` (and goes on from it when it is there) and `log.csv` into the folder; exports `final.onnx` at the end.

On a GPU: one worker, bf16 autocast, channels-last, optional `--compile`, data read into memory. On a CPU: one thread
a worker and as many workers as cores, all writing to one shared set of weights without locks (Hogwild); threads inside
one convolution would wait for one another whenever something else runs. Only one worker is repeatable to the bit.
"""

from __future__ import annotations

import argparse
import csv
import datetime
import os
import signal
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.multiprocessing
from torch import Tensor, nn

from models.training import augment, checkpoint, dataset, views
from models.training.bins import CENTRES, SoftBins, prior_of, read_centres, rebalancing, soft_bins
from models.training.encoder import load_imagenet
from models.training.loss import rebalanced_cross_entropy
from models.training.network import ColourNet, annealed_mean, blurred
from models.training.schedule import Progress, learning_rate
from models.training.warmstart import load_exported

# Without these, glibc gives every large tensor back to the kernel and page faults take a third of the time.
MALLOC = {
    "MALLOC_MMAP_THRESHOLD_": "4000000000",
    "MALLOC_TRIM_THRESHOLD_": "8000000000",
    "MALLOC_TOP_PAD_": "200000000",
}
EMA_EVERY = 4
LOG_SECONDS = 30.0


@dataclass(frozen=True)
class Recipe:
    """Everything that decides what is trained and how. Times in seconds, sizes in pixels."""

    data: Path
    bins: Path
    out: Path
    imagenet: bool = True
    variant: str = "lite0"
    smooth: bool = True
    aged: float = augment.AGED
    blur: float = 0.6
    warm_start: Path | None = None
    warm_temperature: float = 0.65
    samples: int | None = None
    deadline: float | None = None
    batch: int = 32
    decoder_rate: float = 4e-4
    encoder_rate: float = 1.2e-4
    weight_decay: float = 0.02
    uniform_share: float = 0.5
    ema: float = 0.998
    frozen: int = 3
    thaw_at: float = 1.0
    large_from: float = 0.8
    side: int = 128
    large_side: int = 160
    smallest_crop: float = 0.7
    pairs: float = 0.25
    calm: float = 0.06
    plain: float = 0.08
    temperature: float = 0.65
    workers: int = 1
    seed: int = 0
    device: str = "cpu"
    compile: bool = False
    save_seconds: float = 180.0
    validate: int = 256


def new_net(recipe: Recipe) -> ColourNet:
    """The net as training starts: from an exported net if one is given, else from ImageNet, else from nothing.

    The prior of its bins is that of 6,000 training pictures.
    """
    torch.manual_seed(recipe.seed)
    centres = read_centres(recipe.bins)
    net = ColourNet(centres, recipe.variant, recipe.smooth)
    if recipe.warm_start is None and recipe.imagenet:
        load_imagenet(net.encoder)
    elif recipe.warm_start is not None:
        load_exported(net, recipe.warm_start, recipe.warm_temperature)
    photographs = dataset.load(recipe.data)
    picked = np.random.default_rng(recipe.seed).permutation(photographs.training)[:6000]
    prior = prior_of(photographs.chroma[np.sort(picked)][:, :, ::2, ::2], centres)
    net.rarity.copy_(torch.from_numpy(rebalancing(prior, recipe.uniform_share)))
    return net


def new_optimizer(net: ColourNet, recipe: Recipe) -> torch.optim.AdamW:
    """AdamW with a smaller rate for the encoder."""
    encoder = list(net.encoder.parameters())
    decoder = [parameter for name, parameter in net.named_parameters() if not name.startswith("encoder.")]
    groups = [{"params": encoder, "lr": recipe.encoder_rate}, {"params": decoder, "lr": recipe.decoder_rate}]
    return torch.optim.AdamW(groups, weight_decay=recipe.weight_decay, betas=(0.9, 0.99), fused=True)


def logits_of(net: ColourNet, lightness: Tensor, frozen: int) -> Tensor:
    """Logits of L - 50, computed in bf16 but for what needs float32."""
    with torch.autocast(lightness.device.type, torch.bfloat16):
        logits: Tensor = net(lightness, frozen)
    return logits


def loss_of(
    net: ColourNet,
    batch: tuple[Tensor, Tensor],
    bins: SoftBins,
    recipe: Recipe,
    progress: float,
    rng: np.random.Generator,
) -> tuple[Tensor, Tensor]:
    """The loss of one batch (L - 50 and ab), and its cross-entropy alone."""
    lightness, ab = (tensor.to(recipe.device) for tensor in batch)
    frozen = recipe.frozen if progress < recipe.thaw_at else 0
    paired = rng.random() < recipe.pairs
    if paired:
        half = len(lightness) // 2
        lightness, ab = lightness[:half], ab[:half]
        lightness, ab = torch.cat([lightness, views.second_view(lightness, rng)]), torch.cat([ab, ab])
    lightness = blurred(lightness, recipe.blur)
    logits = logits_of(net, lightness.contiguous(memory_format=torch.channels_last), frozen)
    entropy = rebalanced_cross_entropy(logits, ab, bins, net.rarity)
    if not paired:
        return entropy, entropy.detach()
    guess = annealed_mean(logits, net.centres, recipe.temperature)
    one, other = guess.chunk(2)
    loss = entropy + recipe.calm * views.disagreement(one, other) + recipe.plain * views.blotches(guess, ab, lightness)
    return loss, entropy.detach()


@torch.no_grad()
def validate(state: dict[str, Tensor], recipe: Recipe, photographs: dataset.Photographs, bins: SoftBins) -> float:
    """Cross-entropy of averaged weights on the first held-out pictures, nothing aged."""
    net = ColourNet(read_centres(recipe.bins), recipe.variant, recipe.smooth).to(recipe.device)
    net.load_state_dict(state)
    losses = []
    for part in np.array_split(photographs.held_out[: recipe.validate], max(1, recipe.validate // 32)):
        lightness, chroma = (tensor.to(recipe.device) for tensor in photographs.take(part))
        ab = nn.functional.avg_pool2d(chroma, 2)
        losses.append(float(rebalanced_cross_entropy(net(blurred(lightness - 50, recipe.blur)), ab, bins, net.rarity)))
    return float(np.mean(losses))


class Shared:
    """What the workers share: how far training is, how many pictures were seen, and whether to stop."""

    def __init__(self) -> None:
        self.numbers = torch.zeros(3, dtype=torch.float64)
        self.numbers.share_memory_()  # type: ignore[no-untyped-call]

    @property
    def progress(self) -> float:
        """0..1."""
        return float(self.numbers[0])

    @progress.setter
    def progress(self, value: float) -> None:
        self.numbers[0] = value

    @property
    def seen(self) -> int:
        """Pictures seen by all workers."""
        return int(self.numbers[1])

    def add_seen(self, count: int) -> None:
        """Count pictures; two workers may rarely lose a count to one another."""
        self.numbers[1] += count

    @property
    def stop(self) -> bool:
        """Whether all workers shall end."""
        return bool(self.numbers[2])

    def ask_to_stop(self) -> None:
        """End all workers after their step."""
        self.numbers[2] = 1


def run_worker(number: int, net: ColourNet, shared: Shared, recipe: Recipe) -> None:
    """One worker's loop. Worker 0 also keeps time, averages weights, writes the log and the checkpoints."""
    torch.set_num_threads(1 if recipe.device == "cpu" else torch.get_num_threads())
    lead = number == 0
    signal.signal(signal.SIGTERM, lambda *_: shared.ask_to_stop())
    signal.signal(signal.SIGINT, lambda *_: shared.ask_to_stop())
    photographs = dataset.load(recipe.data, in_memory=recipe.device != "cpu")
    bins = soft_bins(read_centres(recipe.bins)).to(torch.device(recipe.device))
    optimizer = new_optimizer(net, recipe)
    rates = [group["lr"] for group in optimizer.param_groups]
    average = {name: tensor.clone() for name, tensor in net.state_dict().items()} if lead else {}
    rng = np.random.default_rng([recipe.seed, number, shared.seen])
    kept = recipe.out / "last.pt"
    if kept.exists():
        state = checkpoint.load(kept)
        optimizer.load_state_dict(state["optimizer"])
        if lead:
            average = {name: tensor.to(recipe.device) for name, tensor in state["average"].items()}
            rng.bit_generator.state = state["random"]
    progress = Progress(None if recipe.samples is None else recipe.samples, recipe.deadline, shared.progress)
    compiled: Any = torch.compile(loss_of) if recipe.compile else loss_of
    steps, loss_mean, seen_before = 0, 0.0, shared.seen
    began = told = saved = time.time()
    counted = shared.seen

    def keep() -> None:
        state: dict[str, Any] = {"net": net.state_dict(), "average": average, "optimizer": optimizer.state_dict()}
        state |= {
            "random": rng.bit_generator.state,
            "progress": shared.progress,
            "seen": shared.seen,
            "recipe": asdict(recipe),
        }
        checkpoint.save(kept, state)

    while not shared.stop and shared.progress < 1:
        factor = learning_rate(shared.progress, steps)
        for group, rate in zip(optimizer.param_groups, rates, strict=True):
            group["lr"] = rate * factor
        large = shared.progress >= recipe.large_from
        side = recipe.large_side if large else recipe.side
        batch = augment.age(*photographs.draw(recipe.batch, rng), rng, side, recipe.smallest_crop, recipe.aged)
        loss, entropy = compiled(net, batch, bins, recipe, shared.progress, rng)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 5.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        steps += 1
        shared.add_seen(recipe.batch)
        if not lead:
            continue
        shared.progress = progress.advance(shared.seen - counted)
        counted = shared.seen
        loss_mean = float(entropy) if steps == 1 else 0.98 * loss_mean + 0.02 * float(entropy)
        if steps % EMA_EVERY == 0:
            with torch.no_grad():
                for name, tensor in net.state_dict().items():
                    average[name].lerp_(tensor, 1 - min(recipe.ema, (steps + 1) / (steps + 20)) ** EMA_EVERY)
        now = time.time()
        if now - told > LOG_SECONDS:
            tell(recipe, shared, loss_mean, factor, (shared.seen - seen_before) / (now - told), None)
            seen_before, told = shared.seen, now
        if now - saved > recipe.save_seconds:
            keep()
            tell(recipe, shared, loss_mean, factor, 0.0, validate(average, recipe, photographs, bins))
            saved = time.time()
    shared.ask_to_stop()
    if lead:
        keep()
        print(f"{shared.seen} pictures seen, progress {shared.progress:.3f}, {time.time() - began:.0f} s", flush=True)


def tell(recipe: Recipe, shared: Shared, loss: float, factor: float, speed: float, held_out: float | None) -> None:
    """One line to the log file and to the terminal."""
    path = recipe.out / "log.csv"
    fresh = not path.exists()
    row = [
        datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        shared.seen,
        f"{shared.progress:.4f}",
        f"{factor:.4f}",
        f"{loss:.4f}",
        f"{speed:.1f}",
        "" if held_out is None else f"{held_out:.4f}",
    ]
    with path.open("a", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        if fresh:
            writer.writerow(["time", "seen", "progress", "rate", "loss", "pictures_per_second", "held_out_loss"])
        writer.writerow(row)
    print(" ".join(str(cell) for cell in row), flush=True)


def train(recipe: Recipe) -> bool:
    """Train or go on training; returns whether it came to its end (False when stopped)."""
    recipe.out.mkdir(parents=True, exist_ok=True)
    net = new_net(recipe)
    shared = Shared()
    kept = recipe.out / "last.pt"
    if kept.exists():
        state = checkpoint.load(kept)
        net.load_state_dict(state["net"])
        shared.progress = state["progress"]
        shared.add_seen(state["seen"])
    net = net.to(recipe.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    if recipe.workers == 1:
        run_worker(0, net, shared, recipe)
    else:
        net.share_memory()
        context = torch.multiprocessing.get_context("spawn")
        others = [
            context.Process(target=run_worker, args=(number, net, shared, recipe), daemon=True)
            for number in range(1, recipe.workers)
        ]
        for other in others:
            other.start()
        run_worker(0, net, shared, recipe)
        for other in others:
            other.join(60)
    return shared.progress >= 1


def parse() -> Recipe:
    """The recipe from the command line; every field of it is a flag."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder written by models.training.prepare")
    parser.add_argument("--bins", type=Path, default=CENTRES, help="pts_in_hull.npy, 313x2")
    parser.add_argument("--out", type=Path, required=True, help="folder for checkpoint, log and final.onnx")
    parser.add_argument("--variant", choices=["lite0", "lite1", "lite2"], default=Recipe.variant)
    parser.add_argument("--warm-start", type=Path, help="an exported net of the same variant")
    parser.add_argument("--deadline", help="end by this time, ISO 8601, UTC unless it says otherwise")
    parser.add_argument("--samples", type=int, help="end after so many pictures")
    parser.add_argument("--imagenet", action=argparse.BooleanOptionalAction, default=Recipe.imagenet)
    parser.add_argument("--smooth", action=argparse.BooleanOptionalAction, default=Recipe.smooth)
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    typed: dict[str, type] = {
        "batch": int,
        "frozen": int,
        "side": int,
        "large_side": int,
        "workers": int,
        "seed": int,
        "validate": int,
    }
    typed |= dict.fromkeys(("decoder_rate", "encoder_rate", "weight_decay", "uniform_share", "ema", "thaw_at"), float)
    typed |= dict.fromkeys(("large_from", "smallest_crop", "pairs", "calm", "plain", "temperature"), float)
    typed |= dict.fromkeys(("save_seconds", "warm_temperature", "aged", "blur"), float)
    for name, kind in typed.items():
        parser.add_argument("--" + name.replace("_", "-"), type=kind, default=getattr(Recipe, name))
    values = vars(parser.parse_args())
    if values["samples"] is None and values["deadline"] is None:
        parser.error("say when to end: --samples or --deadline")
    if values["deadline"] is not None:
        moment = datetime.datetime.fromisoformat(values["deadline"])
        values["deadline"] = (moment if moment.tzinfo else moment.replace(tzinfo=datetime.UTC)).timestamp()
    return Recipe(**values)


def main() -> None:
    """Parse the command line, train, export."""
    recipe = parse()
    if recipe.device == "cpu" and sys.platform == "linux" and "MALLOC_TOP_PAD_" not in os.environ:
        os.environ.update(MALLOC, OMP_NUM_THREADS="1")
        os.execv(sys.executable, [sys.executable, "-m", "models.training.train", *sys.argv[1:]])
    if train(recipe):
        command: list[str | Path] = [
            sys.executable,
            "-m",
            "models.training.export",
            recipe.out / "last.pt",
            recipe.out / "final.onnx",
        ]
        subprocess.run([*command, "--bins", recipe.bins], check=True)


if __name__ == "__main__":
    main()
