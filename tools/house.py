"""The shape of the house in figures: arrows between its rooms, lines of its files, lines of its functions."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import grimp

CHECKOUT = Path(__file__).resolve().parent.parent
PACKAGE = "pipeline"
SOURCES = tuple(sorted(CHECKOUT.joinpath(PACKAGE).rglob("*.py")))


def arrows() -> list[tuple[str, str]]:
    """Return which room imports from which, each pair once: a room is a package directly below `pipeline`."""
    graph = grimp.build_graph(PACKAGE, cache_dir=None)
    rooms = graph.find_children(PACKAGE)
    for room in rooms:
        graph.squash_module(room)
    return sorted((one, other) for one in rooms for other in graph.find_modules_directly_imported_by(one) & rooms)


def lines_of_files() -> dict[str, int]:
    """Return how many lines each file of the package has."""
    return {str(path.relative_to(CHECKOUT)): len(path.read_bytes().splitlines()) for path in SOURCES}


def lines_of_functions() -> dict[str, int]:
    """Return how many lines each function of the package has, from `def` to its end, docstring and all."""
    return {f"{path.relative_to(CHECKOUT)}:{node.lineno} {node.name}": length for path, node, length in _functions()}


def _functions() -> Iterator[tuple[Path, ast.FunctionDef | ast.AsyncFunctionDef, int]]:
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_bytes())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield path, node, (node.end_lineno or node.lineno) - node.lineno + 1


def main() -> int:
    """Print the figures, with the largest of each."""
    found, files, functions = arrows(), lines_of_files(), lines_of_functions()
    print(f"{len(found)} arrows between rooms")
    for room in sorted({one for one, _ in found}):
        print(f"  {room} -> {', '.join(other for one, other in found if one == room)}".replace(f"{PACKAGE}.", ""))
    for what, sizes in (("files", files), ("functions", functions)):
        largest = sorted(sizes, key=lambda name: -sizes[name])[:10]
        print(f"{len(sizes):,} {what}, median {median(sizes.values()):.0f} lines; the largest:")
        print(*(f"  {sizes[name]:>4} {name}" for name in largest), sep="\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
