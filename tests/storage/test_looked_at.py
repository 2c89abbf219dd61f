"""An OUTPUT in a storage looked through in the morning: gallery, review, compare and hints."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import pytest

pytest.importorskip("s3fs", reason="writes s3://; extra: storage")

from pipeline.archive.state import housed
from pipeline.cli.main import commands
from pipeline.cli.presentation import Presentation
from pipeline.ground.errors import OutputError, SettingsError
from pipeline.ground.storage import located
from pipeline.web.gallery.build import Options, make_gallery
from tests.conftest import write_archive
from tests.review.conftest import coat, serve
from tests.storage.far import ADDRESS, PLACE, everything, outputs, rows, run
from tests.storage.servers import Bucket, Proxy

COAT, PICTURE = "box 9/coat? 100%.jpg", "box 1/picture 001.jpg"


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    write_archive(tmp_path / "scans", 2)
    (tmp_path / "scans" / COAT).parent.mkdir()
    cv2.imwrite(str(tmp_path / "scans" / COAT), coat())
    return tmp_path / "scans"


def of_items(state: Path) -> list[dict[str, object]]:
    """What the page knows of each item."""
    (said,) = state.glob("gallery/data/*/more-0.js")
    text = said.read_text()
    found: list[dict[str, object]] = json.loads(text[text.index("[") : text.rindex("]") + 1])
    return found


def test_the_gallery_of_a_bucket_is_made_here_and_the_bucket_stays_as_it_is(
    archive: Path, bucket: Bucket, line: Proxy, tmp_path: Path, tiny_net: Path
) -> None:
    state = tmp_path / "state"
    run(archive, state, tiny_net)
    there, home = everything(bucket), housed(located(ADDRESS), state, known=True)
    made = make_gallery(home, Options(workers=1))
    assert (made.page, made.items, made.unseen) == (state / "gallery" / "index.html", 3, 0)
    assert made.made == 3 * 3, "of each a thumbnail before and after, and a larger one of what the browser cannot reach"
    assert all(item["after"] == item["after"] | {"url": "", "own": False} for item in of_items(state))  # type: ignore[operator]
    assert make_gallery(home, Options(workers=1)).made == 0
    bucket.put(f"{PLACE}/{PICTURE}", (archive / COAT).read_bytes())
    bucket.remove(f"{PLACE}/{COAT}")
    assert make_gallery(home, Options(workers=1)).made == 2, "what somebody put there is shown"
    assert [item["after"] is None for item in of_items(state)] == [False, False, True]
    assert everything(bucket) == {
        **{place: data for place, data in there.items() if place != COAT},
        PICTURE: (archive / COAT).read_bytes(),
    }
    line.fate = lambda method, path: "403 AccessDenied"
    with pytest.raises(OutputError, match=f"{ADDRESS} cannot be read: permission denied"):
        make_gallery(home, Options(workers=1))


def test_what_is_decided_of_a_bucket_is_made_by_the_next_run(
    archive: Path, bucket: Bucket, line: Proxy, tmp_path: Path, tiny_net: Path
) -> None:
    state = tmp_path / "state"
    run(archive, state, tiny_net)
    before = outputs(bucket)
    with serve(housed(located(ADDRESS), state, known=True)) as served:
        assert served.picture("after", PICTURE) == (200, before[PICTURE])
        assert served.preview(COAT, saturation=0.2)[1][:2] == b"\xff\xd8"
        assert served.decide(COAT, saturation=0.2)[0] == 200
        assert served.decide(PICTURE, decision="rejected")[0] == 200
        assert served.decide("nothing.jpg", decision="rejected") == (409, f"Nothing.jpg: no such picture in {ADDRESS}.")
    assert "saturation = 0.2" in (state / "hints.toml").read_text()
    assert run(archive, state, tiny_net).worked == 1
    after = outputs(bucket)
    assert after.keys() == before.keys() - {PICTURE}
    assert {place for place in after if after[place] != before[place]} == {COAT}
    assert rows(bucket)[PICTURE]["status"] == "rejected"


def test_each_command_takes_the_address(
    archive: Path, bucket: Bucket, reached: None, tmp_path: Path, tiny_net: Path, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    def said(*words: object) -> str:
        assert not commands.main(list(map(str, words)), standalone_mode=False, obj=Presentation())
        return capsys.readouterr().out

    bucket.fill(archive)
    source, state = located("s3://museum/scans"), tmp_path / "state"
    given = ADDRESS, "--state", state
    run(source, state, tiny_net)
    said("compare", source / COAT, "--palettes", "vivid", "--choose", "3", "-o", *given)
    told = {"format": "colorize-decisions", "version": 1, "pictures": [{"key": PICTURE, "decision": "left-grey"}]}
    (tmp_path / "told.json").write_text(json.dumps(told))
    taken = said("hints", "import", tmp_path / "told.json", *given)
    assert taken == f"1 taken, 0 as before: {state}/hints.toml\n"
    assert run(source, state, tiny_net).worked == 2
    said("reject", ADDRESS, f"{ADDRESS}/{COAT}", "--state", state)
    assert outputs(bucket).keys() == {PICTURE, "box 0/picture 000.jpg"}
    with pytest.raises(OutputError, match="Nothing is known here of s3://museum/other"):
        said("gallery", "s3://museum/other", "--state", tmp_path / "new")
    with pytest.raises(SettingsError, match="no OUTPUT is named"):
        said("compare", source / COAT, "-s", tmp_path / "look.jpg", "--state", state)
