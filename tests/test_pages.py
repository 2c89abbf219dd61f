"""The pages for people: their links lead somewhere, their code runs, the messages they explain are the program's."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parent.parent
OURS = (
    "README.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "docs/*.md",
    "models/**/*.md",
    "tests/**/*.md",
    "deploy/**/*.md",
)
PAGES = sorted(path for pattern in OURS for path in CHECKOUT.glob(pattern))


def without_code(text: str) -> str:
    return re.sub(r"`[^`\n]*`", "", re.sub(r"```.*?```", "", text, flags=re.DOTALL))


def anchors(text: str) -> set[str]:
    """What a heading is called in a link, by GitHub and by mkdocs."""
    headings = re.findall(r"^#+ +(.+)$", re.sub(r"```.*?```", "", text, flags=re.DOTALL), re.MULTILINE)
    return {re.sub(r"[\s]+", "-", re.sub(r"[^\w\s-]", "", heading.lower()).strip()) for heading in headings}


def dead(page: Path) -> list[str]:
    """Links within the checkout that lead nowhere; addresses of others are left alone."""
    found = []
    for link in re.findall(r"\]\(([^)\s]+)\)", without_code(page.read_text(encoding="utf-8"))):
        place, _, anchor = link.partition("#")
        target = page.parent / place if place else page
        if "://" in link or link.startswith("mailto:"):
            continue
        if not target.exists() or (anchor and anchor not in anchors(target.read_text(encoding="utf-8"))):
            found.append(link)
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(CHECKOUT).as_posix())
def test_no_link_of_a_page_is_dead(page: Path) -> None:
    assert dead(page) == []


def test_dead_links_are_found(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text(
        "# One thing\n[x](b.md) [y](#one-thing) [z](#two) [w](https://a.example/) `[v](c.md)`"
    )
    assert dead(tmp_path / "a.md") == ["b.md", "#two"]


def test_every_page_of_the_site_is_in_its_navigation() -> None:
    listed = set(re.findall(r": (\S+\.md)$", (CHECKOUT / "mkdocs.yml").read_text(encoding="utf-8"), re.MULTILINE))
    assert {path.name for path in (CHECKOUT / "docs").glob("*.md")} == listed


def test_the_site_is_built_without_a_complaint(tmp_path: Path) -> None:
    if shutil.which("mkdocs") is None:
        pytest.skip("the extra docs is not installed")
    build = ["mkdocs", "build", "--quiet", "--strict", "--site-dir", tmp_path / "site"]
    done = subprocess.run(build, cwd=CHECKOUT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "make colorize-archive" in (tmp_path / "site" / "index.html").read_text(encoding="utf-8")


def messages() -> list[str]:
    text = (CHECKOUT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
    text = text.partition("## Damage")[0] + text.partition("## Films")[2]
    return re.findall(r"^\| `([^`]+)`", text, re.MULTILINE)


@pytest.mark.parametrize("message", messages())
def test_a_message_that_is_explained_is_one_of_the_programs(message: str) -> None:
    source = "".join(path.read_text(encoding="utf-8") for path in (CHECKOUT / "pipeline").rglob("*.py"))
    # Literals that follow one another are one text; what is filled in, and marks of code, stand for nothing.
    flat = re.sub(r'"\s*\n\s*f?"', "", source).replace("`", "")
    parts = [part.strip() for part in re.split(r"…|\bN\b|\bM\b", message) if len(part.strip()) > 3]
    assert parts
    assert [part for part in parts if part.strip('".') not in flat.replace("{output} ", "")] == []
