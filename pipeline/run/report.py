"""What is printed at the end of a run, and what a dry run lists."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict

from pipeline.run.driver import Listing, Summary
from pipeline.run.progress import duration, printable

# In the order of the summary; the first three are what everybody hopes for.
STATUSES = ("done", "copied", "skipped", "unsupported", "failed", "crashed", "vanished")


def summary_lines(summary: Summary) -> Iterator[str]:
    """Yield the summary of a run for a person."""
    counts = [f"{summary.counts[status]:,} {status}" for status in STATUSES if summary.counts.get(status)]
    total = sum(summary.counts.values())
    yield f"{total:,} {'file' if total == 1 else 'files'}: {', '.join(counts) or 'nothing found'}."
    if summary.stopped:
        yield f"Stopped with {summary.left:,} left; the same command goes on from here."
    if summary.worked:
        rate = summary.worked / max(summary.seconds, 1e-9)
        yield f"This run: {summary.worked:,} in {duration(summary.seconds)} ({rate:.2f} pictures/s, {summary.engine})."
    elif not summary.stopped:
        yield "Nothing was left to do."
    if summary.counts.get("failed") or summary.counts.get("crashed"):
        yield "What failed is in the manifest with its reason; --retry-failed tries it again."
    yield f"Outputs:  {summary.output}/"
    yield f"Manifest: {summary.output / 'manifest.csv'}"


def summary_json(summary: Summary) -> str:
    """Return the summary as one JSON object."""
    fields = asdict(summary) | {"exit_code": int(summary.exit_code), "output": str(summary.output)}
    return json.dumps(fields | {"manifest": str(summary.output / "manifest.csv")}, indent=2)


def plan_lines(listing: Listing, *, as_json: bool = False) -> Iterator[str]:
    """Yield what a run would do: one line an item, then the counts."""
    if as_json:
        for item in listing.items:
            yield json.dumps(asdict(item))
        return
    for item in listing.items:
        arrow = f" -> {item.output}" if item.action == "todo" else ""
        yield printable(f"{item.action:<6} {item.key}{arrow} ({item.why})")
    todo = sum(item.action == "todo" for item in listing.items)
    yield f"{todo:,} of {len(listing.items):,} files to do; nothing was written."
