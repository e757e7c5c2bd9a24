"""`aesalign plugins new`: what it writes works, and passes its own tests at once."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import plugin_environment
import pytest

from aesalign_core.authoring.bundled import packages
from aesalign_core.authoring.checking import check
from aesalign_core.authoring.scaffold import scaffold
from aesalign_core.errors import AesalignError, PluginError
from aesalign_core.hookspecs import KINDS

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.slow
@pytest.mark.network
def test_a_package_of_each_kind_passes_its_tests_and_is_found(tmp_path: Path) -> None:
    made = [scaffold(f"fine-{kind}", kind, tmp_path) for kind in KINDS]
    python = plugin_environment.environment(tmp_path, *(one.folder for one in made))
    tests = [one.folder / "tests" for one in made]
    said = plugin_environment.run(
        python, "-m", "pytest", "-q", "--import-mode=importlib", "-W", "error", *tests, cwd=tmp_path
    )
    assert " passed" in said
    assert "skipped" not in said
    listed = json.loads(plugin_environment.run(python, "-m", "aesalign_core", "plugins", "--json", cwd=tmp_path))
    found = {(r["kind"], r["name"], r["status"]) for r in listed if r["distribution"].startswith("aesalign-fine")}
    assert found == {(kind, f"fine_{kind}", "ok") for kind in KINDS}


@pytest.mark.slow
@pytest.mark.network
def test_a_component_that_breaks_its_contract_fails_its_tests(tmp_path: Path) -> None:
    """The kit sees what is wrong: scores that depend on their batch, and a setting that is never refused."""
    made = scaffold("moody", "reward", tmp_path)
    module = made.folder / "src/aesalign_moody/reward.py"
    text = module.read_text()
    broken = text.replace("np.std(one) / 255 for", "np.std(one) / len(pixels) for").replace("ge=16, ", "")
    assert broken != text
    module.write_text(broken)
    python = plugin_environment.environment(tmp_path, made.folder)
    said = plugin_environment.run(python, "-m", "pytest", "-q", made.folder / "tests", cwd=tmp_path, fails=True)
    assert "test_a_score_depends_on_its_picture_alone" in said
    assert "scores depend on their batch" in said
    assert "test_unusable_settings_are_refused" in said
    assert "2 failed" in said


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_written_is_found_to_be_right(tmp_path: Path, kind: str) -> None:
    made = scaffold("fine-light", kind, tmp_path)  # type: ignore[arg-type]
    assert [(f.package, f.what, f.status) for f in check(str(made.folder))] == [
        ("aesalign-fine-light", f"{kind} fine_light", "ok")
    ]


def test_the_package_s_name_names_the_component_too(tmp_path: Path) -> None:
    made = scaffold("aesalign-fine-light", "reward", tmp_path)
    assert (made.distribution, made.component, made.folder) == (
        "aesalign-fine-light", "fine_light", tmp_path / "aesalign-fine-light",
    )  # fmt: skip
    assert all((made.folder / file).is_file() for file in made.files)


@pytest.mark.parametrize("name", ["", "Fine", "1st", "a b", "../up", "fine-", "a" * 60, "über"])
def test_what_can_be_no_name_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(PluginError, match="can be no plugin's name"):
        scaffold(name, "reward", tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["core", "aesalign-core", "embedded", "serve", "aesalign_lancedb"])
def test_a_name_of_aesalign_s_own_packages_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(PluginError, match="is a package of aesalign itself") as failed:
        scaffold(name, "reward", tmp_path)
    assert "my-" in failed.value.hint
    assert not list(tmp_path.iterdir())


def test_every_package_that_is_built_into_aesalign_is_its_own() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    built = project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    assert {Path(package).name for package in built} <= packages()


def test_what_is_there_already_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "aesalign-fine").mkdir()
    with pytest.raises(PluginError, match="already"):
        scaffold("fine", "reward", tmp_path)
    assert not list((tmp_path / "aesalign-fine").iterdir())


def test_a_folder_that_cannot_be_written_is_one_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(AesalignError, match="cannot write"):
        scaffold("fine", "reward", tmp_path / "file")
