"""Interlaced frames made progressive: one frame of each, so that every time stays."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from fractions import Fraction
from typing import Final

from av.error import BlockingIOError as NotYet
from av.error import EOFError as Ended
from av.filter import Graph
from av.video.frame import VideoFrame

# BWDIF looks at the frames before and after. Only frames that say they are interlaced are changed.
REACH: Final = 2
_FILTER: Final = ("bwdif", "mode=send_frame:parity=auto:deint=interlaced")

Numbered = tuple[int, VideoFrame]


def progressive(frames: Iterator[Numbered]) -> Iterator[Numbered]:
    """Yield as many frames as come, with their numbers, both fields woven into one moment.

    The first and last `REACH` frames are not quite what they are with their neighbours: who wants them asks for more.
    """
    graph: Graph | None = None
    numbers: deque[int] = deque()
    for number, frame in frames:
        graph = graph or _graph(frame)
        frame.pts, frame.time_base = number, Fraction(1, 25)
        numbers.append(number)
        graph.push(frame)
        yield from _ready(graph, numbers, frame.format.name)
    if graph is not None:
        graph.push(None)
        yield from _ready(graph, numbers, frame.format.name)


def _graph(frame: VideoFrame) -> Graph:
    graph = Graph()
    graph.threads = 1
    source = graph.add_buffer(width=frame.width, height=frame.height, format=frame.format, time_base=Fraction(1, 25))
    graph.link_nodes(source, graph.add(*_FILTER), graph.add("buffersink")).configure()
    return graph


def _ready(graph: Graph, numbers: deque[int], pix_fmt: str) -> Iterator[Numbered]:
    while numbers:
        try:
            frame = graph.pull()
        except (NotYet, Ended):
            return
        assert isinstance(frame, VideoFrame)
        if frame.format.name != pix_fmt:  # one that the filter does not take
            frame = frame.reformat(format=pix_fmt, threads=1)
        yield numbers.popleft(), frame
