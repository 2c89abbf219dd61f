"""Settings: their order, their checks, and what counts for the fingerprint."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection
from dataclasses import fields, replace
from pathlib import Path

import pytest

from pipeline.colour import palette
from pipeline.ground.errors import SettingsError
from pipeline.ground.gather import from_file, gather, unknown_variables
from pipeline.ground.items import Kind
from pipeline.ground.resources import configs_dir
from pipeline.ground.settings import (
    FORMAT_VERSIONS,
    Settings,
    field_of,
    fingerprint,
    fingerprint_v1,
    treated_as,
)
from pipeline.media.film import options
from pipeline.media.photo import write
from pipeline.nets.engines import catalogue


def test_order_is_default_file_environment_assignment_flag(tmp_path: Path) -> None:
    config = tmp_path / "night.toml"
    config.write_text('quality = 70\nsaturation = 0.5\nformat = "png"\non_color = "skip"\n')
    settings = gather(
        config=config,
        environment={"COLORIZE_SATURATION": "0.6", "COLORIZE_FORMAT": "tif", "COLORIZE_ON_COLOR": "copy", "HOME": "/"},
        assignments=["format=webp", "on_color=recolor"],
        flags={"on_color": "skip", "quality": None},
    )
    assert (settings.quality, settings.saturation, settings.format, settings.on_color) == (70, 0.6, "webp", "skip")
    assert settings.jobs == "auto"


@pytest.mark.parametrize("name", ["archive", "fast", "video", "preservation", "tutorial"])
def test_ready_made_settings_are_valid(name: str) -> None:
    assert from_file(configs_dir() / f"{name}.toml") is not None


def test_ready_made_settings_are_found_by_name_unless_a_file_of_that_name_lies_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert gather(config=Path("preservation")).format == "tif"
    (tmp_path / "preservation").write_text('format = "png"')
    assert gather(config=Path("preservation")).format == "png"
    with pytest.raises(SettingsError, match="cannot be read"):
        gather(config=Path("folder/nothing"))


def test_a_configuration_that_is_not_there_lists_what_there_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SettingsError) as caught:
        gather(config=Path("achive"))
    assert str(caught.value) == (
        "There is no configuration file achive; ready-made are archive, fast, preservation, tutorial, video. "
        'Did you mean "archive"?'
    )


def test_a_mistyped_variable_is_named_with_its_nearest() -> None:
    environment = {
        "COLORIZE_SATURATON": "0.5", "COLORIZE_QUALITY": "90", "COLORIZE_TEST_HANG": "x", "COLORIZE_ZZ": "",
        "HOME": "/", "_COLORIZE_COMPLETE": "bash_source",
    }  # fmt: skip
    assert list(unknown_variables(environment)) == [
        "The variable COLORIZE_SATURATON names no setting and is passed over. Did you mean COLORIZE_SATURATION?",
        "The variable COLORIZE_ZZ names no setting and is passed over.",
    ]


def test_archive_toml_spells_out_the_defaults_but_for_its_palette() -> None:
    assert from_file(configs_dir() / "archive.toml") == Settings(palette="restrained")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("qualty = 90", ['no setting "qualty"', 'Did you mean "quality"']),
        ("quality = 101", ["quality = 101", "between 1 and 100"]),
        ('quality = "high"', ["whole number"]),
        ("quality = true", ["whole number"]),
        ("verify = 1", ["true or false"]),
        ('engine = "onnx"', ["opencv", "Did you mean"]),
        ("saturation = nan", ["between 0 and 3"]),
        ("jobs = 0", ["between 1 and 1024"]),
        ('jobs = "many"', ['"auto"']),
        ("quality = ", ["not valid TOML"]),
        ("[output]\nformat = 'png'", ["no setting"]),
    ],
)
def test_a_wrong_file_is_one_clear_sentence(tmp_path: Path, text: str, words: list[str]) -> None:
    config = tmp_path / "wrong.toml"
    config.write_text(text)
    with pytest.raises(SettingsError) as caught:
        from_file(config)
    assert "wrong.toml" in str(caught.value)
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("engine", catalogue.ENGINES),
        ("precision", {each for known in catalogue.PRECISIONS.values() for each in known}),
        ("palette", palette.PALETTES),
        ("format", write.SUFFIXES),
        ("steady", options.STEADINESS),
        ("container", options.CONTAINERS),
    ],
)
def test_a_setting_can_be_what_the_rooms_know(name: str, known: Collection[str]) -> None:
    """They lie above the settings, which cannot ask them."""
    assert {*field_of(name).metadata["choices"]} - {"auto", "keep"} == {*known} - {"auto"}


def test_an_encoder_can_be_what_the_film_room_knows() -> None:
    pytest.importorskip("av", reason="extra: film")
    from pipeline.media.film import containers, encoders

    assert {*field_of("encoder").metadata["choices"]} - {"auto"} == {*encoders.ENCODERS}
    assert {*options.CONTAINERS} - {"auto"} == {*containers.CONTAINERS}


def test_a_file_of_settings_may_be_written_on_windows(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_bytes(b"\xef\xbb\xbfquality = 90\r\njobs = 1\r\n")
    found = from_file(tmp_path / "a.toml")
    assert (found.quality, found.jobs) == (90, 1)


def test_missing_file_and_malformed_assignment() -> None:
    with pytest.raises(SettingsError, match="cannot be read"):
        gather(config=Path("/nowhere/at-all.toml"))
    with pytest.raises(SettingsError, match="KEY=VALUE"):
        gather(assignments=["quality"])
    with pytest.raises(SettingsError, match="COLORIZE_QUALITY"):
        gather(environment={"COLORIZE_QUALITY": "best"})


OTHER = {
    "model": "other", "models_dir": "m", "prototxt": "p", "points": "n", "engine": "opencv", "precision": "float32",
    "lightness": "lab", "format": "png", "chroma_sampling": "444", "provenance": False, "jpeg_scans": "interleaved",
    "quality": 5, "pages": "first", "saturation": 0.5, "palette": "vivid", "series": "folder",
    "on_color": "skip", "jobs": 3, "cluster": "tcp://a:1",
    "on_color_list": "l", "executor": "serial", "encoder": "ffv1", "film_quality": 30, "preset": "slow",
    "container": "mkv", "width": 64, "steady": "off", "keyframes": 1, "exclude": ("*.tif",), "follow_symlinks": True,
    "max_megapixels": 1.0, "verify": True, "retry_failed": True, "keep_times": True, "item_timeout": 9,
    "layout": "side-by-side", "replace_edited": True, "deleted_outputs": "rejected", "accept_gone": True,
    "on_damage": "done", "deinterlace": True, "caption": "c", "caption_font": "f.ttf", "certificate": "c.pem",
    "certificate_key": "k.pem", "strict": True, "manifest_bom": True, "shard": "1/2", "max_memory": 9000,
}  # fmt: skip


CHANGES = {
    Kind.PHOTO: {
        "lightness", "format", "chroma_sampling", "jpeg_scans", "layout", "provenance", "quality", "saturation",
        "palette", "on_color", "caption", "caption_font",
        "certificate",
    },
    Kind.PAGES: {"lightness", "provenance", "saturation", "palette", "on_color"},  # TIFF has no quality
    Kind.FILM: {
        "saturation", "palette", "on_color", "encoder", "film_quality", "preset", "container", "width", "steady",
        "keyframes",
        "deinterlace",
    },
}  # fmt: skip


@pytest.mark.parametrize("kind", CHANGES)
@pytest.mark.parametrize("name", [each.name for each in fields(Settings)])
def test_only_what_changes_pixels_changes_the_fingerprint(name: str, kind: Kind) -> None:
    changed = replace(Settings(), **{name: OTHER[name]})
    same = fingerprint(changed, kind, model_sha256="m", engine="e") == fingerprint(
        Settings(), kind, model_sha256="m", engine="e"
    )
    assert same != (name in CHANGES[kind])


def test_model_and_engine_change_the_fingerprint_and_1_equals_1_point_0() -> None:
    prints = {
        fingerprint(Settings(saturation=saturation), Kind.PHOTO, model_sha256=model, engine=engine)
        for saturation in (1, 1.0)
        for model in ("a", "b")
        for engine in ("opencv/float32", "openvino/bfloat16")
    }
    assert len(prints) == 4


TUTORIAL = from_file(Path("tutorial"))


def test_the_fingerprints_of_colorize_0_1_are_known_still() -> None:
    # Computed by that version; it knew the tutorial's arithmetic alone.
    other = replace(TUTORIAL, format="png", quality=80, saturation=0.5, on_color="skip")
    assert fingerprint_v1(TUTORIAL, model_sha256="m", engine="e") == "b9e65901cc7fc836"
    assert fingerprint_v1(other, model_sha256="m", engine="opencv/float32") == "429ef26cf7187290"
    assert fingerprint_v1(Settings(), model_sha256="m", engine="e") != "b9e65901cc7fc836"


@pytest.mark.parametrize("name", sorted(CHANGES[Kind.PHOTO]))
def test_nothing_that_colorize_0_1_made_is_taken_for_what_a_setting_asks_for_now(name: str) -> None:
    asked = replace(TUTORIAL, **{name: {"lightness": "luma", "provenance": True}.get(name, OTHER[name])})
    assert asked != TUTORIAL
    assert fingerprint_v1(asked, model_sha256="m", engine="e") != "b9e65901cc7fc836"


def test_fingerprints_are_the_same_from_version_to_version(monkeypatch: pytest.MonkeyPatch) -> None:
    # Any other would do every finished archive anew.
    asked, by = replace(TUTORIAL, quality=80, palette="vivid"), {"model_sha256": "m", "engine": "opencv/float32"}
    monkeypatch.setattr("pipeline.ground.settings.FORMAT_VERSIONS", dict.fromkeys(FORMAT_VERSIONS, 3))
    assert fingerprint(asked, Kind.PHOTO, **by) == "a54b5237c4778d0d"
    assert fingerprint(asked, Kind.PHOTO, **by, listed="recolor") == "d01ce045d2537eff"
    assert fingerprint(asked, Kind.FILM, **by) == "aa1c4acb42842553"


def test_a_palette_makes_anew_what_was_finished_before_there_were_palettes_but_not_the_tutorials() -> None:
    for kind in FORMAT_VERSIONS:
        prints = {
            palette: fingerprint(Settings(palette=palette), kind, model_sha256="m", engine="e")
            for palette in ("natural", "restrained", "vivid", "plain")
        }
        assert len(set(prints.values())) == 4
    assert TUTORIAL.palette == "plain"
    assert fingerprint_v1(replace(TUTORIAL, palette="natural"), model_sha256="m", engine="e") != "b9e65901cc7fc836"


@pytest.mark.parametrize("kind", FORMAT_VERSIONS)
def test_another_format_version_is_another_fingerprint(kind: Kind, monkeypatch: pytest.MonkeyPatch) -> None:
    before = fingerprint(Settings(), kind, model_sha256="m", engine="e")
    monkeypatch.setitem(FORMAT_VERSIONS, kind, FORMAT_VERSIONS[kind] + 1)
    assert fingerprint(Settings(), kind, model_sha256="m", engine="e") != before


def test_kinds_have_fingerprints_of_their_own() -> None:
    prints = {fingerprint(Settings(), kind, model_sha256="m", engine="e") for kind in FORMAT_VERSIONS}
    assert len(prints) == len(FORMAT_VERSIONS)


def test_a_setting_that_is_new_and_neutral_changes_no_fingerprint() -> None:
    # What is in the hash of the tutorial's: no setting at all, for each of them stands at its neutral value.
    parts = {"kind": "photo", "model": "m", "engine": "e", "version": FORMAT_VERSIONS[Kind.PHOTO]}
    text = json.dumps(parts, sort_keys=True)
    expected = hashlib.sha256(text.encode()).hexdigest()[:16]
    assert fingerprint(TUTORIAL, Kind.PHOTO, model_sha256="m", engine="e") == expected


def test_the_first_page_alone_is_treated_as_a_photograph() -> None:
    first, every = Settings(pages="first"), Settings()
    assert (treated_as(Kind.PAGES, first), treated_as(Kind.PAGES, every)) == (Kind.PHOTO, Kind.PAGES)
    assert {treated_as(kind, first) for kind in (Kind.PHOTO, Kind.FILM)} == {Kind.PHOTO, Kind.FILM}


def test_a_chart_that_changed_makes_outputs_anew_and_no_chart_is_as_before() -> None:
    by: dict[str, str] = {"model_sha256": "m", "engine": "e"}
    plain = fingerprint(Settings(), Kind.PHOTO, **by)
    assert fingerprint(Settings(), Kind.PHOTO, **by, chart="") == plain
    assert len({plain, *(fingerprint(Settings(), Kind.PHOTO, **by, chart=each) for each in "ab")}) == 3
