"""What a run tells its listeners, as plain facts: for logs and for programs that read along."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, assert_never

from pipeline.archive.spelling import escape, readable
from pipeline.ground import shelf
from pipeline.ground.errors import ColorizeError
from pipeline.ground.items import Result
from pipeline.run.progress import duration
from pipeline.run.summary import Summary
from pipeline.run.voice import Begun, Broken, Ended, Event, Finished, Said


def facts(event: Event) -> dict[str, Any]:
    """Return an event as a JSON object: `event` says which kind it is, docs/logs.md what else stands there."""
    return _readable(_facts(event))


def _facts(event: Event) -> dict[str, Any]:
    match event:
        case Said(sentence):
            return {"event": "said", "sentence": sentence}
        case Begun(total, engine, output):
            return {"event": "begun", "total": total, "engine": engine, "output": shelf.name(output)}
        case Ended():
            return {"event": "item", **_item(event.result), "count": event.count, "total": event.total}
        case Finished(summary):
            return {"event": "finished", **summary_facts(summary)}
        case Broken(error):
            return {"event": "error", **error_facts(error)}
    assert_never(event)


def _item(result: Result) -> dict[str, Any]:
    return {
        "source": result.key,
        "output": escape(result.filed.place) if result.filed else "",
        "status": str(result.status),
        "reason": result.reason,
        "metadata": result.metadata,
        "seconds": result.seconds,
    }


def summary_facts(summary: Summary) -> dict[str, Any]:
    """Return a summary as a JSON object."""
    told = asdict(summary) | {"exit_code": int(summary.exit_code), "output": shelf.name(summary.output)}
    return _readable(told | {"manifest": f"{shelf.name(summary.output)}/manifest.csv"})


def error_facts(error: ColorizeError) -> dict[str, Any]:
    """Return an error as a JSON object: `code` is the exit code."""
    return _readable({"code": int(error.exit_code), "sentence": str(error), "hint": error.hint})


def _readable(told: dict[str, Any]) -> dict[str, Any]:
    """Spell all texts so that every reader of JSON takes them: half a character is an error to most."""
    return {name: readable(value) if isinstance(value, str) else value for name, value in told.items()}


def sentence(event: Event) -> str:
    """Return an event as a line for a person."""
    match event:
        case Said(said):
            return said
        case Begun(total, engine, output):
            return f"begun: {total:,} to do into {output} with {engine}"
        case Ended():
            return _item_line(event.result)
        case Finished(summary):
            counts = ", ".join(f"{number:,} {status}" for status, number in summary.counts.items())
            end = f"stopped with {summary.left:,} left" if summary.stopped else "finished"
            took = f"{summary.worked:,} in {duration(summary.seconds)}"
            return f"{end}: {took}; in all {counts or 'nothing'}; exit {int(summary.exit_code)}"
        case Broken(error):
            return f"ended: {error} (exit {int(error.exit_code)})"
    assert_never(event)


def _item_line(result: Result) -> str:
    arrow = f" -> {escape(result.filed.place)}" if result.filed else ""
    notes = "; ".join(each for each in (result.reason, result.metadata) if each)
    return f"{result.status}: {result.key}{arrow}, {result.seconds:.2f} s{f' ({notes})' if notes else ''}"
