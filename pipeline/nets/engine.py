"""The name of what runs a net."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Engine:
    """A library and the arithmetic it computes in.

    Attributes:
        name: such as "opencv" or "openvino-gpu".
        precision: "float32" or "bfloat16".
    """

    name: str
    precision: str

    def __str__(self) -> str:
        return f"{self.name}/{self.precision}"

    @classmethod
    def parse(cls, text: str) -> Engine:
        """Return the engine of a text such as "openvino/bfloat16"."""
        name, _, precision = text.partition("/")
        return cls(name, precision)
