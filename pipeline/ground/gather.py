"""Settings gathered from defaults, a TOML file, the environment and flags; every key and value is checked.

The order is default < configuration file < `COLORIZE_*` variables < `--set` and flags.
"""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import Field, fields, replace
from pathlib import Path
from typing import Any

from pipeline.ground.errors import SettingsError
from pipeline.ground.files import read_plain, words
from pipeline.ground.homes import from_home
from pipeline.ground.resources import configs_dir
from pipeline.ground.settings import TYPES, Settings, field_of, nearest

ENVIRONMENT_PREFIX = "COLORIZE_"
# Variables of this program's own tests.
TEST_PREFIX = "COLORIZE_TEST_"
_PLACES = ("FILE", "DIR", "NAME|FILE")
_LARGEST = 1 << 16  # bytes
_MOST_DOTS = 1000  # in a line; tomllib's time and memory grow with the square of a key's parts


def parse_value(name: str, text: str) -> Any:
    """Turn the text of a flag, a `--set` or an environment variable into the setting's own type."""
    hint = TYPES[field_of(name).name]
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
        changes: dict[str, Any] = {field_of(key).name: _meant(field_of(key), value) for key, value in values.items()}
        return replace(base or Settings(), **changes)
    except SettingsError as error:
        raise SettingsError(f"{origin}: {error}" if origin else str(error)) from None


def _meant(declared: Field[Any], value: Any) -> Any:
    if isinstance(value, list):
        return tuple(value)
    return from_home(value) if isinstance(value, str) and declared.metadata["metavar"] in _PLACES else value


def _ready_made(path: Path) -> Path:
    """Let a bare name mean one of the files that travel with the program, unless such a file lies here.

    Raises:
        SettingsError: it means nothing; what there is is named.
    """
    if path.name != str(path) or os.path.lexists(path):
        return path
    names = sorted(each.stem for each in configs_dir().glob("*.toml"))
    if path.name in names:
        return configs_dir() / f"{path.name}.toml"
    raise SettingsError(
        f"There is no configuration file {path}; ready-made are {', '.join(names)}.{nearest(path.stem, names)}"
    )


def unknown_variables(environment: Mapping[str, str]) -> Iterator[str]:
    """Yield a sentence on each `COLORIZE_*` variable that names no setting: it is most likely mistyped."""
    names = [each.name for each in fields(Settings)]
    for variable in sorted(environment):
        name = variable.removeprefix(ENVIRONMENT_PREFIX).lower()
        if variable.startswith(ENVIRONMENT_PREFIX) and not variable.startswith(TEST_PREFIX) and name not in names:
            close = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
            meant = f" Did you mean {ENVIRONMENT_PREFIX}{close[0].upper()}?" if close else ""
            yield f"The variable {variable} names no setting and is passed over.{meant}"


def _parsed(text: str) -> dict[str, Any]:
    if any(line.count(".") > _MOST_DOTS for line in text.split("\n")):
        raise ValueError("a line has more dots than any setting")
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise ValueError("its brackets lie too deep") from None


def from_file(path: Path) -> Settings:
    """Read a TOML file of settings; those that travel with the program (`--config archive`) are found by their name.

    Raises:
        SettingsError: the file is not there, is not TOML, or holds an unknown key or unfit value.
    """
    path = _ready_made(path)
    try:
        values = _parsed(read_plain(path, _LARGEST).decode("utf-8-sig"))
    except OSError as error:
        raise SettingsError(f"The configuration file {path} cannot be read: {words(error)}.") from None
    except ValueError as error:  # of tomllib, of UTF-8, of a number with too many digits
        raise SettingsError(f"The configuration file {path} is not valid TOML: {error}.") from None
    return from_mapping(values, origin=str(path))


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
