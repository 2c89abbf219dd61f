"""What a person said of single items and meets nothing: most likely misspelt, so it is named."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from pipeline.archive.journal import Journal
from pipeline.archive.spelling import printable
from pipeline.run.context import Context
from pipeline.run.voice import Voice

_NAMED: Final = 5


def name_unknown(context: Context, journal: Journal) -> None:
    """Say which lines of a person's list, and which hints, name nothing that was found, or could not be used."""
    unknown = _unknown(sorted(context.listed), journal)
    voice = context.voice
    _name(voice, [f"{context.settings.on_color_list}: no such item: {printable(key)}" for key in unknown])
    unmet = _unknown(context.hints.unused(), journal)
    _name(voice, [f"hints.toml: no such picture: {printable(key)}" for key in unmet])
    _name(voice, [printable(note) for note in context.hints.notes()])


def _unknown(keys: Sequence[str], journal: Journal) -> list[str]:
    known = journal.known(keys).keys() | journal.pending_runs(keys).keys()
    return [key for key in keys if key not in known]


def _name(voice: Voice, lines: Sequence[str]) -> None:
    for line in lines[:_NAMED]:
        voice.say(line)
    if len(lines) > _NAMED:
        voice.say(f"... and {len(lines) - _NAMED:,} more.")
