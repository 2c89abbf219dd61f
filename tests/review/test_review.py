"""`colorize review` over HTTP: who may ask, what is handed out, what is written, what is shown."""

from __future__ import annotations

import hashlib
import json
import signal
import socket
import threading
import tomllib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from pipeline.ground.errors import OutputError
from pipeline.web.review.preview import settings_of
from pipeline.web.review.serve import Wanted, review
from tests.conftest import Colorize
from tests.review.conftest import Archive, called, serve

COAT = "box/coat.jpg"
BLUE = {"x": 0.5, "y": 0.6, "color": "#3a5f8a"}


def decoded(data: bytes) -> np.ndarray:
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR).astype(int)


def hints(archive: Archive) -> dict[str, Any]:
    return tomllib.loads((archive.output / "hints.toml").read_text("utf-8"))


def test_what_is_decided_is_written_at_once_and_made_by_the_next_run(archive: Archive) -> None:
    made = {path: path.stat().st_mtime_ns for path in archive.output.rglob("box/*")}
    with serve(archive.output) as page:
        assert page.decide(COAT, points=[BLUE], note="her coat was blue")[0] == 200
        assert hints(archive)[COAT]["points"] == [BLUE]
        status, data = page.preview(COAT, points=[BLUE])
        assert status == 200
        blue, _, red = decoded(data)[150, 160]
        assert blue > red + 20
        wall = decoded(data)[150, 20]
        assert wall[2] > wall[0]
        assert page.decide("box/hills.jpg", decision="left-grey", rating=2)[0] == 200
        assert page.decide("box/more.png", decision="rejected")[0] == 200
        assert archive.run().worked == 2, "while the page is served"
        changed = [path for path, time in made.items() if path.exists() and path.stat().st_mtime_ns != time]
        assert sorted(path.name for path in changed) == ["coat.jpg", "hills.jpg"]
        assert not (archive.output / "box/more.png").exists()
        status, after = page.picture("after", COAT)
        assert status == 200
        near = np.abs(decoded(after) - decoded(data)).mean()
        assert near < 3, "the preview is what was made"
        assert page.preview(COAT, points=[BLUE]) == (204, b""), "the output is that already"
        assert page.ask("refresh", {})[0] == 200
        # Taken back, all of it: the entry goes, and the next run makes what was there before.
        assert page.decide(COAT, points=[], note="")[0] == 200
        assert page.decide("box/more.png", decision=None)[0] == 200
        assert page.decide("box/hills.jpg", decision=None, rating=None)[0] == 200
    assert hints(archive) == {}
    archive.run()
    assert {path.name for path in archive.output.glob("box/*")} == {"coat.jpg", "hills.jpg", "more.png"}


def test_saturation_warmth_and_grey_are_seen_at_once(archive: Archive) -> None:
    with serve(archive.output) as page:
        cold, warm = (decoded(page.preview("box/hills.jpg", warmth=value)[1]).mean((0, 1)) for value in (-1, 1))
        assert warm[2] - warm[0] > cold[2] - cold[0] + 10
        for said in ({"saturation": 0}, {"decision": "left-grey"}):
            grey = decoded(page.preview("box/hills.jpg", **said)[1])
            assert np.abs(grey[:, :, 0] - grey[:, :, 2]).max() <= 2, said
        assert page.preview("box/hills.jpg", decision="rejected") == (204, b"")
        assert page.preview("box/hills.jpg") == (204, b"")


def test_what_was_written_by_hand_stays_and_is_in_the_preview(archive: Archive) -> None:
    hand = '# mine\n["box/hills.jpg"]\nquality = 80\nstrokes = [{ path = [[0, 0.9], [1, 0.9]], color = "#a03030" }]\n'
    (archive.output / "hints.toml").write_text(hand)
    with serve(archive.output) as page:
        found = json.loads(page.ask("decisions")[1])["pictures"]
        assert [each["key"] for each in found] == ["box/hills.jpg"]
        assert page.decide("box/hills.jpg", warmth=0.2)[0] == 200
        below = decoded(page.preview("box/hills.jpg", warmth=0)[1])[180].mean(0)
        assert below[2] > below[0] + 25
    assert (archive.output / "hints.toml").read_text("utf-8").startswith(hand)
    assert hints(archive)["box/hills.jpg"]["warmth"] == 0.2
    beside = archive.source / "box" / "hints.toml"
    beside.write_text('["more.png"]\nwarmth = 1.0\n')
    with serve(archive.output) as page:
        assert page.preview("box/more.png")[0] == 200, "what INPUT says has not been made yet"


@pytest.mark.parametrize(
    ("key", "change", "sentence"),
    [
        (COAT, {"points": [BLUE | {"x": 1.2}]}, "outside of the picture"),
        (COAT, {"points": [BLUE | {"color": "blue"}]}, '"blue" is not a colour such as "#3a5f8a"'),
        (COAT, {"warmth": 7}, "not a number from -1 to 1"),
        (COAT, {"size": 1}, 'there is no "size"'),
        ("box/nobody.jpg", {"rating": 1}, "no such picture"),
    ],
)
def test_what_makes_no_sense_is_one_sentence_and_changes_nothing(
    archive: Archive, key: str, change: dict[str, Any], sentence: str
) -> None:
    with serve(archive.output) as page:
        status, said = page.decide(key, **change)
        assert (status, sentence in said, said.count("\n")) == (409, True, 0), said
        assert not (archive.output / "hints.toml").exists()
        assert page.ask("decide", b"no json")[0] == 400
        assert page.ask("decide", {"key": key})[0] == 400
        assert page.ask("preview", [])[0] == 400
        assert page.ask("preview", b"[" * 100_000)[0] == 400
        status, said, _ = page.ask("preview", {"key": "colour.png", "said": {"warmth": 1}})
        assert (status, b"in colour already" in said) == (409, True)
        (archive.output / "hints.toml").write_text("broken = [")
        assert "not valid TOML" in page.decide(COAT, rating=3)[1]
        (archive.output / "hints.toml").unlink()


def test_only_who_has_the_address_is_answered_and_nothing_leads_out(archive: Archive, tmp_path: Path) -> None:
    (tmp_path / "secret.jpg").write_bytes(b"secret")
    (archive.output / "box/more.png").unlink()
    (archive.output / "box/more.png").symlink_to(tmp_path / "secret.jpg")
    with serve(archive.output) as page:
        gallery = archive.output / "gallery"
        (gallery / "thumbs" / "link.jpg").symlink_to(tmp_path / "secret.jpg")
        for path in ("/", "/index.html", "/decisions", "/x" + page.token[1:], page.token.rstrip("/")):
            assert page.ask(path)[0] == 403, path
        assert page.ask("", Host="evil.example")[0] == 403
        assert page.ask("decide", {}, Origin="http://evil.example")[0] == 403
        assert page.ask("decide", {}, Origin="null")[0] == 403
        assert page.ask("/decide", {"key": COAT, "change": {"rating": 1}})[0] == 403
        places = [
            "../secret.jpg", "%2e%2e/hints.toml", "../manifest.csv", "thumbs/link.jpg", "colorize-gallery.json", "data",
            ".colorize/journal.sqlite", "picture/after/..%2fmanifest.csv", "picture/before/..%2fsecret.jpg",
            "picture/aside/" + COAT.replace("/", "%2f"), "picture/after/box%2Fmore.png", "%ff", "thumbs/%00.jpg",
        ]  # fmt: skip
        for place in places:
            assert page.ask(place)[0] == 404, place
        assert page.ask("/nothing", {})[0] == 403
        assert page.ask("nothing", {})[0] == 404
        assert page.ask("decide", b"x", **{"Content-Length": "5000000"})[0] == 413
        status, _, headers = page.ask("")
        assert (status, "connect-src 'self'" in headers["Content-Security-Policy"]) == (200, True)
        assert page.picture("before", COAT) == (200, (archive.source / COAT).read_bytes())
        (archive.source / COAT).write_bytes(b"something else")
        assert page.picture("before", COAT)[0] == 404, "not what the journal knows"


def test_a_part_of_a_file(archive: Archive) -> None:
    whole = (archive.source / COAT).read_bytes()
    with serve(archive.output) as page:
        place = "picture/before/box%2Fcoat.jpg"
        status, body, headers = page.ask(place, Range="bytes=10-19")
        assert (status, body, headers["Content-Range"]) == (206, whole[10:20], f"bytes 10-19/{len(whole)}")
        assert page.ask(place, Range="bytes=10-")[1] == whole[10:]
        for wrong in ("bytes=999999999-", "bytes=5-2", "lines=1-2", "bytes=-5"):
            assert page.ask(place, Range=wrong)[:2] == (200, whole), wrong


def test_many_changes_at_once_are_all_written(archive: Archive) -> None:
    keys = ["box/coat.jpg", "box/hills.jpg", "box/more.png", "colour.png"]
    with serve(archive.output) as page:
        said = [threading.Thread(target=page.decide, args=(key,), kwargs={name: 1}) for key in keys
                for name in ("rating", "saturation", "warmth")]  # fmt: skip
        for each in said:
            each.start()
        for each in said:
            each.join()
    written = hints(archive)
    want = {"rating": 1, "saturation": 1, "warmth": 1}
    assert {key: {name: entry.get(name) for name in want} for key, entry in written.items()} == dict.fromkeys(
        keys, want
    )


def test_no_journal_and_a_port_that_is_taken(archive: Archive, colorize: Colorize, tmp_path: Path) -> None:
    came = colorize("review", tmp_path / "nothing")
    assert (came.returncode, came.stderr.count("\n")) == (5, 1)
    assert "nothing" in came.stderr
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
        with pytest.raises(OutputError, match=f"port {port}: address already in use.*--port 0"):
            review(archive.output, Wanted(port, 1), lambda address, made: None, lambda: True)
    (archive.output / "hints.toml").write_text("x = 1")
    came = colorize("review", archive.output)
    assert (came.returncode, came.stderr.count("\n")) == (2, 1)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_in_good_order(archive: Archive, user_cache: Path, number: int) -> None:
    with called(archive.output, user_cache, number) as page:
        assert page.decide(COAT, rating=4)[0] == 200
    assert hints(archive)[COAT]["rating"] == 4


def test_settings_of_another_version_are_no_obstacle() -> None:
    assert settings_of({"saturation": 0.5, "exclude": ["*.x"], "later": 1}).exclude == ("*.x",)
    assert settings_of({"saturation": "much"}).saturation == 1


def test_of_a_path_and_a_sha256_the_preview_takes_what_a_run_takes(archive: Archive) -> None:
    digest = hashlib.sha256((archive.source / "box/hills.jpg").read_bytes()).hexdigest()
    for folder in (archive.output, archive.source):
        text = f'["box/hills.jpg"]\nsaturation = 1.5\n["sha256:{digest}"]\nsaturation = 0\n'
        (folder / "hints.toml").write_text(text)
        with serve(archive.output) as page:
            grey = decoded(page.preview("box/hills.jpg")[1])
            assert np.abs(grey[:, :, 0] - grey[:, :, 2]).max() <= 2
            assert archive.run().worked == 1
            assert page.preview("box/hills.jpg") == (204, b""), "the output is that already"
        (folder / "hints.toml").unlink()
        archive.run()
