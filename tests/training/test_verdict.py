"""The fit of the verdict on colour: what is made is what it is called, and a fit tells the two apart."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from models.training import verdict
from models.training.check_verdict import check, pictures
from models.training.old_prints import COLOUR_KINDS, KINDS
from pipeline.colour.features import measured, small
from pipeline.colour.verdict import _table

FIXTURES = Path(__file__).parents[1] / "fixtures"


def test_made_pictures_are_the_same_for_the_same_name() -> None:
    picture = verdict.decoded((FIXTURES / "colour" / "coffee.jpg").read_bytes())
    first, again, other = (list(verdict._drawn(picture, name)) for name in ("a", "a", "b"))
    assert [kind for kind, _ in first] == [kind for kind, _ in again]
    assert all(np.array_equal(one, two) for (_, one), (_, two) in zip(first, again, strict=True))
    assert [kind for kind, _ in first] != [kind for kind, _ in other]
    assert {kind for kind, _ in first} <= {*KINDS, *COLOUR_KINDS}
    assert list(verdict._drawn(np.full_like(picture, 90), "a")) == []  # grey is no colour photograph


def test_a_fit_tells_two_heaps_apart_and_its_table_says_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    rng = np.random.default_rng(0)
    kinds = rng.integers(0, len(verdict.NAMES), 900)
    features = rng.normal(0, 1, (900, 5)) + 3 * (kinds >= len(KINDS))[:, np.newaxis]
    measures = verdict.Measures(features, kinds, rng.random(900) < 0.2)
    layers = verdict.fit(measures, hidden=4, epochs=200)
    found = verdict.scores(layers, measures.features[measures.held])
    assert ((found > 0) == measures.in_colour[measures.held]).mean() > 0.97
    verdict.curve(layers, measures)
    assert capsys.readouterr().out.count("%") > 100
    table = verdict.table(layers, 0.5, 1.0)
    inputs = np.clip((features - table["mean"]) / table["scale"], -4, 4)
    logits = np.tanh(inputs @ np.array(table["hidden"]) + table["bias"]) @ table["output"] - table["threshold"]
    np.testing.assert_allclose(logits, verdict.scores(layers, features) - 0.5, atol=0.02)


def test_the_table_in_use_fits_the_features() -> None:
    features = measured(small(cv2.imread(str(FIXTURES / "colour" / "coffee.jpg"))))
    table = _table()
    assert features.shape == table.mean.shape == table.scale.shape == table.hidden.shape[:1]
    assert table.hidden.shape[1:] == table.bias.shape == table.output.shape


def test_the_check_counts_what_is_wrong(tmp_path: Path) -> None:
    counts = check(pictures(FIXTURES / "colour", FIXTURES / "grey"), keep=tmp_path)
    assert set(counts) == {"colour", *KINDS, "true prints"}
    assert counts["colour"][:2] == (4, 0)
    assert counts["true prints"] == (4, 0, 0)
    assert sum(wrong for _, wrong, _ in counts.values()) == len(list(tmp_path.iterdir())) <= 3
