"""Models whose published files are no ONNX: how they come to be one, or run as they are."""

from __future__ import annotations

import hashlib
import importlib.util
import re
from collections.abc import Callable
from pathlib import Path

from pipeline.ground.errors import ModelError, OutputError
from pipeline.ground.files import words
from pipeline.nets.content import digest
from pipeline.nets.points import read_points
from pipeline.nets.spec import LARGEST_INPUT, Answer, Feed, NetSpec, Port
from pipeline.nets.store import integrity
from pipeline.nets.store.caffe_sound import check_caffemodel, check_prototxt
from pipeline.nets.store.identify import converted_spec, resolve_file
from pipeline.nets.store.registry import ModelEntry, default_models_dir, load_registry

_INSTALL = "`pip install 'colorize-archive[import]'` brings what converts them"


def resolve_caffe(prototxt: Path, caffemodel: Path, points: Path, models_dir: Path | None = None) -> NetSpec:
    """Describe the tutorial's three files, given by path.

    OpenCV 4 reads them itself, exactly as the tutorial has it. OpenCV 5 has no Caffe importer: they are converted once
    into the cache.

    Args:
        prototxt, caffemodel, points: the files; `points` is `pts_in_hull.npy`.
        models_dir: where the converted file goes; None: the user's cache.

    Raises:
        ModelError: a file is missing, damaged or an impostor; or OpenCV 5 and nothing to convert with.
    """
    hashes = [_known(path) for path in (prototxt, caffemodel, points)]
    if _opencv_reads_caffe():
        return _native(caffemodel.stem, prototxt, caffemodel, points)
    _need_converter("This OpenCV is of version 5, which cannot read Caffe models")
    name = hashlib.sha256("".join(hashes).encode()).hexdigest()[:16]
    path = (models_dir or default_models_dir()) / "converted" / f"{name}.onnx"
    if not path.is_file():
        import_caffe(prototxt, caffemodel, points, path)
    return resolve_file(path, name=caffemodel.stem)


def import_caffe(prototxt: Path, caffemodel: Path, points: Path, destination: Path) -> NetSpec:
    """Convert the tutorial's three files into the ONNX file `destination` (extra "import").

    Raises:
        ModelError: a file is missing, damaged or not of this net; or the extra is not installed.
        OutputError: `destination` cannot be written.
    """
    for path in (prototxt, caffemodel, points):
        _known(path)
    _need_converter("Caffe models have to be converted")
    from pipeline.nets.convert.caffe import convert_caffe

    _made(destination, lambda: convert_caffe(prototxt, caffemodel, points, destination))
    return resolve_file(destination, name=destination.stem)


def import_torch(weights: Path, destination: Path) -> NetSpec:
    """Convert a PyTorch release (`.pth` of eccv16 or siggraph17) into the ONNX file `destination` (extra "import").

    Nothing in the file is executed, and torch is not needed.

    Raises:
        ModelError: the file is missing, damaged, or of another net; or the extra is not installed.
        OutputError: `destination` cannot be written.
    """
    _known(weights)
    _need_converter("PyTorch weights have to be converted")
    from pipeline.nets.convert.torch import convert_torch

    _made(destination, lambda: convert_torch(weights, destination))
    return resolve_file(destination, name=destination.stem)


def compare_with_caffe(
    prototxt: Path, caffemodel: Path, points: Path, converted: NetSpec
) -> tuple[float, float] | None:
    """Hold a converted model to OpenCV 4's own reading of the Caffe files.

    Returns:
        Mean and maximum of the ab difference over made-up pictures, in Lab units; None where OpenCV is of version 5.
    """
    if not _opencv_reads_caffe():
        return None
    import numpy as np

    from pipeline.nets.engines.choice import REFERENCE
    from pipeline.nets.engines.open import open_net
    from pipeline.nets.engines.samples import sample_lightness

    native = _native(caffemodel.stem, prototxt, caffemodel, points)
    nets = [open_net(spec, REFERENCE) for spec in (native, converted)]
    answers = [np.stack([net.predict(each) for each in sample_lightness(native.input_size)]) for net in nets]
    difference = np.abs(answers[0] - answers[1])
    return float(difference.mean()), float(difference.max())


def spec_from_sources(entry: ModelEntry, folder: Path) -> NetSpec:
    """Describe the model of a registry entry whose files have to be converted, converting them where that is needed.

    Args:
        entry: one with `convert` set.
        folder: where its files lie and the converted one goes.

    Raises:
        ModelError: the files are not there or damaged; or the extra "import" is not installed and OpenCV 4 cannot help.
    """
    remedy = f"`colorize models fetch {entry.name}` gets it."
    paths = [folder / file.name for file in entry.files]
    if missing := [path for path in paths if not path.is_file()]:
        raise ModelError(f'The model "{entry.name}" is not here ({missing[0]}). {remedy}')
    for path, file in zip(paths, entry.files, strict=True):
        integrity.check(path, sha256=file.sha256, size=file.size, remedy=remedy)
    destination = folder / entry.loads()
    if entry.convert == "caffe":
        caffemodel, prototxt, points = paths
        if not _converter_there() and _opencv_reads_caffe():
            return _native(entry.name, prototxt, caffemodel, points)
        import_caffe(prototxt, caffemodel, points, destination)
    else:
        import_torch(paths[0], destination)
    return converted_spec(entry, destination)


def _native(name: str, prototxt: Path, caffemodel: Path, points: Path) -> NetSpec:
    """Describe three files that OpenCV 4 will read itself, each read once here and looked through."""
    weights, described, centres = (integrity.read(path)[0] for path in (caffemodel, prototxt, points))
    text = described.decode("utf-8", "replace")
    check_prototxt(str(prototxt), text)
    check_caffemodel(caffemodel, weights)
    read_points(points, centres)
    sides = re.findall(r"dim:\s*(\d{1,9})", text)[:4]
    size = int(sides[2]) if len(sides) == 4 else 224
    if not 0 < size <= LARGEST_INPUT:
        raise ModelError(f"{prototxt} asks for a square of {size} by {size}, which no net is fed.")
    return NetSpec(
        name,
        caffemodel,
        digest("caffe", weights, described, centres),
        size,
        Feed(offset=-50.0),
        Answer(),
        (Port("", (1, 1, size, size)),),  # its one input, whatever the prototxt calls it
        form="caffe",
        prototxt=prototxt,
        points=points,
    )


def _known(path: Path) -> str:
    """Check a file given by path: where it bears a registry file's name, it has to be that file."""
    if not path.is_file():
        raise ModelError(f"The model file {path} is not there.")
    if path.suffix == ".prototxt":  # people edit these: any text that describes the net will do
        return integrity.check(path)
    for entry in load_registry().entries.values():
        for file in entry.files:
            if file.name == path.name:
                return integrity.check(path, sha256=file.sha256, size=file.size, remedy="Fetch it again.")
    return integrity.check(path)


def _made(destination: Path, convert: Callable[[], None]) -> None:
    try:
        destination.parent.mkdir(parents=True, exist_ok=True)
        convert()
    except OSError as error:
        raise OutputError(f"{destination} cannot be written: {words(error)}.") from None


def _opencv_reads_caffe() -> bool:
    from pipeline.nets.engines.opencv import reads_caffe

    return reads_caffe()


def _converter_there() -> bool:
    return importlib.util.find_spec("onnx") is not None


def _need_converter(why: str) -> None:
    if not _converter_there():
        raise ModelError(f"{why}: {_INSTALL}; then run the same command again, or `colorize models import`.")
