"""A print that was photographed on a coloured table is found by its edges."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest

from pipeline.colour import verdict
from pipeline.colour.rectangle import rectangles
from pipeline.colour.verdict import judge


def table(height: int = 300, width: int = 400) -> np.ndarray:
    """Return stripes of orange, blue and brown, BGR uint8."""
    stripes = np.array([(30, 110, 200), (150, 90, 20), (40, 70, 120), (90, 140, 190)], np.uint8)
    return np.repeat(stripes[np.arange(width) // 16 % 4][np.newaxis], height, axis=0)


def laid(print_: np.ndarray, degrees: float) -> np.ndarray:
    """Return a print with a white margin, turned, on the table."""
    margined = cv2.copyMakeBorder(
        cv2.resize(print_, (290, 210)), 8, 8, 8, 8, cv2.BORDER_CONSTANT, value=(235, 238, 240)
    )
    below = table()
    height, width = margined.shape[:2]
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1)
    turn[:, 2] += (200 - width / 2, 150 - height / 2)
    mask = cv2.warpAffine(np.full((height, width), 255, np.uint8), turn, (400, 300))
    turned = cv2.warpAffine(margined, turn, (400, 300), flags=cv2.INTER_LINEAR)
    return np.where(mask[:, :, np.newaxis] > 127, turned, below)


def grey_print() -> np.ndarray:
    rng = np.random.default_rng(4)
    coarse = [cv2.resize(rng.normal(0, 1, (2**k, 2**k)).astype(np.float32), (290, 210)) / 1.6**k for k in range(1, 8)]
    grey = cv2.normalize(sum(coarse), None, 10, 245, cv2.NORM_MINMAX).astype(np.float32)
    return (grey[:, :, np.newaxis] * np.array([0.78, 0.9, 1.0], np.float32)).astype(np.uint8)


@pytest.mark.parametrize("degrees", [0, 4, -9])
def test_the_print_is_among_the_rectangles(degrees: float) -> None:
    found = list(rectangles(laid(grey_print(), degrees)))
    assert 0 < len(found) <= 12 + 1
    assert any(math.isclose(each.shape[1] / each.shape[0], 290 / 210, rel_tol=0.06) for each in found)


@pytest.mark.parametrize("degrees", [0, 4, -9])
def test_a_print_on_a_table_is_no_colour(degrees: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the net says of the whole: here it is made to say colour."""
    whole = verdict.small(laid(grey_print(), degrees))
    scored = verdict.score
    monkeypatch.setattr(verdict, "score", lambda of: 9.0 if of.ab.shape == whole.ab.shape else scored(of))
    judged = judge(laid(grey_print(), degrees))
    assert (judged.kind, judged.doubtful) == ("toned", True)


@pytest.mark.parametrize("degrees", [0, 4, -9])
def test_a_print_in_colour_on_a_table_is_colour(degrees: float) -> None:
    coloured = grey_print()
    coloured[:, :145] = coloured[:, :145, ::-1]
    assert judge(laid(coloured, degrees)).kind == "color"


def test_without_edges_there_is_none() -> None:
    assert list(rectangles(np.full((200, 300, 3), 90, np.uint8))) == []
    assert list(rectangles(np.zeros((1, 1, 3), np.uint8))) == []
    assert list(rectangles(np.zeros((3, 4000, 3), np.uint16))) == []
