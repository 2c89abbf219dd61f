from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from pipeline.archive import discover as discover_module
from pipeline.archive.discover import Found, discover, examine
from pipeline.archive.places import check_places
from pipeline.ground.errors import InputError, OutputError
from pipeline.ground.items import Kind

JPEG = b"\xff\xd8\xff\xe0" + bytes(20)


def put(path: Path, data: bytes = JPEG) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def walk(*inputs: Path, output: Path, **options: object) -> dict[str, Found]:
    folders = discover(check_places(inputs, output), output, **options)  # type: ignore[arg-type]
    found = [examine(each) for folder in folders for each in folder.files]
    keys = [each.key for each in found]
    assert len(keys) == len(set(keys))
    return {each.key: each for each in found}


def test_walks_in_a_stable_order_and_passes_over_what_is_hidden_or_junk(tmp_path: Path) -> None:
    scans = tmp_path / "scans"
    for name in ["b.jpg", "a/2.jpg", "a/1.jpg", "B.jpg", "ä ö.jpg"]:
        put(scans / name)
    for name in [".hidden.jpg", ".colorize/x.jpg", "Thumbs.db", "a/._1.jpg", "a/.DS_Store", "@eaDir/t.jpg"]:
        put(scans / name)
    put(scans / "notes.txt", b"notes")
    found = walk(scans, output=tmp_path / "out")
    assert list(found) == [".hidden.jpg", "B.jpg", "b.jpg", "notes.txt", "ä ö.jpg", "a/1.jpg", "a/2.jpg"]
    assert (found[".hidden.jpg"].kind, found[".hidden.jpg"].reason) == ("excluded", "a hidden name")
    assert found["a/1.jpg"].source == scans / "a/1.jpg"
    assert found["a/1.jpg"].size == len(JPEG)
    assert (found["notes.txt"].kind, found["notes.txt"].reason) == ("other", "not a picture or film")


def test_junk_is_told_by_the_folder_it_lies_in_and_nothing_below_it_is(tmp_path: Path) -> None:
    scans = tmp_path / "scans"
    for name in [
        "1.jpg",
        "THUMBS.DB",
        "Icon\r",
        "@eaDir/1.jpg/t.jpg",
        "@eaDir/2",
        ".hidden",
        "a/._1.jpg",
        "a/._2",
        "a/.Trash-1000/3",
    ]:
        put(scans / name)
    folders = {folder.place: folder for folder in discover(check_places([scans], tmp_path / "out"), tmp_path / "out")}
    assert sorted(folders[""].junk) == ["@eadir", "icon", "thumbs.db"]
    assert sorted(folders["a"].junk) == ["._*", "._*", ".trash*"]
    assert list(folders) == ["", "a"]


@pytest.mark.parametrize("left", ["journal.sqlite", "journal.copy.sqlite", "lock"])
def test_what_another_run_filled_is_no_original(tmp_path: Path, left: str) -> None:
    put(tmp_path / "in/1.jpg")
    put(tmp_path / "in/.album/2.jpg")
    put(tmp_path / "in/colour/1.jpg")
    put(tmp_path / "in/colour/.colorize" / left)
    found = walk(tmp_path / "in", output=tmp_path / "out")
    assert {key: str(each.kind) for key, each in found.items()} == {
        "1.jpg": "photo", ".album/": "excluded", "colour/": "excluded",
    }  # fmt: skip
    with pytest.raises(InputError, match="filled by this program"):
        walk(tmp_path / "in/colour", output=tmp_path / "out")


def test_is_lazy(tmp_path: Path) -> None:
    put(tmp_path / "in/a/1.jpg")
    later = put(tmp_path / "in/b/2.jpg")
    output = tmp_path / "out"
    walking = discover(check_places([tmp_path / "in"], output), output)
    root, first = next(walking), next(walking)
    assert (root.files, root.folders) == ([], ["a", "b"])
    assert [found.key for found in first.files] == ["a/1.jpg"]
    later.unlink()
    assert [folder.files for folder in walking] == [[]]


def test_never_walks_output(tmp_path: Path) -> None:
    put(tmp_path / "in/1.jpg")
    put(tmp_path / "in/colour/1.jpg")
    (tmp_path / "link").symlink_to(tmp_path / "in/colour")
    assert list(walk(tmp_path / "in", output=tmp_path / "link")) == ["1.jpg"]


@pytest.mark.parametrize("output", ["in", "in/../in", "link", "."])
def test_refuses_an_output_that_is_or_holds_an_input(tmp_path: Path, output: str) -> None:
    put(tmp_path / "in/1.jpg")
    (tmp_path / "link").symlink_to(tmp_path / "in")
    with pytest.raises(OutputError, match="OUTPUT a folder of its own"):
        check_places([tmp_path / "in"], tmp_path / output)


def test_refuses_to_write_beside_a_single_file(tmp_path: Path) -> None:
    with pytest.raises(OutputError):
        check_places([put(tmp_path / "in/1.jpg")], tmp_path / "in")


def test_refuses_an_output_that_is_a_file(tmp_path: Path) -> None:
    put(tmp_path / "in/1.jpg")
    with pytest.raises(OutputError, match="is a file"):
        check_places([tmp_path / "in"], put(tmp_path / "out"))


def test_names_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nowhere: there is no such file"):
        check_places([tmp_path / "nowhere"], tmp_path / "out")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError, match="neither a file nor a folder"):
        check_places([tmp_path / "pipe"], tmp_path / "out")


def test_single_file(tmp_path: Path) -> None:
    assert list(walk(put(tmp_path / "in/1.jpg"), output=tmp_path / "out")) == ["1.jpg"]


def test_several_inputs_go_under_their_own_names(tmp_path: Path) -> None:
    for name in ["x/scans/1.jpg", "y/Scans/1.jpg", "prints/1.jpg", "1.jpg"]:
        put(tmp_path / name)
    inputs = [tmp_path / name for name in ["x/scans", "prints", "y/Scans", "1.jpg"]]
    found = walk(*inputs, output=tmp_path / "out")
    assert sorted(found) == ["1.jpg", "Scans (y)/1.jpg", "prints/1.jpg", "scans (x)/1.jpg"]
    assert set(walk(*reversed(inputs), output=tmp_path / "out")) == set(found)


def test_equal_names_in_equal_parents_stay_apart(tmp_path: Path) -> None:
    inputs = [put(tmp_path / name / "s/1.jpg").parent for name in ["a/p", "b/p"]]
    assert len(walk(*inputs, output=tmp_path / "out")) == 2


def test_an_input_inside_another_counts_once(tmp_path: Path) -> None:
    put(tmp_path / "in/sub/1.jpg")
    assert list(walk(tmp_path / "in/sub", tmp_path / "in", tmp_path / "in", output=tmp_path / "out")) == ["sub/1.jpg"]


def test_links_are_followed_only_on_request_and_never_in_circles(tmp_path: Path) -> None:
    put(tmp_path / "in/z/1.jpg")
    put(tmp_path / "away/2.jpg")
    (tmp_path / "in/a").symlink_to("z")
    (tmp_path / "in/away").symlink_to(tmp_path / "away")
    (tmp_path / "away/back").symlink_to(tmp_path / "in")
    (tmp_path / "in/file.jpg").symlink_to("z/1.jpg")
    (tmp_path / "in/gone.jpg").symlink_to("nowhere")
    plain = walk(tmp_path / "in", output=tmp_path / "out")
    assert plain["z/1.jpg"].kind == "photo"
    assert {found.kind for key, found in plain.items() if key != "z/1.jpg"} == {"other"}
    found = walk(tmp_path / "in", output=tmp_path / "out", follow_symlinks=True)
    assert [key for key, each in found.items() if each.kind == "photo"] == ["file.jpg", "z/1.jpg", "away/2.jpg"]
    assert found["gone.jpg"].kind == "unreadable"
    assert "walked anyway" in found["a"].reason
    assert "walked anyway" in found["away/back"].reason


def test_pipes_and_sockets_are_never_opened(tmp_path: Path) -> None:
    put(tmp_path / "in/1.jpg")
    os.mkfifo(tmp_path / "in/pipe.jpg")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "in/socket"))
        found = walk(tmp_path / "in", output=tmp_path / "out")
    assert [found[key].kind for key in ("1.jpg", "pipe.jpg", "socket")] == ["photo", "other", "other"]
    assert "named pipe" in found["pipe.jpg"].reason


def test_what_cannot_be_read_does_not_end_the_walk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path / "in/locked/1.jpg")
    for name in ["in/2.jpg", "in/2", "in/3.jpg"]:
        put(tmp_path / name)
    scandir, open_file = os.scandir, os.open

    def refuse_folder(path: str | Path) -> object:
        if str(path).endswith("locked"):
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    def refuse_file(path: str | Path, *rest: object) -> int:
        if Path(path).stem == "2":
            raise PermissionError(13, "Permission denied")
        return open_file(path, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "scandir", refuse_folder)  # permissions do not stop root
    monkeypatch.setattr(os, "open", refuse_file)
    found = walk(tmp_path / "in", output=tmp_path / "out")
    assert [(key, each.kind, each.reason) for key, each in found.items()] == [
        ("2", "unreadable", "it cannot be read: permission denied"),
        ("2.jpg", "photo", "it cannot be read: permission denied"),
        ("3.jpg", "photo", ""),
        ("locked/", "unreadable", "this folder cannot be read: permission denied"),
    ]


@pytest.mark.parametrize(
    ("pattern", "left"),
    [
        ("*.tif", ["a/1.jpg", "a/b/2.jpg", "notes/1.jpg"]),
        ("b", ["a/1.jpg", "notes/1.jpg"]),
        ("a/*", ["notes/1.jpg"]),
        ("a/b", ["a/1.jpg", "notes/1.jpg"]),
        ("a/", ["notes/1.jpg"]),
        ("1.jpg/", ["a/1.jpg", "a/b/2.jpg", "a/b/3.tif", "notes/1.jpg"]),
        ("[ab]/[12].jpg", ["a/b/2.jpg", "a/b/3.tif", "notes/1.jpg"]),
    ],
)
def test_exclude(tmp_path: Path, pattern: str, left: list[str]) -> None:
    for name in ["a/1.jpg", "a/b/2.jpg", "a/b/3.tif", "notes/1.jpg"]:
        put(tmp_path / "in" / name)
    found = walk(tmp_path / "in", output=tmp_path / "out", exclude=[pattern])
    assert len(found) == 4
    assert [key for key, each in found.items() if each.kind != "excluded"] == left


def test_the_walk_opens_no_file_and_what_is_known_is_not_opened_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = put(tmp_path / "in/1.dat", b"no picture")
    output = tmp_path / "out"

    def refuse(*_: object) -> int:
        raise AssertionError("a file was opened")

    monkeypatch.setattr(os, "open", refuse)
    (folder,) = discover(check_places([tmp_path / "in"], output), output)
    (found,) = folder.files
    assert (found.key, found.kind, found.size, found.mtime_ns) == ("1.dat", None, 10, path.stat().st_mtime_ns)
    known = found._replace(kind=Kind.PHOTO)
    assert examine(known) is known


def test_strange_names(tmp_path: Path) -> None:
    names = [
        b"line\nbreak.jpg",
        b'quo"te,.jpg',
        b"-rf.jpg",
        b"caf\xe9.jpg",
        b"caf\\xe9.jpg",
        "é.jpg".encode(),
        "e\u0301.jpg".encode(),
    ]
    names.append(b"n" * 251 + b".jpg")
    for name in names:
        put(tmp_path / "in" / os.fsdecode(name))
    found = walk(tmp_path / "in", output=tmp_path / "out")
    assert len(found) == len(names)
    assert all(key.encode("utf-8") for key in found)
    assert {os.fsencode(each.source.name) for each in found.values()} == set(names)


def test_folders_that_a_file_system_gives_one_number_are_all_walked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("1.jpg", "a/1.jpg", "a/b/1.jpg", "c/1.jpg"):
        put(tmp_path / "in" / name)
    monkeypatch.setattr(discover_module, "_identified", lambda path: (7, 7))
    assert list(walk(tmp_path / "in", output=tmp_path / "out")) == ["1.jpg", "a/1.jpg", "a/b/1.jpg", "c/1.jpg"]


def test_a_folder_reached_twice_through_links_has_a_row(tmp_path: Path) -> None:
    put(tmp_path / "in/1.jpg")
    put(tmp_path / "around/deep/2.jpg")
    (tmp_path / "in/first").symlink_to(tmp_path / "around/deep")
    (tmp_path / "in/second").symlink_to(tmp_path / "around")
    found = walk(tmp_path / "in", output=tmp_path / "out", follow_symlinks=True)
    assert list(found) == ["1.jpg", "first/2.jpg", "second/deep/"]
    assert found["second/deep/"].reason.startswith("a folder that is walked anyway")
