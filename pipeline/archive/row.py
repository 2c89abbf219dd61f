"""One item as the journal keeps it: SQL and manifest are drawn from this one declaration."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from operator import attrgetter
from typing import Any, get_args, get_type_hints

from pipeline.archive.spelling import cell
from pipeline.ground.inside import is_inside
from pipeline.ground.items import PICTURED, Kind, Result, Seen


def _column(header: str = "", decimals: int | None = None) -> Any:
    """Declare a column; `header` is its name in the manifest, which lacks it where that is empty."""
    return field(metadata={"header": header, "decimals": decimals})


@dataclass(frozen=True, slots=True)
class Row:
    """One item of the journal: the `Result` that ended it, and the run it came from.

    The field's order is the manifest's. Texts are valid UTF-8; paths are spelled by `spelling.escape`.

    Attributes:
        key: path inside the INPUT.
        output: path of what was written, relative to OUTPUT; empty where nothing was.
        kind, status, cause: texts of the enumerations of these names.
        finished_at: ISO 8601, UTC.
        fingerprint: of the settings that made it.
        hints_sha256: of what a person said of this item; empty where nothing was said.
        attempts: how often it was recorded.
        output_mtime_ns: of the output as it was written; 0 where nobody looked.
        was, was_reason, was_cause: status, reason and cause before it was edited, gone or rejected.
        unsure: whether the verdict is doubtful, 0 or 1.
    """

    key: str = _column("source")
    output: str = _column("output")
    kind: str = _column("kind")
    status: str = _column("status")
    reason: str = _column("reason")
    verdict: str = _column("verdict")
    chroma: float | None = _column("chroma", decimals=2)
    doubt: int | None = _column("doubt", decimals=0)
    width: int = _column("width")
    height: int = _column("height")
    bits: int = _column("bits")
    frames: int = _column("frames")
    model: str = _column("model")
    engine: str = _column("engine")
    seconds: float = _column("seconds", decimals=3)
    source_sha256: str = _column("source_sha256")
    output_sha256: str = _column("output_sha256")
    metadata: str = _column("metadata")
    finished_at: str = _column("finished_at")
    run_id: str = _column("run_id")
    cause: str = _column()
    source_size: int = _column()
    source_mtime_ns: int = _column()
    output_size: int = _column()
    fingerprint: str = _column()
    hints_sha256: str = _column()
    attempts: int = _column()
    output_mtime_ns: int = _column()
    was: str = _column()
    was_reason: str = _column()
    was_cause: str = _column()
    unsure: int = _column()

    @property
    def made_cause(self) -> str:
        """The cause with which it was made, whatever has become of it since."""
        return self.was_cause if self.was else self.cause

    @property
    def made_reason(self) -> str:
        """The reason with which it was made, whatever has become of it since."""
        return self.was_reason if self.was else self.reason


HINTED = "+"  # stands in a fingerprint before the mark of the hints
RECOVERED = "recovered"  # fingerprint and run of what was taken back from a manifest, which tells neither
UNKNOWN_SIZE = -1  # of such an item's source
COLUMNS = tuple(each.name for each in fields(Row))
HEADERS = tuple(each.metadata["header"] for each in fields(Row) if each.metadata["header"])
# Hashes, times, and words of the house: no spreadsheet takes them for anything else, and most cells are such.
_PLAIN = frozenset({"status", "verdict", "source_sha256", "output_sha256", "finished_at", "run_id", "engine"})
# The manifest's numbers, by type; of one that may be None an empty cell says that nobody knows it, of others 0.
_NUMBERS = {name: kind for name, kind in get_type_hints(Row).items() if name in HEADERS and kind is not str}
_MOST = 2**53
_HEADER = (b"source", b"output", b"status")
_SEEN = tuple(each.name for each in fields(Seen))
_seen_values = attrgetter(*_SEEN)
_SHOWN = tuple((each.name, each.metadata["decimals"]) for each in fields(Row) if each.metadata["header"])
# Reasons carry what libraries said; a NUL or a bare carriage return there would break readers of CSV.
_CONTROL = dict.fromkeys((*range(32), 127), " ")

SELECT = f"SELECT {', '.join(COLUMNS)} FROM items"
RECORD = (
    f"INSERT INTO items ({', '.join(COLUMNS)}) VALUES ({', '.join('?' * len(COLUMNS))}) "
    "ON CONFLICT (key) DO UPDATE SET "
    + ", ".join(f"{name} = excluded.{name}" for name in COLUMNS if name not in ("key", "attempts"))
    + ", attempts = attempts + 1"
)


def row_of(
    result: Result, *, output: str, kind: Kind, fingerprint: str, finished_at: str, run_id: str
) -> dict[str, Any]:
    """Return the values of a row by column.

    Args:
        result: what became of the item.
        output: `result.filed.place`, escaped, or empty.
        kind: as it was found.
        fingerprint, finished_at, run_id: of the run.
    """
    seen, filed = result.seen, result.filed
    return {
        "key": result.key,
        "output": output,
        "kind": kind,
        "status": result.status,
        "reason": _text(result.reason),
        **dict(zip(_SEEN, _seen_values(seen), strict=True)),
        "model": _text(result.model),
        "engine": result.engine,
        "seconds": result.seconds,
        "output_sha256": filed.sha256 if filed else "",
        "output_size": filed.size if filed else 0,
        "metadata": _text(result.metadata),
        "finished_at": finished_at,
        "run_id": run_id,
        "cause": result.cause,
        "fingerprint": fingerprint,
        "hints_sha256": hints_in(fingerprint),
        "attempts": 1,
        "output_mtime_ns": 0,
        "was": "",
        "was_reason": "",
        "was_cause": "",
    }


def marked(fingerprint: str, mark: str) -> str:
    """Return a fingerprint with the mark of hints in it; as it is where there are none."""
    return f"{fingerprint}{HINTED}{mark}" if mark else fingerprint


def hints_in(fingerprint: str) -> str:
    """Return the mark of the hints that a fingerprint holds, empty where it holds none."""
    return fingerprint.partition(HINTED)[2]


def numbers_of(line: Mapping[str, str]) -> dict[str, int | float | None]:
    """Return the numbers in a line of the manifest, by column: what `cells` drew them from.

    Raises:
        ValueError: one is no number, or none that a journal holds.
    """
    return {name: _number(kind, line.get(name, "")) for name, kind in _NUMBERS.items()}


def _number(kind: Any, text: str) -> int | float | None:
    unknown = get_args(kind)
    if unknown and not text:
        return None
    number: int | float = (unknown[0] if unknown else kind)(text or 0)
    if not -_MOST < number < _MOST:  # also what is no number
        raise ValueError("no number that a journal holds")
    return number


def _text(value: str) -> str:
    # A reason may quote a name that is not UTF-8; SQLite takes none of that.
    return value if value.isascii() else value.encode("utf-8", "backslashreplace").decode("utf-8")


def is_header(line: bytes) -> bool:
    """Tell whether a line begins a manifest: a spreadsheet may have put in a byte order mark, semicolons or quotes."""
    return all(word in line for word in _HEADER)


def cells(row: Row) -> Iterator[str | int]:
    """Yield a row of the manifest; what is not known is empty."""
    for name, decimals in _SHOWN:
        value = getattr(row, name)
        if name in _PLAIN:
            yield value
        elif name == "kind":
            yield value if value in PICTURED else ""
        elif isinstance(value, str):
            value = value.translate(_CONTROL) if name in ("reason", "metadata") else value
            yield "" if name == "output" and not is_inside(value) else cell(value)
        elif decimals is not None:
            yield "" if value is None or (name == "seconds" and not value) else f"{value:.{decimals}f}"
        else:
            yield value or ""
