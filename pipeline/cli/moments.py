"""Times in a film as people write them: `1:02:03.5`, `90`, `20s`."""

from __future__ import annotations

import re
from typing import Any

import click

_WRITTEN = re.compile(r"(?:(?:(\d+):)?(\d+):)?(\d+(?:\.\d+)?)s?")


class Moment(click.ParamType):  # type: ignore[type-arg,unused-ignore]
    """A time, or a length of time, in seconds."""

    name = "time"

    def convert(self, value: Any, parameter: click.Parameter | None, ctx: click.Context | None) -> float:
        """Read hours, minutes and seconds, each but the last of which may be missing."""
        if isinstance(value, float):
            return value
        found = _WRITTEN.fullmatch(value.strip())
        if found is None:
            self.fail(f"{value}: write seconds (90 or 20s), or a time such as 1:02:03.5.", parameter, ctx)
        hours, minutes, seconds = (float(each or 0) for each in found.groups())
        return hours * 3600 + minutes * 60 + seconds
