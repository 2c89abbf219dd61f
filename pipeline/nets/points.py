"""The cluster centres of ab (`pts_in_hull.npy`) that come with the net of Zhang 2016."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.ground.errors import ModelError


def read_points(path: Path) -> NDArray[np.float32]:
    """Read the cluster centres of ab (`pts_in_hull.npy`, 313x2 or 2x313) as float32 (2, N); nothing is unpickled.

    Raises:
        ModelError: not an array of points.
    """
    try:
        points = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise ModelError(f"The points file {path} cannot be read: {error}.") from None
    if points.ndim == 2 and points.shape[1] == 2 != points.shape[0]:
        points = points.T
    if points.ndim != 2 or points.shape[0] != 2 or points.dtype.kind not in "iuf" or not np.isfinite(points).all():
        raise ModelError(f"The points file {path} holds {points.dtype} {points.shape}, not N points of a and b.")
    return np.ascontiguousarray(points, np.float32)
