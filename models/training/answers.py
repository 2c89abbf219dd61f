"""Keep what a net answers to photographs: `python -m models.training.answers DATA --out ANSWERS.npz`.

DATA is written by `models.training.prepare`. Kept are ab and spread, planes calmed as the palettes calm them, and the
truth, every second of the net's cells in each direction; with them, what comes behind the net is tried in seconds.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from models.training.prepare import is_held_out
from pipeline.colour.calm import calmed
from pipeline.colour.palette import PALETTES
from pipeline.nets.engine import Engine
from pipeline.nets.engines.open import open_net
from pipeline.nets.net import guessed
from pipeline.nets.resolve import resolve

Floats = npt.NDArray[np.float32]

EVERY = 2


@dataclass(frozen=True)
class Answers:
    """Of N photographs: lightness (N, h, w), 0..100; ab and truth (N, h, w, 2); spread (N, h, w); mean of ab (N, 2)."""

    lightness: Floats
    ab: Floats
    spread: Floats
    mean: Floats
    truth: Floats

    @property
    def shown(self) -> Floats:
        """The photographs, BGR 0..1 (N, h, w, 3)."""
        return self.pixels(self.truth)

    def pixels(self, ab: Floats) -> Floats:
        """The photographs in other colours (N, h, w, 2), BGR 0..1 (N, h, w, 3)."""
        lab = np.concatenate([self.lightness[..., None], ab], -1).reshape(-1, self.lightness.shape[2], 3)
        return cv2.cvtColor(lab, cv2.COLOR_LAB2BGR).clip(0, 1).reshape(*ab.shape[:3], 3).astype(np.float32)


def load(path: Path) -> Answers:
    """Read what `main` wrote."""
    with np.load(path) as kept:
        return Answers(**{name: kept[name].astype(np.float32) for name in kept})


def ask(data: Path, limit: int, held_out: bool, model: str = "embedded") -> Answers:
    """Ask the net for `limit` photographs of the training split, or of the held-out one, spread evenly over it."""
    net = open_net(resolve(model), Engine("onnxruntime", "float32"))
    side, strength = net.spec.input_size, PALETTES["natural"].calm
    names = (data / "names.txt").read_text(encoding="utf-8").splitlines()
    of_split = [place for place, name in enumerate(names) if is_held_out(name) == held_out]
    if not of_split:
        raise SystemExit(f"{data} has no {'held-out' if held_out else 'training'} photograph")
    count = min(limit, len(of_split))
    places = [of_split[place * len(of_split) // count] for place in range(count)]
    lightness, chroma = (np.load(data / f"{name}.npy", mmap_mode="r") for name in ("lightness", "chroma"))
    rows: dict[str, list[Floats]] = {name: [] for name in Answers.__dataclass_fields__}
    for place in places:
        shown = cv2.resize(lightness[place].astype(np.float32) / 2.55, (side, side), interpolation=cv2.INTER_LINEAR)
        ab, spread = guessed(net, np.asarray(shown, np.float32))
        if spread is None:
            raise SystemExit(f"{model} does not say how sure it is")
        both = calmed(np.dstack((ab, spread)), np.asarray(shown, np.float32), strength)
        size = ab.shape[1], ab.shape[0]
        truth = cv2.resize(chroma[place].astype(np.float32).transpose(1, 2, 0), size, interpolation=cv2.INTER_AREA)
        rows["mean"].append(both[..., :2].mean((0, 1)))
        rows["lightness"].append(cv2.resize(shown, size, interpolation=cv2.INTER_AREA)[::EVERY, ::EVERY])  # type: ignore[arg-type]
        for name, values in (("ab", both[..., :2]), ("spread", both[..., 2]), ("truth", truth)):
            rows[name].append(values[::EVERY, ::EVERY])
    return Answers(**{name: np.stack(each).astype(np.float32) for name, each in rows.items()})


def main(words: list[str] | None = None) -> None:
    """Parse the command line, ask, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder written by models.training.prepare")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--limit", type=int, default=5500)
    parser.add_argument("--held-out", action="store_true", help="the split that nothing is fitted to")
    arguments = parser.parse_args(words)
    cv2.setNumThreads(1)
    kept = ask(arguments.data, arguments.limit, arguments.held_out)
    np.savez(arguments.out, **{name: each.astype(np.float16) for name, each in vars(kept).items()})


if __name__ == "__main__":
    main()
