"""Weights out of a PyTorch file without torch, and without executing anything that is in it.

A `.pth` is a pickle, and a pickle can call whatever it likes. This unpickler knows five harmless things by name and
refuses all others. Both forms are read: the zip archive (torch >= 1.6) and the row of pickles before it, which the
releases of 2016 to 2020 have. Layout: torch/serialization.py (PyTorch, BSD-3-Clause).
"""

from __future__ import annotations

import io
import math
import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from pipeline.ground.errors import ModelError
from pipeline.nets.content import LARGEST, read_file
from pipeline.nets.store.integrity import impostor

_MAGIC, _PROTOCOL = 0x1950A86A20F9469CFC6C, 1001
_DTYPES = {
    "FloatStorage": "<f4",
    "DoubleStorage": "<f8",
    "HalfStorage": "<f2",
    "LongStorage": "<i8",
    "IntStorage": "<i4",
    "ByteStorage": "<u1",
}


@dataclass(slots=True)
class _Storage:
    """A stretch of numbers that tensors are views of; filled once the file got that far."""

    dtype: str
    count: int
    values: NDArray[Any] | None = None


@dataclass(frozen=True, slots=True)
class _View:
    """A tensor: a view of a storage by offset, shape and strides, all counted in numbers."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    def array(self) -> NDArray[Any]:
        """Copy the tensor out of its storage; raises `ValueError` where it reaches over the storage's end."""
        values = self.storage.values
        last = self.offset + sum((side - 1) * step for side, step in zip(self.shape, self.strides, strict=True))
        sound = values is not None and self.offset >= 0 and all(step >= 0 for step in self.strides)
        if values is None or not sound or (0 not in self.shape and last >= values.size):
            raise ValueError("a tensor reaches over the end of its storage")
        if 0 in self.shape:
            return np.zeros(0, values.dtype)
        if min(self.shape, default=1) < 0 or math.prod(self.shape) > values.size:
            raise ValueError("a tensor is larger than its storage")
        steps = tuple(step * values.itemsize for step in self.strides)
        return np.lib.stride_tricks.as_strided(values[self.offset :], self.shape, steps).copy()


def read_torch(path: Path, content: bytes | None = None) -> dict[str, NDArray[np.float32]]:
    """Read a state dict: name -> float32 array (whole numbers too).

    Args:
        path: the file.
        content: its bytes, where they are here already.

    Raises:
        ModelError: it cannot be read, is no PyTorch file, a damaged one, or one that holds more than tensors.
    """
    with io.BytesIO(read_file(path) if content is None else content) as file:
        if what := impostor(file.read(512)):
            raise ModelError(f"{path} is {what}.")
        zipped = zipfile.is_zipfile(file)
        file.seek(0)
        try:
            found = _read_zip(file) if zipped else _read_row(file)
            state = found.get("state_dict", found) if isinstance(found, dict) else None
            if not isinstance(state, dict):
                raise ValueError("it holds no table of tensors")
            return {
                str(name).removeprefix("module."): view.array().astype(np.float32)
                for name, view in state.items()
                if isinstance(view, _View)
            }
        except (pickle.UnpicklingError, zipfile.BadZipFile, ValueError, TypeError, KeyError, EOFError) as error:
            raise ModelError(f"{path} is not a file of PyTorch weights that can be read safely: {error}.") from None
        except (AttributeError, IndexError, MemoryError, OverflowError, RecursionError) as error:
            raise ModelError(f"{path} is damaged: {type(error).__name__}.") from None


class _Unpickler(pickle.Unpickler):
    """An unpickler that knows ordered tables and tensors, and nothing else."""

    def __init__(self, file: BinaryIO | io.BytesIO, storage: Callable[[str, str, int], _Storage]) -> None:
        super().__init__(file, encoding="utf-8")
        self._storage = storage

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _rebuild_tensor
        if (module, name) == ("torch._utils", "_rebuild_parameter"):
            return _rebuild_parameter
        if module == "torch" and name in _DTYPES:
            return _DTYPES[name]
        raise pickle.UnpicklingError(f"it asks for {module}.{name}, which is not opened")

    def persistent_load(self, pid: Any) -> _Storage:
        if not isinstance(pid, tuple) or len(pid) < 5 or pid[0] != "storage" or pid[1] not in _DTYPES.values():
            raise pickle.UnpicklingError("it refers to something that is no tensor")
        if len(pid) > 5 and pid[5] is not None:
            raise pickle.UnpicklingError("it holds views of storages, which is not supported")
        return self._storage(str(pid[2]), str(pid[1]), int(pid[4]))


def _rebuild_tensor(storage: _Storage, offset: int, shape: tuple[int, ...], strides: tuple[int, ...], *_: Any) -> _View:
    return _View(storage, int(offset), tuple(int(each) for each in shape), tuple(int(each) for each in strides))


def _rebuild_parameter(view: _View, *_: Any) -> _View:
    return view


def _read_zip(file: BinaryIO) -> Any:
    with zipfile.ZipFile(file) as archive:
        if sum(each.file_size for each in archive.infolist()) > LARGEST:
            raise ValueError("unpacked it is larger than 2 GB")
        pickled = next((name for name in archive.namelist() if name.endswith("/data.pkl")), None)
        if pickled is None:
            raise ValueError("the archive has no data.pkl")
        root = pickled.removesuffix("data.pkl")
        storages: dict[str, _Storage] = {}

        def storage(key: str, dtype: str, count: int) -> _Storage:
            if key not in storages:
                values = np.frombuffer(archive.read(f"{root}data/{key}"), dtype)
                storages[key] = _Storage(dtype, count, values)
            return storages[key]

        return _Unpickler(io.BytesIO(archive.read(pickled)), storage).load()


def _read_row(file: BinaryIO) -> Any:
    """Read the form before the zip: magic, protocol, system, the object, the storages' keys, then their numbers."""
    storages: dict[str, _Storage] = {}

    def storage(key: str, dtype: str, count: int) -> _Storage:
        return storages.setdefault(key, _Storage(dtype, count))

    def load() -> Any:
        return _Unpickler(file, storage).load()

    if load() != _MAGIC or load() != _PROTOCOL:
        raise ValueError("it does not begin like one")
    load()  # what system it was written on: all of them little-endian by now
    found = load()
    for key in load():
        held = storages[str(key)]
        count = int.from_bytes(file.read(8), "little")
        if count != held.count:
            raise ValueError("a storage has another size than was announced")
        content = file.read(count * np.dtype(held.dtype).itemsize)
        held.values = np.frombuffer(content, held.dtype, count)
    return found
