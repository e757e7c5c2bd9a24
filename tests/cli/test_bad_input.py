"""Bad input gets one clear line, exit code 1 or 2, and no traceback."""

from __future__ import annotations

from pathlib import Path

import pytest
from command_line import Aesalign, Done


def _refused(done: Done, *parts: str, code: int = 1) -> None:
    assert done.code == code, done.err
    assert "Traceback" not in done.err
    assert done.out == ""
    for part in parts:
        assert part in done.err
    if code == 1:
        (line,) = [line for line in done.err.splitlines() if line.startswith("aesalign: error:")]
        assert len(line) < 600


def test_an_empty_folder(aesalign: Aesalign, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    _refused(aesalign("index", "empty", "-g", "g"), "empty")
    assert not (tmp_path / "g").exists()


def test_a_folder_without_photos(aesalign: Aesalign, tmp_path: Path) -> None:
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "note.txt").write_text("no photo")
    _refused(aesalign("index", "texts", "-g", "g"), "texts")


def test_a_missing_folder(aesalign: Aesalign) -> None:
    _refused(aesalign("index", "nowhere", "-g", "g"), "nowhere")


def test_a_missing_gallery_says_how_to_make_one(aesalign: Aesalign) -> None:
    _refused(aesalign("search", "a dog", "-g", "nowhere"), "nowhere", "aesalign index")


def test_a_folder_that_is_no_gallery(aesalign: Aesalign, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "file.txt").write_text("mine")
    _refused(aesalign("search", "a dog", "-g", "other"), "other")


def test_an_unknown_component_names_the_nearest(aesalign: Aesalign) -> None:
    _refused(aesalign("rephrase", "a dog", "--rephraser", "tempate"), "'tempate'", "'template'")
    _refused(aesalign("index", ".", "-g", "g", "--reward", "embeded"), "'embeded'", "'embedded'")


def test_a_malformed_recipe(aesalign: Aesalign, tmp_path: Path) -> None:
    (tmp_path / "r.toml").write_text("[encoder\n")
    _refused(aesalign("rephrase", "a dog", "--recipe", "r.toml"), "r.toml", "TOML")
    (tmp_path / "r.toml").write_text("[pairs]\ncolums = 3\n")
    _refused(aesalign("rephrase", "a dog", "--recipe", "r.toml"), "'colums'", "'columns'")


@pytest.mark.parametrize("override", ["pairs.colums=3", "align.steps=0", "nonsense", "rewards.7.use=x", "encoder=3"])
def test_a_wrong_override(aesalign: Aesalign, override: str) -> None:
    _refused(aesalign("rephrase", "a dog", "--set", override))


def test_empty_and_enormous_queries(aesalign: Aesalign) -> None:
    _refused(aesalign("rephrase", ""), "the query is empty")
    _refused(aesalign("rephrase", "x" * 100_000), "100,000 characters")


def test_k_of_zero_is_a_usage_error(aesalign: Aesalign) -> None:
    _refused(aesalign("search", "a dog", "-g", "g", "-k", "0"), "-k", code=2)


def test_usage_errors_exit_with_two(aesalign: Aesalign) -> None:
    assert aesalign("serch").code == 2
    assert aesalign("search", "-g", "g").code == 2
    assert aesalign("search", "a dog", "--no-such-flag").code == 2


def test_a_missing_key_says_which_variable_to_set(aesalign: Aesalign) -> None:
    done = aesalign(
        "rephrase",
        "a dog",
        "--rephraser",
        "litellm",
        "--set",
        "rephraser.model=openai/gpt-4o-mini",
        OPENAI_API_KEY="",
    )
    _refused(done, "OPENAI_API_KEY")


def test_an_unknown_device(aesalign: Aesalign) -> None:
    _refused(aesalign("score", "x.jpg", "--device", "tpu"), "'tpu'")


def test_debug_shows_the_traceback(aesalign: Aesalign) -> None:
    done = aesalign("search", "a dog", "-g", "nowhere", "--debug")
    assert done.code == 1
    assert "Traceback" in done.err


def test_align_without_pairs(aesalign: Aesalign) -> None:
    _refused(aesalign("align", "-p", "none.parquet", "-g", "nowhere", "-o", "run"), "none.parquet")


@pytest.mark.slow
def test_another_space_is_refused(aesalign: Aesalign, gallery: Path, tmp_path: Path) -> None:
    from aesalign_core.testing.tiny_clip import tiny_model

    model = tiny_model(tmp_path / "models")
    done = aesalign("search", "a dog", "-g", gallery, "--encoder", model)
    assert done.code == 1
    assert "Traceback" not in done.err


@pytest.mark.slow
def test_an_encoder_that_is_not_there(aesalign: Aesalign, gallery: Path) -> None:
    done = aesalign("search", "a dog", "-g", gallery, "--encoder", "runs/none")
    _refused(done, "runs/none")
