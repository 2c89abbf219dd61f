"""The cluster centres of ab (`pts_in_hull.npy`) that come with the net of Zhang 2016."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.ground.errors import ModelError
from pipeline.nets.content import read_file


def read_points(path: Path, content: bytes | None = None) -> NDArray[np.float32]:
    """Read the cluster centres of ab (`pts_in_hull.npy`, 313x2 or 2x313) as float32 (2, N); nothing is unpickled.

    Args:
        path: the file, for what is said of it.
        content: its bytes, where they are here already.

    Raises:
        ModelError: not an array of points.
    """
    content = read_file(path) if content is None else content
    try:
        points: NDArray[Any] = np.lib.format.read_array(io.BytesIO(content), allow_pickle=False)
    except (OSError, ValueError, EOFError, MemoryError) as error:
        raise ModelError(f"The points file {path} cannot be read: {error}.") from None
    if points.ndim == 2 and points.shape[1] == 2 != points.shape[0]:
        points = points.T
    if points.ndim != 2 or points.shape[0] != 2 or points.dtype.kind not in "iuf" or not np.isfinite(points).all():
        raise ModelError(f"The points file {path} holds {points.dtype} {points.shape}, not N points of a and b.")
    return np.ascontiguousarray(points, np.float32)
