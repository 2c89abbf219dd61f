"""A hook of mkdocs: puts the page on the Python API into the navigation where there is one."""

from __future__ import annotations

from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

PAGE = "api.md"


def on_config(config: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Add the page to the section Reference, unless the navigation names it already."""
    if (Path(config["docs_dir"]) / PAGE).is_file() and PAGE not in str(config["nav"]):
        next(each["Reference"] for each in config["nav"] if "Reference" in each).insert(0, {"Python API": PAGE})
    return config
