"""The wheel holds all that the program needs: installed away from the checkout, it colorizes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest

from pipeline import __version__
from tests.conftest import environment

CHECKOUT = Path(__file__).resolve().parent.parent

PHOTOGRAPH = CHECKOUT / "tests" / "fixtures" / "grey" / "camera.jpg"


def call(*arguments: object, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a program in `folder`, where neither the checkout nor the user's packages are on the path."""
    clean = environment(PYTHONNOUSERSITE="1", XDG_CACHE_HOME=str(folder / "cache"))
    del clean["PYTHONPATH"]
    words = [str(each) for each in arguments]
    return subprocess.run(words, cwd=folder, env=clean, capture_output=True, text=True, timeout=900, check=False)


def called(*arguments: object, folder: Path) -> str:
    """As `call`, and what it prints; it must end well."""
    done = call(*arguments, folder=folder)
    assert done.returncode == 0, done.stderr or done.stdout
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    build = ("wheel", "--no-deps", "--no-index", "--no-build-isolation", "--wheel-dir", folder, CHECKOUT)
    called(sys.executable, "-m", "pip", *build, folder=folder)
    (built,) = folder.glob("*.whl")
    return built


def make_environment(folder: Path, *, python: Path = Path(sys.executable), with_pip: bool) -> Path:
    """An empty virtual environment; returns its folder of programs."""
    called(python, "-m", "venv", *([] if with_pip else ["--without-pip"]), folder / "venv", folder=folder)
    return folder / "venv" / "bin"


def interpreters() -> dict[str, Path]:
    """Every Python that the program is for and that is on this machine, one of each version, by its version."""
    places = [Path(each) for each in os.environ["PATH"].split(os.pathsep)]
    places += sorted((Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions").glob("*/bin"))
    known = (f"python3.{minor}" for minor in range(11, 20))
    found: dict[str, Path] = {}
    for name in known:
        for place in places:
            asked = [place / name, "-c", "import ensurepip, venv"]
            if (place / name).is_file() and subprocess.run(asked, capture_output=True, check=False).returncode == 0:
                found.setdefault(name, place / name)
    return found


def check_installed(programs: Path, folder: Path) -> None:
    """Use what is installed as a user does, from a folder that has nothing to do with the checkout."""
    where = called(programs / "python", "-c", "import pipeline; print(pipeline.__file__)", folder=folder)
    assert Path(where.strip()).is_relative_to(folder / "venv"), "the checkout is on the path"
    assert called(programs / "colorize", "--version", folder=folder) == f"colorize {__version__}\n"

    called(programs / "colorize", "image", PHOTOGRAPH, "colour.jpg", folder=folder)
    grey, colour = (cv2.imread(str(path), cv2.IMREAD_COLOR) for path in (PHOTOGRAPH, folder / "colour.jpg"))
    assert colour.shape == grey.shape
    assert np.ptp(colour.astype(int), axis=2).max() > 10

    share = folder / "venv" / "share"
    assert "_COLORIZE_COMPLETE" in (share / "fish" / "vendor_completions.d" / "colorize.fish").read_text()
    if shutil.which("man"):
        pages = environment(PATH=f"{programs}:{os.environ['PATH']}")
        found = subprocess.run(["man", "-w", "colorize-run"], env=pages, capture_output=True, text=True, check=False)
        assert found.stdout.strip() == str(share / "man" / "man1" / "colorize-run.1")
    made = f"from colorize_archive import Colorizer; print(Colorizer().file({str(PHOTOGRAPH)!r}, 'by-api.jpg').status)"
    assert called(programs / "python", "-c", made, folder=folder) == "done\n"
    assert (folder / "by-api.jpg").read_bytes() == (folder / "colour.jpg").read_bytes()

    (folder / "scans").mkdir()
    (folder / "scans" / "camera.jpg").write_bytes(PHOTOGRAPH.read_bytes())
    assert "1 file: 1 done." in called(programs / "colorize", "run", "scans", "-o", "made", folder=folder)
    called(programs / "colorize", "verify", "made", folder=folder)
    for config in sorted((CHECKOUT / "configs").glob("*.toml")):
        run = ("run", "scans", "-o", "out", "--config", config.stem, "--dry-run")
        assert "camera.jpg" in called(programs / "colorize", *run, folder=folder)
    known = json.loads(called(programs / "colorize", "models", "verify", "--json", folder=folder))
    assert [each["state"] for each in known] == ["ok"]
    assert Path(known[0]["path"]).is_relative_to(folder / "venv")


def test_the_wheel_holds_the_program_and_what_travels_with_it_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    assert {name.partition("/")[0].partition("-")[0] for name in names} == {"pipeline", "colorize_archive"}
    assert [name for name in names if "/tests/" in name or "/training/" in name or "__pycache__" in name] == []
    travelling = [CHECKOUT / "pipeline", CHECKOUT / "colorize_archive"]
    for path in [path for kind in ("*.py", "*.html", "py.typed") for each in travelling for path in each.rglob(kind)]:
        assert path.relative_to(CHECKOUT).as_posix() in names
    data = f"colorize_archive-{__version__}.data/data/share"
    pages = {path.name for path in (CHECKOUT / "deploy" / "man").iterdir()}
    assert {"colorize.1", "colorize-run.1", "colorize-models-fetch.1"} <= pages
    assert {Path(name).name for name in names if name.startswith(f"{data}/man/man1/")} == pages
    for place in ("bash-completion/completions/colorize", "zsh/site-functions/_colorize"):
        assert f"{data}/{place}" in names
    for pattern in ("models/LICENSE*", "configs/*.toml"):
        for path in CHECKOUT.glob(pattern):
            assert f"pipeline/share/{path.relative_to(CHECKOUT).as_posix()}" in names


def test_the_wheel_works_away_from_the_checkout(wheel: Path, tmp_path: Path) -> None:
    programs = make_environment(tmp_path, with_pip=False)
    install = ("install", "--quiet", "--no-deps", "--no-index", wheel)
    called(sys.executable, "-m", "pip", "--python", programs / "python", *install, folder=tmp_path)
    # The dependencies are those that are installed here. A path in a .pth file is only a path: the .pth file there that
    # leads to the checkout is not followed.
    (site,) = (tmp_path / "venv" / "lib").glob("python*/site-packages")
    folders = [each for each in sys.path if Path(each).name in ("site-packages", "dist-packages")]
    (site / "dependencies.pth").write_text("".join(f"{each}\n" for each in folders), encoding="utf-8")
    check_installed(programs, tmp_path)


@pytest.mark.soak
@pytest.mark.parametrize("python", interpreters().values(), ids=interpreters())
def test_the_wheel_and_its_dependencies_install_into_an_empty_environment(
    wheel: Path, tmp_path: Path, python: Path
) -> None:
    programs = make_environment(tmp_path, python=python, with_pip=True)
    pip = (programs / "python", "-m", "pip")
    reached = call(*pip, "download", "--quiet", "--no-deps", "--dest", tmp_path / "probe", "click", folder=tmp_path)
    if reached.returncode:
        pytest.skip(f"pip reaches no package index: {reached.stderr.strip().splitlines()[-1]}")
    called(*pip, "install", "--quiet", wheel, folder=tmp_path)
    check_installed(programs, tmp_path)
    called(*pip, "check", folder=tmp_path)
