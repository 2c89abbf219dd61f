"""The command line: documented, narrow enough for a terminal, quick to start, one sentence for an error."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from pipeline.archive.journal import Journal
from pipeline.cli.main import COMMANDS, commands
from tests.conftest import CHECKOUT, ENTRY, environment, landscape, pages_of, write_archive, write_tiff

Colorize = Callable[..., subprocess.CompletedProcess[str]]


@pytest.mark.parametrize("name", COMMANDS)
def test_help_fits_a_terminal_and_ends_with_two_examples(name: str) -> None:
    shown = CliRunner().invoke(commands, [name, "-h"], terminal_width=80)
    assert shown.exit_code == 0, shown.output
    assert max(len(line) for line in shown.output.splitlines()) <= 80
    examples = shown.output.split("Examples:")[-1].strip().splitlines()
    assert len(examples) >= 2
    assert all(line.strip().startswith("colorize ") for line in examples)


def test_every_command_is_in_the_readme() -> None:
    readme = (CHECKOUT / "README.md").read_text(encoding="utf-8")
    for name in COMMANDS:
        assert f"colorize {name}" in readme or f"make {name}" in readme, name


HEAVY = {"cv2", "numpy", "PIL", "joblib", "onnxruntime", "openvino"}


@pytest.mark.parametrize("arguments", [["--help"], ["run", "--help"], ["status", "{output}"], ["models", "--help"]])
def test_nothing_heavy_is_imported_before_it_is_needed(tmp_path: Path, arguments: list[str]) -> None:
    Journal(tmp_path).close()
    arguments = [argument.format(output=tmp_path) for argument in arguments]
    program = (
        "import sys\nfrom pipeline.cli.main import main\n"
        f"sys.argv = ['colorize', *{arguments!r}]\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code, end.code\n"
        f"print('HEAVY', sorted({HEAVY!r} & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", program], env=environment(), capture_output=True, text=True, check=True)
    assert run.stdout.splitlines()[-1] == "HEAVY []"


def test_unknown_command_and_version(colorize: Colorize) -> None:
    assert colorize("colourise").returncode == 2
    assert colorize("--version").stdout.startswith("colorize ")


def test_shell_completion_knows_the_commands(colorize: Colorize) -> None:
    run = colorize(_COLORIZE_COMPLETE="bash_complete", COMP_WORDS="colorize s", COMP_CWORD="1")
    assert "status" in run.stdout


def test_an_error_is_one_sentence_and_a_traceback_only_with_v(tmp_path: Path, colorize: Colorize) -> None:
    run = colorize("status", tmp_path / "nowhere")
    assert run.returncode == 5
    assert len(run.stderr.strip().splitlines()) == 1
    assert "Traceback" in colorize("status", tmp_path / "nowhere", "-v").stderr


@pytest.mark.skipif(sys.platform == "win32", reason="a shell's redirections")
@pytest.mark.parametrize("ending", ["| true", "2>&1 | true", ">&-", "2>&-", "<&- >&- 2>&-", "2>/dev/full"])
def test_a_run_outlives_its_readers(tmp_path: Path, user_cache: Path, ending: str) -> None:
    write_archive(tmp_path / "scans", 2)
    (tmp_path / "scans" / "broken.jpg").write_bytes(b"no picture")
    program = f"import sys; sys.path.insert(0, {str(CHECKOUT)!r}); from pipeline.cli.main import main; main()"
    line = f'{{ "$0" -c "$1" run scans -o colour -j 1 --engine opencv; echo $? >code; }} {ending}'
    subprocess.run(
        ["sh", "-c", line, sys.executable, program],
        env=environment(XDG_CACHE_HOME=str(user_cache)),
        cwd=tmp_path,
        check=False,
        capture_output=True,
        timeout=120,
    )
    assert (tmp_path / "code").read_text().strip() == "3"
    with (tmp_path / "colour" / "manifest.csv").open(newline="") as file:
        assert sorted(row["status"] for row in csv.DictReader(file)) == ["done", "done", "failed"]


def test_a_full_disk_behind_stdout_is_said(tmp_path: Path) -> None:
    Journal(tmp_path).close()
    if not Path("/dev/full").exists():
        pytest.skip("needs /dev/full")
    with Path("/dev/full").open("w") as full:
        run = subprocess.run(
            [*ENTRY, "status", str(tmp_path)], env=environment(), stdout=full, stderr=subprocess.PIPE, check=False
        )
    assert run.returncode == 5
    assert run.stderr.decode() == "colorize: Standard output cannot be written: no space left on device.\n"


def test_an_empty_input_is_not_the_current_folder(tmp_path: Path, colorize: Colorize) -> None:
    run = colorize("run", "", "-o", tmp_path / "colour")
    assert run.returncode == 2
    assert not (tmp_path / "colour").exists()


class TestImage:
    def test_one_picture(self, tmp_path: Path, colorize: Colorize) -> None:
        source = write_archive(tmp_path, 1)[0]
        made = tmp_path / "new folder" / "colour.png"
        assert colorize("image", source, made).returncode == 0
        assert cv2.imread(str(made)).shape == (60, 80, 3)
        assert list(made.parent.iterdir()) == [made]
        refused = colorize("image", source, made)
        assert refused.returncode == 5
        assert "--force" in refused.stderr
        assert colorize("image", source, made, "--force").returncode == 0

    def test_a_picture_in_colour(self, tmp_path: Path, colorize: Colorize) -> None:
        source, made = tmp_path / "parrot.png", tmp_path / "out.png"
        hues = np.dstack([np.tile(np.arange(0, 180, 2, np.uint8), (60, 1)), *[np.full((60, 90), 200, np.uint8)] * 2])
        cv2.imwrite(str(source), cv2.cvtColor(hues, cv2.COLOR_HSV2BGR))
        assert colorize("image", source, made).returncode == 0
        assert made.read_bytes() == source.read_bytes()
        refused = colorize("image", source, tmp_path / "out.jpg")
        assert refused.returncode == 5
        assert "--on-color recolor" in refused.stderr
        assert not (tmp_path / "out.jpg").exists()
        assert colorize("image", source, tmp_path / "out.jpg", "--on-color", "recolor").returncode == 0
        skipped = colorize("image", source, tmp_path / "other.png", "--on-color", "skip")
        assert skipped.returncode == 0
        assert "nothing written" in skipped.stderr

    def test_several_pages(self, tmp_path: Path, colorize: Colorize) -> None:
        source = write_tiff(tmp_path / "in" / "letter.tif", landscape(1), landscape(2, 30, 40), landscape(3))
        every = colorize("image", source, tmp_path / "out" / "all.tif")
        assert every.returncode == 0, every.stderr
        assert [page.shape for page in pages_of(tmp_path / "out" / "all.tif")] == [
            (60, 80, 3),
            (30, 40, 3),
            (60, 80, 3),
        ]
        first = colorize("image", source, tmp_path / "out" / "first.png")
        assert first.returncode == 0
        assert "first of 3 pages" in first.stderr
        one = colorize("image", source, tmp_path / "out" / "one.tif", "--pages", "first")
        assert one.returncode == 0
        np.testing.assert_array_equal(
            pages_of(tmp_path / "out" / "one.tif")[0], pages_of(tmp_path / "out" / "all.tif")[0]
        )
        assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["all.tif", "first.png", "one.tif"]
        source.write_bytes(source.read_bytes()[:6000])
        torn = colorize("image", source, tmp_path / "out" / "torn.tif")
        assert torn.returncode == 5
        assert "damaged" in torn.stderr or "truncated" in torn.stderr
        assert not (tmp_path / "out" / "torn.tif").exists()

    def test_what_cannot_be_done_is_said(self, tmp_path: Path, colorize: Colorize) -> None:
        broken = tmp_path / "broken.jpg"
        broken.write_bytes(b"\xff\xd8\xff\xe0 cut off")
        for arguments, code in [
            ((broken, tmp_path / "out.jpg"), 5),
            ((tmp_path / "gone.jpg", tmp_path / "out.jpg"), 5),
            ((broken, broken, "--force"), 5),
            ((tmp_path, tmp_path / "out.jpg"), 5),
            ((broken, tmp_path / "out.gif"), 2),
            ((broken, tmp_path / "out.jpg", "--model", "nothing"), 4),
        ]:
            run = colorize("image", *arguments)
            assert run.returncode == code, (arguments, run.stderr)
            assert "Traceback" not in run.stderr
        assert broken.read_bytes() == b"\xff\xd8\xff\xe0 cut off"
        assert [path.name for path in tmp_path.iterdir()] == ["broken.jpg"]


def test_no_name_in_a_sentence_steers_the_terminal(colorize: Colorize, tmp_path: Path) -> None:
    run = colorize("run", tmp_path / "a\x1b[2J\u202eb\n", "-o", tmp_path / "colour", "--json")
    assert run.returncode == 5
    assert run.stderr.splitlines() == [f"colorize: {tmp_path}/a?[2J?b?: there is no such file or folder."]
    assert json.loads(run.stdout)["error"]["sentence"].startswith(f"{tmp_path}/a\x1b[2J\u202eb\n: there")


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["run", "in", "-o", "out", "--model"], 4),
        (["doctor", "--model"], 4),
        (["run", "in", "-o", "out", "--config"], 2),
        (["run", "in", "-o"], 5),
        (["status"], 5),
    ],
)
def test_what_is_longer_than_a_name_may_be_is_no_fault_of_the_program(
    colorize: Colorize, tmp_path: Path, arguments: list[str], code: int
) -> None:
    write_archive(tmp_path / "in", 1)
    arguments = [str(tmp_path / each) if each in ("in", "out") else each for each in arguments]
    run = colorize(*arguments, "x" * 300)
    assert run.returncode == code, run.stderr or run.stdout
