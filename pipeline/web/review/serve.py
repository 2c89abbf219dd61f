"""The whole of `colorize review`: a gallery is made, served, and what is decided on it is written down."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pipeline.archive.hints import written_hints
from pipeline.archive.own import resolved
from pipeline.ground.errors import ColorizeError, LockedError
from pipeline.web.door import Door
from pipeline.web.gallery.build import Gallery, Options, make_gallery
from pipeline.web.review.preview import Previews, with_any_engine
from pipeline.web.review.site import Review
from pipeline.web.server import served

HOST: Final = "127.0.0.1"
_GLANCE: Final = 0.1  # seconds after which it is looked whether to stop


@dataclass(frozen=True, slots=True)
class Wanted:
    """How OUTPUT is looked through.

    Attributes:
        port: 0 takes a free one.
        workers: processes that make thumbnails.
        name: of the gallery's folder.
    """

    port: int = 0
    workers: int = os.cpu_count() or 1
    name: str = "gallery"


def review(
    output: Path,
    wanted: Wanted,
    announce: Callable[[str, Gallery | None], None],
    stopped: Callable[[], bool],
    on_planned: Callable[[int], None] = lambda count: None,
    on_made: Callable[[int], None] = lambda count: None,
) -> int:
    """Serve the gallery of OUTPUT until `stopped` says so; only OUTPUT's hints and the gallery are written.

    A run may work on OUTPUT meanwhile: it took its hints when it began, and the next one takes what is decided now.

    Args:
        output: OUTPUT.
        wanted: how.
        announce: told the address, token and all, and what was made.
        stopped: asked ten times a second.
        on_planned, on_made: see `make_gallery`.

    Returns:
        How many pictures something was decided of.

    Raises:
        OutputError: OUTPUT holds no journal, or can't be written, or the port is taken.
        SettingsError: OUTPUT's hints make no sense.
    """
    output = resolved(output)
    written_hints(output)
    options = Options(wanted.name, workers=wanted.workers)
    making = threading.Lock()

    def refresh() -> Gallery:
        with making:
            return make_gallery(output, options)

    made: Gallery | None = None
    try:
        made = make_gallery(output, options, on_planned, on_made)
    except LockedError:  # another `colorize gallery` is at it: what is there does, where something is
        if not (output / wanted.name / "index.html").exists():
            raise
    previews = Previews(output, with_any_engine)
    site = Review(output, wanted.name, previews, refresh)
    warming = threading.Thread(target=previews.warm, name="warm", daemon=True)
    door = Door(HOST, guarded=True)
    with served(HOST, wanted.port, site, door) as address:
        warming.start()
        announce(f"{address}{door.token}/", made)
        while not stopped():
            time.sleep(_GLANCE)
    warming.join()  # an engine that is loading, or at work, must not see its process end
    previews.close()
    with suppress(ColorizeError):  # the pages on the disk show what came of it where nothing is in the way
        refresh()
    return len(site.decided)
