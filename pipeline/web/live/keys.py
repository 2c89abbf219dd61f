"""The key `q` in the terminal, without Enter."""

from __future__ import annotations

import os
import select
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def listening(quit_: Callable[[], None]) -> Iterator[None]:
    """Call `quit_` when `q` is pressed during the block; nothing where there is no terminal to press it in."""
    number = _terminal()
    if number is None:
        yield
        return
    import termios
    import tty

    before = termios.tcgetattr(number)
    enough = threading.Event()
    thread = threading.Thread(target=_listen, args=(number, enough, quit_), name="keys", daemon=True)
    try:
        tty.setcbreak(number)  # Ctrl-C still makes its signal
        thread.start()
        yield
    finally:
        enough.set()
        termios.tcsetattr(number, termios.TCSADRAIN, before)


def _terminal() -> int | None:
    """Return the number of the terminal that this process may read; a program in the background may not."""
    try:
        number = sys.stdin.fileno()
        return number if os.isatty(number) and os.tcgetpgrp(number) == os.getpgrp() else None
    except (OSError, ValueError, AttributeError):
        return None


def _listen(number: int, enough: threading.Event, quit_: Callable[[], None]) -> None:
    while not enough.is_set():
        ready, _, _ = select.select([number], [], [], 0.2)
        if not ready:
            continue
        pressed = os.read(number, 32)
        if not pressed:  # the terminal was closed
            return
        if b"q" in pressed.lower():
            quit_()
            return
