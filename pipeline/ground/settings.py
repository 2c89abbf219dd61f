"""One frozen, validated `Settings` object from defaults, a TOML file, the environment and flags.

The order is default < configuration file < `COLORIZE_*` variables < `--set` and flags. Each setting is declared once,
as a field of `Settings`; the command line, the configuration files and the fingerprint are all drawn from it.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import Field, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, get_type_hints

from pipeline.ground.errors import SettingsError
from pipeline.ground.items import Kind
from pipeline.ground.resources import configs_dir

# Raised when the same settings begin to give other pixels or bytes: everything finished of that kind is done anew.
# Photographs, 2: metadata and profiles are carried over.
FORMAT_VERSIONS = {Kind.PHOTO: 2, Kind.PAGES: 1, Kind.FILM: 1}

ENVIRONMENT_PREFIX = "COLORIZE_"


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
    provenance: bool = _setting(
        True,
        "Write into each output that its colour was made by a net, by which, and of what.",
        changes=(Kind.PHOTO,),
        neutral=False,
    )
    quality: int = _setting(95, "Quality of JPEG and WebP outputs, 1 to 100.", low=1, high=100, changes=(Kind.PHOTO,))
    pages: str = _setting("all", "Pages of a TIFF that are colorized.", choices=("all", "first"))
    saturation: float = _setting(1.0, "Factor on the predicted chroma, 0 to 3.", low=0.0, high=3.0, changes=_ALL)
    on_color: str = _setting(
        "copy",
        "What is done with pictures already in colour.",
        choices=("copy", "skip", "recolor"),
        changes=_ALL,
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
    executor: str = _setting("loky", "Worker processes, or serial: all in this process.", choices=("loky", "serial"))
    exclude: tuple[str, ...] = _setting((), "Skip sources that match (may be repeated).", metavar="GLOB")
    follow_symlinks: bool = _setting(False, "Follow symbolic links inside INPUT.")
    max_megapixels: float = _setting(
        500.0, "Pictures larger than this fail instead of filling the memory.", low=0.001, high=100000.0
    )
    verify: bool = _setting(False, "Compare sources by sha256, not only size and time.")
    retry_failed: bool = _setting(False, "Try again what failed or crashed before.")

    def __post_init__(self) -> None:
        for declared in fields(self):
            value = getattr(self, declared.name)
            _check(declared, value)
            if _HINTS[declared.name] is float:  # 1 and 1.0 must give one fingerprint
                object.__setattr__(self, declared.name, float(value))


_HINTS = get_type_hints(Settings)


def _check(declared: Field[Any], value: Any) -> None:
    name, meta = declared.name, declared.metadata
    hint = _HINTS[name]
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
            f"{name} = {value!r}: it can be {_alternatives(meta['choices'])}.{_nearest(value, meta['choices'])}"
        )
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        low, high = meta["low"], meta["high"]
        if low is not None and not low <= value <= high:
            raise SettingsError(f"{name} = {value}: it must lie between {low:g} and {high:g}.")


def _alternatives(choices: Iterable[str]) -> str:
    *first, last = choices
    return f"{', '.join(first)} or {last}" if first else f"only {last}"


def _nearest(word: object, known: Iterable[str]) -> str:
    match = difflib.get_close_matches(str(word), list(known), n=1, cutoff=0.5)
    return f' Did you mean "{match[0]}"?' if match else ""


def field_of(name: str) -> Field[Any]:
    """Return the declaration of the setting `name` (also spelled with hyphens), or raise `SettingsError`."""
    known = {each.name: each for each in fields(Settings)}
    found = known.get(name.replace("-", "_"))
    if found is None:
        raise SettingsError(f'There is no setting "{name}".{_nearest(name.replace("-", "_"), known)}')
    return found


def parse_value(name: str, text: str) -> Any:
    """Turn the text of a flag, a `--set` or an environment variable into the setting's own type."""
    hint = _HINTS[field_of(name).name]
    try:
        if hint is bool:
            return {
                "1": True,
                "true": True,
                "yes": True,
                "on": True,
                "0": False,
                "false": False,
                "no": False,
                "off": False,
            }[text.lower()]
        if hint is int:
            return int(text)
        if hint is float:
            return float(text)
        if hint == int | str:
            return int(text) if text.lstrip("+-").isdigit() else text
    except (KeyError, ValueError):
        return text  # the check of the Settings object then says what was wanted
    if hint == tuple[str, ...]:
        return tuple(part for part in text.split(",") if part)
    return text


def from_mapping(values: Mapping[str, Any], *, base: Settings | None = None, origin: str = "") -> Settings:
    """Return `base` (default: all defaults) with `values` put in; every key and value is checked.

    Raises:
        SettingsError: unknown key (the nearest known one is named) or unfit value; `origin` says where it stood.
    """
    try:
        changes: dict[str, Any] = {
            field_of(key).name: tuple(value) if isinstance(value, list) else value for key, value in values.items()
        }
        return replace(base or Settings(), **changes)
    except SettingsError as error:
        raise SettingsError(f"{origin}: {error}" if origin else str(error)) from None


def _ready_made(path: Path) -> Path:
    """Let a bare name mean one of the files that travel with the program, unless such a file lies here."""
    inside = configs_dir() / f"{path.name}.toml"
    return inside if path.name == str(path) and not path.exists() and inside.is_file() else path


def from_file(path: Path, *, base: Settings | None = None) -> Settings:
    """Read a TOML file of settings; those that travel with the program (`--config archive`) are found by their name.

    Raises:
        SettingsError: the file is not there, is not TOML, or holds an unknown key or unfit value.
    """
    path = _ready_made(path)
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"The configuration file {path} cannot be read: {error.strerror}.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"The configuration file {path} is not valid TOML: {error}.") from None
    return from_mapping(values, base=base, origin=str(path))


def gather(
    *,
    config: Path | None = None,
    environment: Mapping[str, str] | None = None,
    assignments: Iterable[str] = (),
    flags: Mapping[str, Any] | None = None,
) -> Settings:
    """Collect the settings in their order: default < file < environment < `--set KEY=VALUE` < flags that were given.

    Args:
        config: a TOML file, or None.
        environment: usually `os.environ`; only names that begin with `COLORIZE_` and name a setting count.
        assignments: texts "KEY=VALUE".
        flags: values by setting name; None means that the flag was not given.

    Raises:
        SettingsError: anything unknown or unfit, with the place it came from.
    """
    settings = from_file(config) if config else Settings()
    names = {each.name for each in fields(Settings)}
    for variable, text in (environment or {}).items():
        name = variable.removeprefix(ENVIRONMENT_PREFIX).lower()
        if variable.startswith(ENVIRONMENT_PREFIX) and name in names:
            settings = from_mapping({name: parse_value(name, text)}, base=settings, origin=variable)
    for assignment in assignments:
        key, equals, text = assignment.partition("=")
        if not equals:
            raise SettingsError(f'--set {assignment}: write it as KEY=VALUE, for example "--set quality=90".')
        settings = from_mapping({key: parse_value(key, text)}, base=settings, origin=f"--set {assignment}")
    given = {name: value for name, value in (flags or {}).items() if value is not None}
    return from_mapping(given, base=settings)


def treated_as(kind: Kind, settings: Settings) -> Kind:
    """Return how an item is worked on: of several pages the first alone is a photograph."""
    return Kind.PHOTO if kind is Kind.PAGES and settings.pages == "first" else kind


def fingerprint(settings: Settings, kind: Kind, *, model_sha256: str, engine: str) -> str:
    """Return a short hash of all that changes an item's pixels or bytes: an output made under another is made anew.

    Only what differs from its neutral value counts, so a setting that is new and neutral repeats no work.

    Args:
        settings: those declared to change this kind count.
        kind: how the item is treated.
        model_sha256: hash of the net's file.
        engine: engine and precision as recorded in the manifest, such as "openvino/bfloat16".
    """
    parts = {
        each.name: getattr(settings, each.name)
        for each in fields(settings)
        if kind in each.metadata["changes"] and getattr(settings, each.name) != each.metadata["neutral"]
    }
    return _hash(parts | {"kind": kind, "model": model_sha256, "engine": engine, "version": FORMAT_VERSIONS[kind]})


def fingerprint_v1(settings: Settings, *, model_sha256: str, engine: str) -> str:
    """Return the fingerprint by which colorize 0.1 knew these settings, for archives that were begun with it."""
    names = ("format", "quality", "saturation", "on_color")
    parts = {name: getattr(settings, name) for name in names} | {"upsample": "bilinear", "gamut": "clip"}
    if settings.lightness != "lab" or settings.provenance:  # it knew neither, so nothing it made is like that
        parts |= {"lightness": settings.lightness, "provenance": settings.provenance}
    return _hash(parts | {"model": model_sha256, "engine": engine, "version": 1})


def _hash(parts: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]
