"""Where a run reads and writes: INPUTs that are there, an OUTPUT that is none of them, a label for each INPUT."""

from __future__ import annotations

import hashlib
import os
import stat
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from pipeline.archive.schema import Run
from pipeline.archive.spelling import escape, fold, unescape
from pipeline.ground import shelf
from pipeline.ground.errors import ColorizeError, InputError, OutputError
from pipeline.ground.files import words
from pipeline.ground.storage import Origin, located


@dataclass(frozen=True, slots=True)
class Root:
    """One INPUT.

    Attributes:
        path: as it was given.
        label: first part of what its items are called; empty for the only folder of a run.
        is_folder: a folder to walk, not one file.
    """

    path: Path
    label: str
    is_folder: bool


def check_places(inputs: Sequence[Path], output: Path) -> list[Root]:
    """Check INPUTs and OUTPUT before anything is touched, and label the INPUTs.

    An INPUT that is named twice, or lies inside another one, counts once. One folder alone is mirrored directly. Of
    several INPUTs each goes under its own name; equal names get that of their parent folder too ("scans (1931)"),
    so that a label depends neither on order nor on how many others share the name.

    Raises:
        InputError: an INPUT is not there, can't be read, or is neither file nor folder.
        OutputError: OUTPUT is an INPUT, holds one, or is a file.
    """
    _check_storages(inputs, output)
    if not inputs:
        raise InputError("No INPUT was given: name at least one file or folder.")
    if output.exists() and not output.is_dir():
        raise OutputError(f"{output} is a file: OUTPUT must be a folder, or not be there yet.")
    real = {_real(path): path for path in reversed(inputs)}
    for resolved, path in real.items():
        _check_input(path)
        _check_apart(path, resolved, output)
    kept = [(resolved, path) for resolved, path in real.items() if not _is_walked_with_another(resolved, real)]
    kept.reverse()
    if len(kept) == 1 and kept[0][0].is_dir():
        return [Root(kept[0][1], "", True)]
    names = labels([resolved for resolved, _ in kept])
    return [Root(path, label, resolved.is_dir()) for (resolved, path), label in zip(kept, names, strict=True)]


def known_places(inputs: Sequence[str], output: Path) -> list[Root]:
    """Return the INPUTs that the journal names for a run; none where one of them is gone, or cannot be reached."""
    try:
        return check_places([located(unescape(each)) for each in inputs], output)
    except (ColorizeError, OSError):
        return []


def places_of(runs: Iterable[Run], output: Path) -> dict[tuple[str, ...], list[Root]]:
    """Return the `known_places` of runs by their INPUTs, each looked for once: most nights have the same."""
    return {inputs: known_places(inputs, output) for inputs in {run.inputs for run in runs}}


def source_path(roots: Sequence[Root], place: str) -> Path:
    """Return where the thing lies that is called `place` (see `discover.Found`) in the archive of these INPUTs."""
    for root in roots:
        if not root.label:
            return root.path / place
        label, _, below = place.partition("/")
        if label == root.label:
            return root.path / below if below else root.path
    return Path(place)


def keys_of(path: Path, runs: Iterable[Run], output: Path) -> Iterator[str]:
    """Yield what a file may be called in the journal, by the INPUTs of these runs: as it was named, and as it lies.

    Args:
        path: of the file.
        runs: the newest of them first.
        output: OUTPUT.
    """
    spelled = {path.absolute(): None}
    with suppress(OSError, RuntimeError):  # links that lead in a circle
        spelled |= dict.fromkeys((path.parent.resolve() / path.name, path.resolve()))
    for inputs in dict.fromkeys(run.inputs for run in runs):
        for root in known_places(inputs, output):
            for lies in spelled:
                if lies.is_relative_to(root.path):
                    below = lies.relative_to(root.path).parts
                    yield escape("/".join((*filter(None, [root.label]), *below)))


def _real(path: Path) -> Path:
    try:
        return path.resolve(strict=True)
    except FileNotFoundError:
        raise InputError(f"{path}: there is no such file or folder.") from None
    except RuntimeError:
        raise InputError(f"{path} cannot be read: links that go in a circle.") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read: {words(error)}.") from None


def _check_input(path: Path) -> None:
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode) and isinstance(path, Origin):
            return  # a folder is there as long as something lies in it
        if stat.S_ISDIR(mode):
            with os.scandir(path):
                return
        if stat.S_ISREG(mode):
            return
    except OSError as error:
        raise InputError(f"{path} cannot be read: {words(error)}.") from None
    raise InputError(f"{path} is neither a file nor a folder.")


def _check_apart(path: Path, resolved: Path, output: Path) -> None:
    if isinstance(path, Origin):
        return
    # By device and inode: bind mounts and case-insensitive file systems give one folder several names.
    try:
        status = output.stat()
    except OSError:
        identity = None
    else:
        identity = (status.st_dev, status.st_ino)
    target = output.resolve()
    for ancestor in (resolved, *resolved.parents):
        try:
            here = ancestor.stat()
        except OSError:
            continue
        if ancestor == target or (here.st_dev, here.st_ino) == identity:
            if ancestor == resolved:
                raise OutputError(f"INPUT and OUTPUT are the same folder ({output}): give OUTPUT a folder of its own.")
            raise OutputError(f"INPUT {path} lies inside OUTPUT {output}: give OUTPUT a folder of its own.")


def _check_storages(inputs: Sequence[Path], output: Path) -> None:
    there = shelf.of(output)
    for path in inputs if there else ():
        address = there.address if there else path
        if address.is_relative_to(path) or path.is_relative_to(address):
            raise OutputError(f"INPUT {path} and OUTPUT {address} lie in one another: give OUTPUT a place of its own.")


def _is_walked_with_another(resolved: Path, real: Iterable[Path]) -> bool:
    return any(
        other in resolved.parents and not any(part.startswith(".") for part in resolved.relative_to(other).parts)
        for other in real
    )


def labels(paths: Sequence[Path]) -> list[str]:
    """Return under which names several INPUTs go."""
    shortest = [path.name or "root" for path in paths]
    longer = [f"{_stem(path)} ({path.parent.name or 'root'}){_suffix(path)}" for path in paths]
    unique = [f"{_stem(path)}~{hashlib.sha256(os.fsencode(path)).hexdigest()[:12]}{_suffix(path)}" for path in paths]
    chosen = shortest
    for finer in (longer, unique):
        shared = Counter(map(fold, chosen))
        chosen = [
            long if shared[fold(label)] > 1 or len(os.fsencode(label)) > 255 else label
            for label, long in zip(chosen, finer, strict=True)
        ]
    return chosen


def _stem(path: Path) -> str:
    return path.name if path.is_dir() else path.stem


def _suffix(path: Path) -> str:
    return "" if path.is_dir() else path.suffix
