"""One frozen, validated `Settings` object.

Each setting is declared once, as a field of `Settings`; the command line, the configuration files and the fingerprint
are all drawn from it.
"""

from __future__ import annotations

import difflib
import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import Field, dataclass, field, fields
from typing import Any, get_type_hints

from pipeline.ground.errors import SettingsError
from pipeline.ground.hints import PALETTES
from pipeline.ground.items import Kind

# Raised when the same settings begin to give other pixels or bytes: everything finished of that kind is done anew.
# 2, photographs and pages: metadata and profiles are carried over. 3, both: more than 8 bits stay more than 8, and
# TIFFs are taken by their tags.
FORMAT_VERSIONS = {Kind.PHOTO: 4, Kind.PAGES: 4, Kind.FILM: 1}


def _setting(
    default: object,
    text: str,
    *,
    choices: tuple[str, ...] = (),
    low: float | None = None,
    high: float | None = None,
    word: str = "",
    changes: Iterable[Kind] = (),
    neutral: object = None,
    metavar: str = "",
) -> Any:
    """Declare a setting.

    Args:
        default: its value where none is given.
        text: its help.
        choices: the texts it can be; empty: any.
        low, high: the numbers it lies between.
        word: a text allowed beside numbers.
        changes: kinds of items whose output's bytes it changes.
        neutral: the value under which outputs are what they were before the setting was there; None: the default.
        metavar: of the flag.
    """
    return field(
        default=default,
        metadata={
            "text": text,
            "choices": choices,
            "low": low,
            "high": high,
            "word": word,
            "changes": frozenset(changes),
            "neutral": default if neutral is None else neutral,
            "metavar": metavar,
        },
    )


_STILLS = (Kind.PHOTO, Kind.PAGES)
_ALL = (*_STILLS, Kind.FILM)


@dataclass(frozen=True, slots=True)
class Settings:
    """What a run is asked for; every field is a flag, a TOML key and a `COLORIZE_*` variable of the same name."""

    model: str = _setting(
        "embedded", "Net: a name from `colorize models list`, or the path of an ONNX file.", metavar="NAME|FILE"
    )
    prototxt: str = _setting("", "The tutorial's .prototxt, with --model FILE.caffemodel and --points.", metavar="FILE")
    points: str = _setting("", "The tutorial's pts_in_hull.npy.", metavar="FILE")
    models_dir: str = _setting("", "Folder of fetched and imported models (default: the user's cache).", metavar="DIR")
    engine: str = _setting(
        "auto",
        "What runs the net; auto takes the fastest that passes its check here.",
        choices=("auto", "opencv", "onnxruntime", "openvino", "onnxruntime-gpu", "openvino-gpu"),
    )
    precision: str = _setting(
        "auto",
        "Arithmetic of the net; auto takes bfloat16 only where checked.",
        choices=("auto", "float32", "bfloat16"),
    )
    lightness: str = _setting(
        "luma",
        "What is kept of the picture: its luma, exactly, or Lab lightness as the tutorial does it.",
        choices=("luma", "lab"),
        changes=_STILLS,
        neutral="lab",
    )
    format: str = _setting(
        "keep",
        "Format of the outputs; keep: the source's, or PNG where that is unfit; several pages become TIFF.",
        choices=("keep", "jpg", "png", "tif", "webp"),
        changes=(Kind.PHOTO,),
        neutral="jpg",
    )
    chroma_sampling: str = _setting(
        "420",
        "Chroma of JPEG outputs at half size (420) or at full size (444); with lightness luma.",
        choices=("420", "444"),
        changes=(Kind.PHOTO,),
    )
    jpeg_scans: str = _setting(
        "separate",
        "Scans of JPEG outputs: separate ones keep the original inside; interleaved, for readers that know no others.",
        choices=("separate", "interleaved"),
        changes=(Kind.PHOTO,),
    )
    provenance: bool = _setting(
        True,
        "Write into each output that its colour was made by a net, by which, and of what.",
        changes=_STILLS,
        neutral=False,
    )
    quality: int = _setting(95, "Quality of JPEG and WebP outputs, 1 to 100.", low=1, high=100, changes=(Kind.PHOTO,))
    pages: str = _setting("all", "Pages of a TIFF that are colorized.", choices=("all", "first"))
    saturation: float = _setting(1.0, "Factor on the predicted chroma, 0 to 3.", low=0.0, high=3.0, changes=_ALL)
    palette: str = _setting(
        "natural",
        "What is done to the net's colours: nearer to the truth, with calm planes; the same without glaring reds; more "
        "colour; or nothing.",
        choices=PALETTES,
        changes=_ALL,
        neutral="plain",
    )
    # No kind is named: what steers a picture is in the mark of its hints.
    series: str = _setting(
        "off",
        "Pictures of one folder get alike colours for alike things: those that were approved steer the others.",
        choices=("off", "folder"),
    )
    on_color: str = _setting(
        "copy",
        "What is done with pictures already in colour.",
        choices=("copy", "skip", "recolor"),
        changes=_ALL,
    )
    # Of itself it changes nothing: those that are listed have fingerprints of their own.
    on_color_list: str = _setting(
        "",
        "List of single pictures for which a person has decided: lines such as `recolor box 3/017.jpg`.",
        metavar="FILE",
    )
    on_damage: str = _setting(
        "failed",
        "What becomes of pictures damaged inside: failed, or done, as far as they can be read; the reason says so.",
        choices=("failed", "done"),
    )
    encoder: str = _setting(
        "auto",
        "Encoder of films; auto takes H.264 where it is there. Those that end in _nvenc need an NVIDIA card.",
        choices=(
            "auto",
            "h264",
            "h265",
            "av1",
            "vp9",
            "prores",
            "ffv1",
            "h264_nvenc",
            "h265_nvenc",
            "av1_nvenc",
        ),
        changes=(Kind.FILM,),
    )
    film_quality: int | str = _setting(
        "auto",
        "Quality of films in the encoder's own measure (CRF: lower is better).",
        low=0,
        high=63,
        word="auto",
        changes=(Kind.FILM,),
        metavar="N|auto",
    )
    preset: str = _setting("", "Speed of the encoder, in its own words.", changes=(Kind.FILM,), metavar="NAME")
    container: str = _setting(
        "auto",
        "Container of films; auto follows the source, else Matroska.",
        choices=("auto", "mp4", "mov", "mkv", "webm"),
        changes=(Kind.FILM,),
    )
    width: int = _setting(
        0, "Width that films are scaled to, in pixels; 0 keeps theirs.", low=0, high=16384, changes=(Kind.FILM,)
    )
    deinterlace: bool = _setting(
        False, "Make interlaced frames of films progressive; else they stay interlaced.", changes=(Kind.FILM,)
    )
    steady: str = _setting(
        "normal",
        "How steady colour is kept within a shot.",
        choices=("off", "normal", "strong"),
        changes=(Kind.FILM,),
    )
    keyframes: int = _setting(
        8, "Frames between those of a film that the net sees, 1: each.", low=1, high=48, changes=(Kind.FILM,)
    )
    jobs: int | str = _setting(
        "auto", "Worker processes; auto goes by cores and memory.", low=1, high=1024, word="auto", metavar="N|auto"
    )
    executor: str = _setting(
        "loky",
        "Worker processes of this machine; of a Dask or Ray cluster, see --cluster; or serial: all in this process.",
        choices=("loky", "serial", "dask", "ray"),
    )
    cluster: str = _setting(
        "", "Where the Dask scheduler or the Ray cluster is; empty: one is started here.", metavar="ADDRESS"
    )
    item_timeout: int | str = _setting(
        "auto",
        "Seconds for a picture or a piece of a film, then its worker is ended and it fails; auto goes by its size.",
        low=1,
        high=1_000_000,
        word="auto",
        metavar="N|auto",
    )
    exclude: tuple[str, ...] = _setting((), "Skip sources that match (may be repeated).", metavar="GLOB")
    shard: str = _setting(
        "", "Do one share of INPUT alone, such as 3/8; `colorize merge` puts the OUTPUTs together.", metavar="K/N"
    )
    follow_symlinks: bool = _setting(False, "Follow symbolic links inside INPUT.")
    max_megapixels: float = _setting(
        500.0, "Pictures larger than this fail instead of filling the memory.", low=0.001, high=100000.0
    )
    max_memory: int | str = _setting(
        "auto",
        "Memory for all workers together, in MB; auto takes what can be had.",
        low=100,
        high=10_000_000,
        word="auto",
        metavar="MB|auto",
    )
    layout: str = _setting(
        "single",
        "What an output of a photograph shows: it alone, or grey and coloured side by side.",
        choices=("single", "side-by-side"),
        changes=(Kind.PHOTO,),
    )
    caption: str = _setting(
        "",
        'A line of text in a white band below outputs of photographs, such as "Colorized by software".',
        changes=(Kind.PHOTO,),
        metavar="WORDS",
    )
    caption_font: str = _setting(
        "",
        "Font of the caption, TrueType or OpenType; the built-in one has no accents.",
        changes=(Kind.PHOTO,),
        metavar="FILE",
    )
    certificate: str = _setting(
        "",
        "Sign outputs of photographs with Content Credentials: your certificate and its chain, PEM.",
        changes=(Kind.PHOTO,),
        metavar="FILE",
    )
    certificate_key: str = _setting("", "The certificate's private key, PEM without a password.", metavar="FILE")
    keep_times: bool = _setting(False, "Give outputs the modification time of their sources.")
    verify: bool = _setting(False, "Compare sources by sha256, not only size and time.")
    retry_failed: bool = _setting(False, "Try again what failed or crashed before.")
    replace_edited: bool = _setting(False, "Make anew also outputs that somebody has changed since.")
    deleted_outputs: str = _setting(
        "redo",
        "What is done with finished outputs that are not there any more: made anew, or taken as not wanted.",
        choices=("redo", "rejected"),
    )
    strict: bool = _setting(False, "Exit with 3 also where all that failed has failed, and was told, before.")
    manifest_bom: bool = _setting(False, "Begin the manifest with a byte order mark, for spreadsheets that need one.")
    accept_gone: bool = _setting(False, "Go on although an INPUT lacks most of what earlier runs found there.")

    def __post_init__(self) -> None:
        for declared in fields(self):
            value = getattr(self, declared.name)
            _check(declared, value)
            if TYPES[declared.name] is float:  # 1 and 1.0 must give one fingerprint
                object.__setattr__(self, declared.name, float(value))


TYPES = get_type_hints(Settings)


def _check(declared: Field[Any], value: Any) -> None:
    name, meta = declared.name, declared.metadata
    hint = TYPES[name]
    wanted = {
        str: "a text",
        bool: "true or false",
        int: "a whole number",
        float: "a number",
        int | str: f'a whole number or "{meta["word"]}"',
        tuple[str, ...]: "a list of texts",
    }[hint]
    if hint is float:
        fits = isinstance(value, (int, float)) and not isinstance(value, bool)
    elif hint == int | str:
        fits = value == meta["word"] or (isinstance(value, int) and not isinstance(value, bool))
    elif hint == tuple[str, ...]:
        fits = isinstance(value, tuple) and all(isinstance(each, str) for each in value)
    else:
        fits = type(value) is hint
    if not fits:
        raise SettingsError(f"{name} = {value!r}: this setting takes {wanted}.")
    if meta["choices"] and value not in meta["choices"]:
        raise SettingsError(
            f"{name} = {value!r}: it can be {_alternatives(meta['choices'])}.{nearest(value, meta['choices'])}"
        )
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        low, high = meta["low"], meta["high"]
        if low is not None and not low <= value <= high:
            raise SettingsError(f"{name} = {value}: it must lie between {low:g} and {high:g}.")


def _alternatives(choices: Iterable[str]) -> str:
    *first, last = choices
    return f"{', '.join(first)} or {last}" if first else f"only {last}"


def nearest(word: object, known: Iterable[str]) -> str:
    """Return a sentence, behind a space, that names what of `known` is most like `word`; empty where nothing is."""
    match = difflib.get_close_matches(str(word), list(known), n=1, cutoff=0.5)
    return f' Did you mean "{match[0]}"?' if match else ""


def field_of(name: str) -> Field[Any]:
    """Return the declaration of the setting `name` (also spelled with hyphens), or raise `SettingsError`."""
    known = {each.name: each for each in fields(Settings)}
    found = known.get(name.replace("-", "_"))
    if found is None:
        raise SettingsError(f'There is no setting "{name}".{nearest(name.replace("-", "_"), known)}')
    return found


def treated_as(kind: Kind, settings: Settings) -> Kind:
    """Return how an item is worked on: of several pages the first alone is a photograph."""
    return Kind.PHOTO if kind is Kind.PAGES and settings.pages == "first" else kind


def fingerprint(
    settings: Settings, kind: Kind, *, model_sha256: str, engine: str, listed: str = "", chart: str = ""
) -> str:
    """Return a short hash of all that changes an item's pixels or bytes: an output made under another is made anew.

    Only what differs from its neutral value counts, so a setting that is new and neutral repeats no work.

    Args:
        settings: those declared to change this kind count.
        kind: how the item is treated.
        model_sha256: hash of the net's file.
        engine: engine and precision as recorded in the manifest, such as "openvino/bfloat16".
        listed: what a person's list says of the item instead of `on_color`; empty where it says nothing.
        chart: hash of the chart by which the net's colours are moved; empty where there is none.
    """
    said = {"listed": listed, "chart": chart}
    parts = _counting(settings, kind) | {name: value for name, value in said.items() if value}
    return _hash(parts | {"kind": kind, "model": model_sha256, "engine": engine, "version": FORMAT_VERSIONS[kind]})


def fingerprint_v1(settings: Settings, *, model_sha256: str, engine: str) -> str:
    """Return the fingerprint by which colorize 0.1 knew these settings, for archives that were begun with it."""
    known = {name: getattr(settings, name) for name in ("format", "quality", "saturation", "on_color")}
    # Of what came later it knew the neutral values alone: what is wanted otherwise is nothing that it made.
    parts = _counting(settings, Kind.PHOTO) | known | {"upsample": "bilinear", "gamut": "clip"}
    return _hash(parts | {"model": model_sha256, "engine": engine, "version": 1})


def _counting(settings: Settings, kind: Kind) -> dict[str, Any]:
    """Return by name what differs from its neutral value, of the settings that change this kind."""
    return {
        each.name: getattr(settings, each.name)
        for each in fields(settings)
        if kind in each.metadata["changes"] and getattr(settings, each.name) != each.metadata["neutral"]
    }


def _hash(parts: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]
