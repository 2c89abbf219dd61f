"""What kind of net an ONNX file is: told by its own metadata, else by its hash in the registry, else by its shapes."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

from pipeline.ground.errors import ModelError
from pipeline.nets.prediction import input_shape
from pipeline.nets.spec import LARGEST_INPUT, METADATA_KEY, Answer, Contract, Feed, NetSpec, Port, contract_from_json
from pipeline.nets.store import integrity
from pipeline.nets.store.onnx_header import OnnxHeader, read_header
from pipeline.nets.store.registry import ModelEntry, load_registry
from pipeline.nets.store.sound import check_sound

_MOST_FED = 1 << 26  # numbers

# Models of other kinds, which an import turns into ONNX.
FOREIGN = (".caffemodel", ".prototxt", ".pth", ".npy")


def resolve_file(path: Path, *, name: str) -> NetSpec:
    """Describe the ONNX file `path` by its sha256 in the registry, else by its own metadata, else by its shapes.

    Raises:
        ModelError: it is missing, damaged, no ONNX, or of no kind that is known.
    """
    if path.suffix.lower() in FOREIGN:
        raise ModelError(f"{path} is not an ONNX file: `colorize models import` makes one of it.")
    if not path.is_file():
        raise ModelError(f"The model file {path} is not there.")
    sha256, header = _checked(path)
    known = [entry for entry in load_registry().entries.values() if not entry.convert]
    entry = next((entry for entry in known if entry.files[0].sha256 == sha256), None)
    contract = entry.contract if entry else None
    if contract is None and METADATA_KEY in header.metadata:
        contract, _ = _own_contract(path, header)
    return _spec(entry.name if entry else name, path, sha256, contract or _kind_by_shape(path, header), header)


def _checked(path: Path, *, sha256: str = "", size: int | None = None, remedy: str = "") -> tuple[str, OnnxHeader]:
    """Read a file once; return its hash and what it declares, after a look at every weight and node in it."""
    content, found = integrity.read(path, sha256=sha256, size=size, remedy=remedy)
    header = read_header(path, content)
    check_sound(path, content)
    return found, header


def _own_contract(path: Path, header: OnnxHeader) -> tuple[Contract, dict[str, str]]:
    try:
        return contract_from_json(header.metadata[METADATA_KEY])
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from None


def _spec(name: str, path: Path, sha256: str, contract: Contract, header: OnnxHeader) -> NetSpec:
    size, feed, answer = contract.input_size, contract.feed, contract.answer
    return _described(NetSpec(name, path, sha256, size, feed, answer, header.inputs), header)


def converted_spec(entry: ModelEntry, path: Path) -> NetSpec:
    """Describe an ONNX file made from the entry's files, after a check that it was made from those very files.

    Raises:
        ModelError: it was made from other files, or cannot be read.
    """
    remedy = f"Remove it; it is then made anew from the files that `colorize models fetch {entry.name}` gets."
    sha256, header = _checked(path, remedy=remedy)
    if METADATA_KEY not in header.metadata:
        raise ModelError(f"{path} does not say what it was made from. {remedy}")
    contract, sources = _own_contract(path, header)
    weights = entry.files[0]
    if weights.sha256 not in sources.values():
        raise ModelError(f"{path} was not made from the {weights.name} that the registry knows. {remedy}")
    return _spec(entry.name, path, sha256, contract, header)


def carried_spec(entry: ModelEntry, path: Path, remedy: str) -> NetSpec:
    """Describe the entry's own ONNX file, after a check against the registry's size and sha256.

    Raises:
        ModelError: it is damaged, or another file; `remedy` says what to do.
    """
    known = entry.files[0]
    sha256, header = _checked(path, sha256=known.sha256, size=known.size, remedy=remedy)
    if entry.contract is None and METADATA_KEY not in header.metadata:
        raise ModelError(f"{path} does not say how it is fed. {remedy}")
    return _spec(entry.name, path, sha256, entry.contract or _own_contract(path, header)[0], header)


def _described(spec: NetSpec, header: OnnxHeader) -> NetSpec:
    """Add the declared inputs (the one that is fed first) and a declared size to `spec`; check that they fit."""
    axis = 1 if spec.feed.layout == "nchw" else 3
    fed = [port for port in header.inputs if len(port.shape) == 4 and port.shape[axis] in (spec.feed.channels, None)]
    if not fed:
        raise ModelError(
            f"{spec.path} takes {_shapes(header.inputs)}; "
            f"{spec.feed.channels} channel(s) in layout {spec.feed.layout} were expected."
        )
    out = header.outputs[0].shape
    if len(out) == 4 and out[axis] not in (spec.answer.channels, None):
        raise ModelError(
            f'{spec.path} gives {_shapes(header.outputs)}; {spec.answer.channels} channels ("{spec.answer.kind}") '
            "were expected."
        )
    side = fed[0].shape[2]
    others = tuple(port for port in header.inputs if port is not fed[0])
    made = replace(spec, inputs=(fed[0], *others), input_size=side or spec.input_size)
    largest = max(math.prod(input_shape(port, made.input_size)) for port in made.inputs)
    if made.input_size > LARGEST_INPUT or largest > _MOST_FED:
        raise ModelError(f"{spec.path} takes {_shapes(header.inputs)}, which is more than a picture is ever fed as.")
    return made


def _kind_by_shape(path: Path, header: OnnxHeader) -> Contract:
    """Guess size, feed and answer from declared shapes: the known families differ in them.

    L in, ab at a quarter of the size: Zhang 2016 (L - 50). L in, ab at full size, or with hint inputs: its PyTorch
    twins (raw L). RGB in, ab out: DDColor (0..1). RGB in, RGB out: DeOldify as exported for other programs (0..255).
    """
    if not header.inputs or not all(len(port.shape) == 4 for port in (header.inputs[0], header.outputs[0])):
        raise ModelError(_unknown(path, header))
    given, out = header.inputs[0].shape, header.outputs[0].shape
    layout = "nhwc" if given[1] not in (1, 3) and given[3] in (1, 3) else "nchw"
    axis, side = (1, 2) if layout == "nchw" else (3, 1)
    channels = (given[axis], out[axis])
    size = given[side]
    if channels == (1, 2):
        full = len(header.inputs) > 1 or (size is not None and size == out[side])
        return Contract(size or (256 if full else 224), Feed(offset=0.0 if full else -50.0, layout=layout), Answer())
    if channels == (3, 2):
        return Contract(size or 512, Feed(channels=3, layout=layout), Answer())
    if channels == (3, 3):
        return Contract(size or 256, Feed(channels=3, scale=255.0, layout=layout), Answer(kind="rgb", scale=1 / 255))
    raise ModelError(_unknown(path, header))


def _unknown(path: Path, header: OnnxHeader) -> str:
    return (
        f"{path} is of no kind known here: it takes {_shapes(header.inputs)} and gives {_shapes(header.outputs)}. "
        "Nets from L to ab, with or without hints, from RGB to ab and from RGB to RGB can be used."
    )


def _shapes(ports: tuple[Port, ...]) -> str:
    return " and ".join("x".join(str(size or "?") for size in port.shape) or "no shape" for port in ports) or "nothing"
