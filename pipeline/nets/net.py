"""A net as the rest of the program sees it: lightness in, ab out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from pipeline.nets.prediction import decode, encode
from pipeline.nets.spec import NetSpec

# What an engine is, once it has loaded a net: arrays by input name in, the first output as it comes out.
Run = Callable[[Mapping[str, NDArray[Any]]], NDArray[Any]]


class Net(Protocol):
    """What workers use: one net in one engine, with one thread."""

    @property
    def spec(self) -> NetSpec:
        """What the net is."""

    @property
    def engine(self) -> str:
        """Name of what runs it: "opencv", "onnxruntime" or "openvino"."""

    @property
    def precision(self) -> str:
        """Arithmetic: "float32" or "bfloat16"."""

    @property
    def label(self) -> str:
        """Engine and precision as recorded in the manifest and the fingerprint: "openvino/bfloat16"."""

    def predict(self, lightness: NDArray[np.float32]) -> NDArray[np.float32]:
        """Predict colour.

        Args:
            lightness: float32 (S, S), CIE L* 0..100, S = `spec.input_size`.

        Returns:
            float32 (h, w, 2), CIE a*, b* in Lab units, at the net's own output size.
        """


@dataclass(frozen=True, slots=True)
class LoadedNet:
    """A net that an engine has loaded (implements `Net`)."""

    spec: NetSpec
    engine: str
    precision: str
    run: Run

    @property
    def label(self) -> str:
        """Engine and precision, such as "opencv/float32"."""
        return f"{self.engine}/{self.precision}"

    def predict(self, lightness: NDArray[np.float32]) -> NDArray[np.float32]:
        """See `Net.predict`."""
        return decode(self.run(encode(lightness, self.spec)), self.spec)
