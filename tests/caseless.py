"""A file system that tells no case, as those of exFAT, NTFS and macOS: what Python asks the system is answered so."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

_ONE = ("open", "stat", "lstat", "unlink", "mkdir", "rmdir", "scandir")
_TWO = ("link", "rename", "replace")


def become_caseless(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the system find files below `root`, and in open folders, in any case; names are kept as they were given."""
    listdir = os.listdir

    def in_folder(folder: Any, name: str) -> str:
        try:
            return next((each for each in listdir(folder) if each.lower() == name.lower()), name)
        except OSError:
            return name

    def spelled(path: Any, folder: int | None) -> Any:
        if isinstance(path, int):
            return path
        text = os.fsdecode(path)
        if folder is not None:
            return in_folder(folder, text)
        if not text.startswith(f"{root}/"):
            return path
        here = str(root)
        for part in text.removeprefix(f"{root}/").split("/"):
            here = f"{here}/{in_folder(here, part)}"
        return here

    def one(call: Callable[..., Any]) -> Callable[..., Any]:
        def called(path: Any = ".", *rest: Any, **more: Any) -> Any:
            return call(spelled(path, more.get("dir_fd")), *rest, **more)

        return called

    def two(call: Callable[..., Any]) -> Callable[..., Any]:
        def called(old: Any, new: Any, **more: Any) -> Any:
            return call(spelled(old, more.get("src_dir_fd")), spelled(new, more.get("dst_dir_fd")), **more)

        return called

    for names, as_caseless in ((_ONE, one), (_TWO, two)):
        for name in names:
            monkeypatch.setattr(os, name, as_caseless(getattr(os, name)))
