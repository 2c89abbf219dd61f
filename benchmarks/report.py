"""The measurement as tables: markdown for `docs/performance.md`, a few lines for the terminal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from statistics import median
from typing import Any

from benchmarks.results import Document, Row
from benchmarks.workloads import STAGES


def markdown(document: Document) -> str:
    """Return the whole report."""
    return "\n".join(_sections(document)) + "\n"


def summary_lines(document: Document) -> Iterator[str]:
    """Yield what matters most, for a terminal of 80 columns."""
    yield f"{_machine(document)}; OpenCV {document['conditions']['opencv']}"
    yield f"{'MP':>5}  {'net':<10} {'engine':<20} {'pictures/s':>10} {'x reference':>11} {'of bare net':>11}"
    for row in document["rows"]:
        ratio = f"{row['reference_ratio']:.2f}" if "reference_ratio" in row else "-"
        bare = f"{row['bare_ratio']:.0%}" if "bare_ratio" in row else "-"
        yield (
            f"{row['megapixels']:>5g}  {row['model']:<10.10} {row['engine']:<20} {row['pictures_per_second']:>10.2f} "
            f"{ratio:>11} {bare:>11}"
        )
    yield from map(_film_line, document.get("films", []))
    yield from document["left_out"]


def _sections(document: Document) -> Iterator[str]:
    conditions = document["conditions"]
    versions = ", ".join(
        f"{called} {conditions[key]}"
        for key, called in (
            ("python", "Python"),
            ("opencv", "OpenCV"),
            ("onnxruntime", "onnxruntime"),
            ("openvino", "OpenVINO"),
            ("numpy", "NumPy"),
        )
        if key in conditions
    )
    yield f"Measured {conditions['finished']} on {_machine(document)}; {versions}; {conditions['workers']} workers."
    yield ""
    yield from _ratios(document)
    yield from _bare(document)
    yield from _films(document)
    yield from _scaling(document)
    yield from _stages(document)
    yield from _memory(document)
    yield from _first(document)
    yield from _outputs(document)
    if document["left_out"]:
        yield "Left out:"
        yield ""
        yield from (f"- {sentence}" for sentence in document["left_out"])
        yield ""


def _machine(document: Document) -> str:
    machine = document["conditions"]["machine"]
    abilities = f" ({', '.join(machine['abilities'])})" if machine["abilities"] else ""
    memory = f", {machine['memory_total_bytes'] / 1e9:.0f} GB of memory" if machine["memory_total_bytes"] else ""
    return f"{machine['processor']}{abilities}, {machine['cores']} cores{memory}"


def _models(rows: Iterable[Row]) -> list[str]:
    return list(dict.fromkeys(row["model"] for row in rows))


def _engines(rows: Iterable[Row]) -> list[str]:
    return list(dict.fromkeys(row["engine"] for row in rows))


def _find(rows: Iterable[Row], **wanted: Any) -> Row | None:
    return next((row for row in rows if all(row[key] == value for key, value in wanted.items())), None)


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield "| " + " | ".join(heads) + " |"
    yield "|" + "---|" * len(heads)
    for row in rows:
        yield "| " + " | ".join(row) + " |"
    yield ""


def _ratios(document: Document) -> Iterator[str]:
    rows = document["rows"]
    for model in _models(rows):
        mine = [row for row in rows if row["model"] == model]
        engines = _engines(mine)
        yield f"### Pictures a second and times the reference: {_called(model)}"
        yield ""
        sizes = dict.fromkeys(row["megapixels"] for row in mine)
        lines = [_ratio_line(size, engines, [row for row in mine if row["megapixels"] == size]) for size in sizes]
        yield from _table(["MP", "reference", *engines], lines)


def _ratio_line(size: float, engines: Sequence[str], rows: Sequence[Row]) -> list[str]:
    theirs = next((row["reference_seconds"] for row in rows if "reference_seconds" in row), None)
    found = [_find(rows, engine=engine) for engine in engines]
    speeds = [_speed(row) if row else "-" for row in found]
    return [f"{size:g}", f"{1 / median(theirs):.2f}" if theirs else "-", *speeds]


def _called(model: str) -> str:
    return "a net of the release's size, made-up weights" if model == "release" else f"{model} net"


def _speed(row: Row) -> str:
    ratio = f" (**{row['reference_ratio']:.2f}x**)" if "reference_ratio" in row else ""
    return f"{row['pictures_per_second']:.2f}{ratio}"


def _bare(document: Document) -> Iterator[str]:
    rows = [row for row in document["rows"] if "bare_ratio" in row]
    if not rows:
        return
    yield "### What the bare net would do on the same cores"
    yield ""
    lines = [
        [
            row["model"],
            row["engine"],
            f"{1 / median(row['bare_seconds']):.2f}",
            f"{row['pictures_per_second']:.2f}",
            f"{row['bare_ratio']:.2f}",
        ]
        for row in rows
    ]
    heads = ["net", "engine", "bare, predictions/s", f"pipeline at {rows[0]['megapixels']:g} MP, pictures/s", "share"]
    yield from _table(heads, lines)


def _film_line(row: Row) -> str:
    ratio = f"{row['reference_ratio']:.2f}" if "reference_ratio" in row else "-"
    gain = f", {row['gain']:.2f} times one worker" if "gain" in row else ""
    return (
        f"film {row['width']:>4}  {row['model']:<7.7} {row['engine']:<20} x{row['jobs']} "
        f"{row['frames_per_second']:.1f} frames/s, {ratio} x reference{gain}"
    )


def _films(document: Document) -> Iterator[str]:
    rows = document.get("films", [])
    if not rows:
        return
    yield "### Films: scan, pieces and join to H.264, against the tutorial's loop, which writes MPEG-4 (mp4v)"
    yield ""
    heads = ["film", "net", "engine", "workers", "reference, frames/s", "frames/s", "times reference", "times 1 worker"]
    lines = [
        [
            f"{row['width']} x {row['height']}, {row['frames']} frames",
            row["model"],
            row["engine"],
            str(row["jobs"]),
            f"{1 / median(row['reference_seconds']):.2f}" if "reference_seconds" in row else "-",
            f"{row['frames_per_second']:.1f}",
            f"**{row['reference_ratio']:.2f}x**" if "reference_ratio" in row else "-",
            f"{row['gain']:.2f}" if "gain" in row else "-",
        ]
        for row in rows
    ]
    yield from _table(heads, lines)


def _scaling(document: Document) -> Iterator[str]:
    rows = document["scaling"]
    if not rows:
        return
    yield f"### Workers: {rows[0]['model']} net, {rows[0]['engine']}, 0.3 MP"
    yield ""
    lines = [[str(row["jobs"]), f"{row['pictures_per_second']:.1f}", f"{row['gain']:.2f}"] for row in rows]
    yield from _table(["workers", "pictures/s", "times one worker"], lines)


def _stages(document: Document) -> Iterator[str]:
    probes = document["probes"]
    if not probes:
        return
    yield "### Where the time goes: one worker alone, milliseconds a picture (medians)"
    yield ""
    heads = ["MP", "net", "engine", *STAGES, "other"]
    lines = []
    for probe in probes:
        stages = probe["stages"]
        times = [f"{stages[stage] * 1000:.1f}" for stage in (*STAGES, "other")]
        lines.append([f"{probe['megapixels']:g}", probe["model"], probe["engine"], *times])
    yield from _table(heads, lines)


def _memory(document: Document) -> Iterator[str]:
    probes = document["probes"]
    if not probes:
        return
    yield "### Memory of one worker, MB: peak resident (anonymous at the end)"
    yield ""
    sizes = list(dict.fromkeys(probe["megapixels"] for probe in probes))
    lines = []
    for model, label in dict.fromkeys((probe["model"], probe["engine"]) for probe in probes):
        found = [_find(probes, model=model, engine=label, megapixels=size) for size in sizes]
        lines.append([model, label, *(_megabytes(probe) for probe in found)])
    yield from _table(["net", "engine", *(f"{size:g} MP" for size in sizes)], lines)


def _megabytes(probe: Row | None) -> str:
    if probe is None:
        return "-"
    anonymous = f" ({probe['anonymous'] / 1e6:.0f})" if probe["anonymous"] else ""
    return f"{probe['peak'] / 1e6:.0f}{anonymous}"


def _first(document: Document) -> Iterator[str]:
    yield "### Start-up and the first picture of a process, seconds (in none of the figures above)"
    yield ""
    lines = [
        [f"{row['megapixels']:g}", "reference", "", f"{row['started']:.2f}", f"{row['first']:.2f}"]
        for row in document["reference"]
    ]
    lines += [
        [f"{p['megapixels']:g}", p["model"], p["engine"], f"{p['started']:.2f}", f"{p['first']:.2f}"]
        for p in document["probes"]
    ]
    yield from _table(["MP", "net", "engine", "start-up", "first picture"], lines)


def _outputs(document: Document) -> Iterator[str]:
    rows = document["comparisons"]
    if not rows:
        return
    yield "### Outputs against the reference's on the same net (levels of 255)"
    yield ""
    lines = [
        [
            f"{row['megapixels']:g}",
            row["model"],
            row["engine"],
            f"{row['within_one']:.4%}",
            f"{row['most']:.0f}",
            f"{row['mean']:.3f}",
        ]
        for row in rows
    ]
    yield from _table(["MP", "net", "engine", "samples within one level", "largest difference", "mean"], lines)
