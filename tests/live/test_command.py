"""`colorize live` as a user calls it."""

from __future__ import annotations

import os
import pty
import re
import shutil
import signal
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("av")

from tests.film.clips import pictures, times_of
from tests.live.stand_ins import ENGINE, called, frame_of, get, until

Colorize = Callable[..., subprocess.CompletedProcess[str]]
BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), "")


def frames_shown(said: str) -> int:
    return int(re.search(r"([\d,]+) frames shown", said)[1].replace(",", ""))


def test_a_film_to_its_end_is_shown_and_kept(tmp_path: Path, colorize: Colorize, clip: Path) -> None:
    kept = tmp_path / "kept.mp4"
    done = colorize("live", clip, "--save", kept, "--fast", "--port", 0, *ENGINE)
    assert done.returncode == 0, done.stderr
    assert re.search(r"^Live at http://127\.0\.0\.1:\d+/ ", done.stderr)
    assert frames_shown(done.stderr) == 50
    assert times_of(kept) == pytest.approx([number / 25 for number in range(50)], abs=0.001)
    assert {(each.width, each.height) for each in pictures(kept)} == {(96, 64)}
    assert colorize("live", clip, "--save", clip, "--force", *ENGINE).returncode == 5
    assert colorize("live", clip, "--fast", "--port", 0, "-q", *ENGINE).stderr == ""


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_it_in_good_order(
    tmp_path: Path, user_cache: Path, long_clip: Path, number: signal.Signals, code: int
) -> None:
    kept = tmp_path / "kept.mkv"
    with called(tmp_path, user_cache, [long_clip, "--save", kept]) as live:
        frame = frame_of(live.address())
        live.process.send_signal(number)
        assert live.process.wait(30) == code
        assert "Traceback" not in live.said
    times = times_of(kept)
    assert len(times) == frames_shown(live.said) > 0
    assert times == sorted(set(times))
    assert frame["title"] == long_clip.name
    assert [each.name for each in tmp_path.iterdir() if each.suffix == ".part"] == []


def test_q_in_the_terminal_ends_it_with_0(tmp_path: Path, user_cache: Path, long_clip: Path) -> None:
    ours, theirs = pty.openpty()
    kept = tmp_path / "kept.mp4"
    try:
        with called(tmp_path, user_cache, [long_clip, "--save", kept], stdin=theirs) as live:
            live.address()
            os.write(ours, b"xq")
            assert live.process.wait(30) == 0
        assert len(times_of(kept)) == frames_shown(live.said)
    finally:
        os.close(ours)
        os.close(theirs)


def test_ctrl_c_in_the_terminal_still_makes_its_signal(tmp_path: Path, user_cache: Path, long_clip: Path) -> None:
    ours, theirs = pty.openpty()
    try:
        with called(tmp_path, user_cache, [long_clip], stdin=theirs) as live:
            live.address()
            os.write(ours, b"\x03")
            assert live.process.wait(30) == 130
    finally:
        os.close(ours)
        os.close(theirs)


def test_q_on_the_page_ends_it_with_0(tmp_path: Path, user_cache: Path, long_clip: Path) -> None:
    with called(tmp_path, user_cache, [long_clip]) as live:
        address = live.address()
        assert get(address, "/quit", "POST", Origin=address.rstrip("/"))[0] == 200
        assert live.process.wait(30) == 0


def test_bad_input_is_one_sentence_and_its_exit_code(tmp_path: Path, colorize: Colorize, clip: Path) -> None:
    text = tmp_path / "text.mp4"
    text.write_text("no film " * 99, encoding="utf-8")
    with socket.create_server(("127.0.0.1", 0)) as held, socket.socket() as mute:
        mute.bind(("127.0.0.1", 0))
        silent = f"rtsp://127.0.0.1:{mute.getsockname()[1]}/cam"
        for arguments, code, words in (
            (["97"], 5, "no camera 97"),
            ([silent], 5, f"{silent} does not answer"),
            ([text], 5, "not a film"),
            ([tmp_path / "none.mp4"], 5, "is not there"),
            (["file:///etc/passwd"], 2, "no address that is read"),
            ([clip, "--port", held.getsockname()[1]], 5, "--port 0"),
            ([clip, "--save", tmp_path / "kept.gif"], 2, ".webm"),
            ([clip, "--save", tmp_path / "none" / "kept.mp4"], 5, "is not there"),
            ([clip, "--host", "203.0.113.7"], 5, "203.0.113.7"),
        ):
            done = colorize("live", "--port", 0, *arguments, *ENGINE)
            assert (done.returncode, done.stdout) == (code, ""), done.stderr
            assert words in done.stderr
            assert len(done.stderr.strip().splitlines()) == 1, done.stderr


def browser(folder: Path, address: str, *options: str) -> str:
    """Look at a page in headless Chromium for a while, and return what it has become."""
    flags = ("--headless=new", "--no-sandbox", "--disable-gpu", f"--user-data-dir={folder / 'browser'}")
    done = subprocess.run(
        [BROWSER, *flags, "--virtual-time-budget=1500", *options, "--dump-dom", address],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return done.stdout


@pytest.mark.skipif(not BROWSER, reason="no Chromium here")
def test_the_page_in_a_browser(tmp_path: Path, user_cache: Path, long_clip: Path) -> None:
    with called(tmp_path, user_cache, [long_clip, "--host", "0.0.0.0"]) as live:
        address = re.sub(r"//[^:/]+:", "//127.0.0.1:", live.address())
        page = browser(tmp_path, address)
        assert len(re.findall(r'<img[^>]* src="data:image/jpeg;base64,[\w+/=]{200,}"', page)) == 3
        assert f">{long_clip.name}</h1>" in page
        assert re.search(r'id="state"[^>]*>Live<', page)
        for figure in ("rate", "latency", "behind", "dropped", "size"):
            assert re.search(rf'id="{figure}">\d', page), figure
        assert "64 × 48" in page
        assert "Not for you" in browser(tmp_path, address.partition("?")[0])
        assert live.process.poll() is None
        live.process.send_signal(signal.SIGINT)
        assert until(lambda: live.process.poll() is not None)
