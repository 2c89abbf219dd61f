"""What is printed at the end of a run, and what a dry run lists."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from pipeline.archive.decision import Action, Because, Decision
from pipeline.archive.spelling import escape, printable
from pipeline.ground import shelf
from pipeline.ground.items import PROBLEMS, Status
from pipeline.run.facts import summary_facts
from pipeline.run.forecast import films_line, forecast_words
from pipeline.run.progress import duration
from pipeline.run.summary import Summary

_NAMED: Final = 5  # kinds of junk


def summary_lines(summary: Summary) -> Iterator[str]:
    """Yield the summary of a run for a person."""
    counts = [f"{summary.counts[status]:,} {status}" for status in Status if summary.counts.get(status)]
    total = sum(summary.counts.values())
    if total or not summary.stopped:
        yield f"{total:,} {'file' if total == 1 else 'files'}: {', '.join(counts) or 'nothing found'}."
    if summary.stopped:
        yield _stopped(summary)
    if summary.worked:
        rate = summary.worked / max(summary.seconds, 1e-9)
        yield f"This run: {summary.worked:,} in {duration(summary.seconds)} ({rate:.2f} pictures/s, {summary.engine})."
    elif not summary.stopped:
        yield "Nothing was left to do."
    if summary.junk:
        named = [f"{count:,} {name}" for name, count in summary.junk.items()]
        more = ", ..." if len(named) > _NAMED else ""
        total = sum(summary.junk.values())
        yield f"{total:,} passed over as what systems leave behind: {', '.join(named[:_NAMED])}{more}."
    if summary.counts.get(Status.EDITED):
        yield "What somebody has changed since (edited) is kept; --replace-edited makes it anew."
    if summary.counts.get(Status.GONE):
        yield "Sources that are gone keep their outputs; `colorize prune` takes those away."
    if any(summary.counts.get(status) for status in PROBLEMS):
        asking = f"colorize status {shelf.typed(summary.output)} --problems"
        yield f"What failed, and why: {asking}. --retry-failed tries it again."
        if not summary.new_problems and not summary.stopped:
            yield "None of that is new, so it does not count for the exit code; with --strict it does."
    if summary.doubtful:
        yield (
            f"{summary.doubtful:,} may have been taken for what they are not, colour or black-and-white: (doubtful) in "
            'the manifest. Look at them; write "recolor SOURCE" or "copy SOURCE" on lines of a file; run again with '
            "--on-color-list FILE."
        )
    if total or summary.planned:
        output = shelf.name(summary.output)
        yield f"Outputs:  {output}/"
        yield f"Manifest: {output}/manifest.csv"


def _stopped(summary: Summary) -> str:
    if not summary.planned:
        return "Stopped while INPUT was looked through: nothing was begun. The same command begins again."
    if not summary.worked:
        return f"Stopped before the first of {summary.left:,} was done; the same command goes on from here."
    return f"Stopped with {summary.left:,} left; the same command goes on from here."


def summary_json(summary: Summary) -> str:
    """Return the summary as one JSON object."""
    return json.dumps(summary_facts(summary), indent=2)


class Anew:
    """Counts what a plan makes anew because settings or the model have changed, and what somebody has changed."""

    def __init__(self) -> None:
        self._anew = self._hinted = self._kept = 0

    def see(self, decision: Decision) -> None:
        """Count one decision."""
        self._anew += decision.action is Action.TODO and decision.because is Because.SETTINGS
        self._hinted += decision.action is Action.TODO and decision.because is Because.HINTS
        self._kept += decision.action is not Action.TODO and decision.because is Because.EDITED

    def lines(self) -> Iterator[str]:
        """Yield a line on it where there is something to say."""
        if self._hinted:
            yield f"{self._hinted:,} finished {_outputs(self._hinted)} made anew: their hints have changed."
        if self._anew:
            also = f"; {self._kept:,} that somebody has changed since are kept" if self._kept else ""
            yield f"{self._anew:,} finished {_outputs(self._anew)} made anew: settings or model have changed{also}."


def _outputs(count: int) -> str:
    return "output is" if count == 1 else "outputs are"


def plan_lines(decisions: Iterable[Decision], *, as_json: bool = False) -> Iterator[str]:
    """Yield what a run would do: one line an item, then the counts."""
    counts: Counter[str] = Counter()
    films, anew = [], Anew()
    for decision in decisions:
        anew.see(decision)
        gone = decision.found.path == ""
        if gone and decision.action is not Action.MARK:  # it is gone, and was before
            continue
        counts["gone" if gone else "here"] += 1
        counts[decision.action] += 1
        counts["same"] += decision.because is Because.SAME
        films += [decision.forecast] if decision.forecast else []
        output = escape(decision.names.output) if decision.names and decision.action is Action.TODO else ""
        yield _plan_json(decision, output) if as_json else _plan_line(decision, output)
    if films and not as_json:
        yield films_line(films)
    if not as_json:
        yield from anew.lines()
        yield _plan_end(counts)


def _plan_end(counts: Mapping[str, int]) -> str:
    also = [f"{counts['same']:,} of them by a copy of what is the same"] if counts["same"] else []
    also += [f"{counts[Action.MOVE]:,} renamed"] if counts[Action.MOVE] else []
    also += [f"{counts['gone']:,} more gone"] if counts["gone"] else []
    more = f" ({', '.join(also)})" if also else ""
    return f"{counts[Action.TODO]:,} of {counts['here']:,} files to do{more}; nothing was written."


def _plan_line(decision: Decision, output: str) -> str:
    arrow = f" -> {output}" if output else ""
    ahead = f"; {forecast_words(decision.forecast)}" if decision.forecast else ""
    return printable(f"{decision.action:<6} {decision.found.key}{arrow} ({decision.why}{ahead})")


def _plan_json(decision: Decision, output: str) -> str:
    found = decision.found
    fields: dict[str, object] = {
        "key": found.key,
        "kind": found.kind,
        "action": decision.action,
        "why": decision.why,
        "output": output,
    }
    if decision.forecast:
        fields["forecast"] = decision.forecast._asdict()
    return json.dumps(fields)
