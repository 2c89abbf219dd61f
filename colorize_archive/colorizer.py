"""A net that is loaded once, and what can be done with it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.archive.spelling import unescape
from pipeline.archive.state import housed
from pipeline.colour.recipe import colorize
from pipeline.colour.verdict import Verdict, judge
from pipeline.ground.errors import ColorizeError, InputError, OutputError
from pipeline.ground.gather import gather
from pipeline.ground.items import Result, Status
from pipeline.ground.settings import Settings
from pipeline.ground.storage import located
from pipeline.media.medium import look_of
from pipeline.run.driver import run_archive
from pipeline.run.engine import settled_net
from pipeline.run.naming import destination_of
from pipeline.run.single import colorize_picture
from pipeline.run.summary import Summary
from pipeline.run.voice import Ended, Event, Voice

Sample = TypeVar("Sample", np.uint8, np.uint16)
StrPath = str | os.PathLike[str]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a picture or film.

    Attributes:
        source: the original, as it was named; of an archive, as the manifest names it.
        output: the file that was written; None where none was.
        status: done, copied (it was in colour), skipped, failed ...
        reason: why, for a person; empty when all went well.
        width, height: in pixels, upright; 0 where it was not read.
        seconds: that the work took.
        lost: what could not be carried over from the source, such as metadata; empty when nothing was lost.
    """

    source: str
    output: Path | None
    status: Status
    reason: str
    width: int
    height: int
    seconds: float
    lost: str


# Told of each item of an archive: what became of it, how many have an outcome now, how many there are to do.
OnItem = Callable[[Outcome, int, int], None]


class Colorizer:
    """One net, loaded once, under one choice of settings.

    Threads that share one take turns; each its own is faster. A process that is given one loads the net for itself.
    """

    def __init__(
        self, *, model: StrPath | None = None, engine: str | None = None, config: StrPath | None = None, **settings: Any
    ) -> None:
        """Load the net.

        Args:
            model: a name from `colorize models list`, or the path of an ONNX file; None: the embedded net.
            engine: what runs the net; None: the fastest that passes its check on this machine.
            config: a TOML file of settings, or the name of one that travels with the program, such as "archive".
            settings: any other setting by its name (docs/settings.md), such as `saturation=0.8`. Variables of the
                environment are not read.

        Raises:
            SettingsError: a setting that is unknown or unfit.
            ModelError: the net is missing, unfit or does not match its checksum.
            EngineError: the engine is not installed, or cannot run the net.
        """
        given = {name: _plain(value) for name, value in (settings | {"model": model, "engine": engine}).items()}
        self.__setstate__(gather(config=None if config is None else Path(config), flags=given))

    def __getstate__(self) -> Settings:
        """Return what another process needs to load the same net."""
        return self._settings

    def __setstate__(self, settings: Settings) -> None:
        """Load the net."""
        self._settings = settings
        self._turn = Lock()
        with _threads_kept():
            self._net = settled_net(settings)

    def array(self, pixels: NDArray[Sample]) -> NDArray[Sample]:
        """Colorize pixels, whatever colour they hold.

        Args:
            pixels: uint8 or uint16, full range; grey (H, W) or BGR (H, W, 3), sRGB, upright. Not changed.

        Returns:
            BGR (H, W, 3) of the same dtype, a new array; its luma (0.299 R + 0.587 G + 0.114 B) is that of `pixels`,
            exactly. With `lightness="lab"` 16 bits become 8.

        Raises:
            TypeError, ValueError: samples or a shape of another kind.
            EngineError: the engine stopped working.
        """
        pixels = _checked(pixels)
        with self._turn:
            return colorize(pixels, self._net, look_of(self._settings))

    def verdict(self, pixels: NDArray[Any]) -> Verdict:
        """Say whether pixels, as `array` takes them, are neutral (grey), toned or in colour already."""
        return judge(_checked(pixels))

    def file(self, source: StrPath, destination: StrPath | None = None, *, force: bool = False) -> Outcome:
        """Colorize one picture, pages and metadata and all; one that is in colour is copied, unless `on_color` differs.

        Args:
            source: the picture, only read.
            destination: the copy, whose suffix chooses its format; or a folder that is there; None: beside the
                picture, as NAME-colour, numbered where that is taken.
            force: replace what lies at `destination`.

        Raises:
            InputError: it is not there, or cannot be read.
            OutputError: the destination is taken, or cannot be written.
            SettingsError: a suffix that says no known format.
            ModelError: the net can no longer be used.
        """
        source = Path(_named(source, InputError))
        wanted = None if destination is None else Path(_named(destination, OutputError))
        place = destination_of(source, wanted, self._settings, force=force)
        with self._turn, _threads_kept():
            result = colorize_picture(source, place, self._settings, force=force, net=self._net)
        return _outcome(result, str(source), place.parent)

    def archive(
        self,
        inputs: StrPath | Sequence[StrPath],
        output: StrPath,
        *,
        state: StrPath | None = None,
        on_item: OnItem | None = None,
    ) -> Summary:
        """Colorize folders of photographs and films into OUTPUT, or what is left of them, as `colorize run` does.

        Nothing is printed. Worker processes, one net each, do the work, unless the settings say `executor="serial"`.
        In the main thread SIGINT and SIGTERM stop the run in good order (`Summary.stopped`).

        Args:
            inputs: a folder or file, or several; or the address of a storage, such as s3://bucket/scans.
            output: the folder to fill, with its journal and manifest; or the address of a storage.
            state: the folder that holds what is known of an OUTPUT in a storage; None: one of the user's.
            on_item: told of each item that has an outcome. What it raises ends the run and comes out here; what is
                finished stays, and the next call goes on.

        Raises:
            InputError, OutputError, ModelError, SettingsError: as `colorize run` says them.
            LockedError: another run has OUTPUT.
        """
        places = [inputs] if isinstance(inputs, (str, os.PathLike)) else list(inputs)
        folder = located(_named(output, OutputError))
        voice = Voice(aloud=False, listeners=(_telling(on_item, folder),) if on_item else ())
        try:
            with _threads_kept():
                paths = [located(_named(each, InputError)) for each in places]
                home = housed(folder, None if state is None else Path(state))
                return run_archive(paths, home, self._settings, quiet=True, voice=voice)
        except _CallbackError as error:
            raise error.said from None


class _CallbackError(ColorizeError):
    """What the caller's own function raised, on its way through the run."""

    def __init__(self, said: Exception) -> None:
        super().__init__(f"The callback failed: {type(said).__name__}: {said}")
        self.said = said


def _telling(on_item: OnItem, output: Path) -> Callable[[Event], None]:
    def listen(event: Event) -> None:
        if isinstance(event, Ended):
            try:
                on_item(_outcome(event.result, unescape(event.result.key), output), event.count, event.total)
            except Exception as error:
                raise _CallbackError(error) from error

    return listen


def _outcome(result: Result, source: str, folder: Path) -> Outcome:
    return Outcome(
        source=source,
        output=folder / result.filed.place if result.filed else None,
        status=result.status,
        reason=result.reason,
        width=result.seen.width,
        height=result.seen.height,
        seconds=result.seconds,
        lost=result.metadata,
    )


def _named(place: StrPath, error: type[ColorizeError]) -> str:
    """Return the name; an empty text is none: it comes of a variable that was never set, and would be this folder."""
    if os.fspath(place) == "":
        raise error("The name of a file or folder is empty.")
    return os.fspath(place)


def _plain(value: Any) -> Any:
    """Spell a value as settings take it: paths as texts, lists as tuples, NumPy's numbers as numbers."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, list):
        return tuple(value)
    return os.fspath(value) if isinstance(value, os.PathLike) else value


def _checked(pixels: NDArray[Sample]) -> NDArray[Sample]:
    if not isinstance(pixels, np.ndarray):
        hint = "; cv2.imread gives None where it cannot read a file" if pixels is None else ""
        raise TypeError(f"pixels of {type(pixels).__name__}: a NumPy array is wanted{hint}")
    if pixels.dtype.newbyteorder("=") not in (np.uint8, np.uint16):
        raise TypeError(f"pixels of {pixels.dtype}: uint8 or uint16 is wanted, full range")
    if not (pixels.ndim == 2 or (pixels.ndim == 3 and pixels.shape[2] == 3)):
        raise ValueError(f"pixels of the shape {pixels.shape}: (H, W), grey, or (H, W, 3), BGR, is wanted")
    if pixels.size == 0:
        raise ValueError("there are no pixels")
    return np.ascontiguousarray(pixels, dtype=pixels.dtype.newbyteorder("="))


@contextmanager
def _threads_kept() -> Iterator[None]:
    """Give OpenCV back the threads that the program had set: a worker takes one."""
    before = cv2.getNumThreads()
    try:
        yield
    finally:
        cv2.setNumThreads(before)
