"""What the options of captions and of Content Credentials do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.ground.errors import SettingsError
from pipeline.media.photo.jpeg.record import original
from tests.conftest import landscape
from tests.photo.signer import certificate as made


def caption(bench: Any) -> None:
    bench.photograph(pixels=landscape(1))
    bench.run()
    alone = bench.made("1.png")
    assert bench.worked("--caption", "Colorized by software") == 1
    below = bench.made("1.png")
    np.testing.assert_array_equal(below[: alone.shape[0]], alone)
    assert below[alone.shape[0] :].min() < 128
    assert "a caption stands below" in bench.manifest()["1.png"]["metadata"]
    with pytest.raises(SettingsError, match="one line"):
        bench.run("--caption", "a\nb")


def caption_font(bench: Any) -> None:
    bench.photograph(pixels=landscape(1))
    with pytest.raises(SettingsError, match="cannot be read as a font"):
        bench.run("--caption", "a", "--caption-font", str(bench.scans / "1.png"))
    with pytest.raises(SettingsError, match="--caption-font names one"):
        bench.run("--caption", "á")
    fonts = sorted(Path("/usr/share/fonts").rglob("DejaVuSans.ttf"))
    if not fonts:
        pytest.skip("no font with accents is installed")
    bench.run("--caption", "á", "--caption-font", str(fonts[0]))
    assert bench.statuses() == {"1.png": "done"}


def certificate(bench: Any) -> None:
    chain, key = made(bench.colour.parent)
    source = bench.photograph("1.jpg", pixels=landscape(1, 200, 300))
    bench.run("--certificate", str(chain), "--certificate-key", str(key))
    c2pa = pytest.importorskip("c2pa")
    path = bench.colour / "1.jpg"
    found = json.loads(c2pa.Reader("image/jpeg", path.open("rb")).json())
    manifest = found["manifests"][found["active_manifest"]]
    assert manifest["ingredients"][0]["title"] == "1.jpg"
    assert "compositeWithTrainedAlgorithmicMedia" in json.dumps(manifest["assertions"])
    assert manifest["signature_info"]["common_name"] == "signer"
    problems = [each["code"] for each in found.get("validation_status", [])]
    assert problems == ["signingCredential.untrusted"]  # nobody but this test knows the root
    assert original(path.read_bytes()) == source.read_bytes()


def certificate_key(bench: Any) -> None:
    chain, key = made(bench.colour.parent)
    bench.photograph()
    for given, reason in (((), "belong together"), (("--certificate-key", str(chain)), "Nothing can be signed")):
        with pytest.raises(SettingsError, match=reason):
            bench.run("--certificate", str(chain), *given)
    with pytest.raises(SettingsError, match="cannot be read"):
        bench.run("--certificate", str(chain), "--certificate-key", str(key) + "x")
    assert not bench.colour.exists()
