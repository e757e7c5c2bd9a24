"""`aesalign plugins check`: what is wrong with a package is found by reading it, and none of it is run."""

from __future__ import annotations

from pathlib import Path

import pytest
from command_line import Aesalign, aesalign

from aesalign_core.authoring.checking import Finding, check
from aesalign_core.authoring.scaffold import scaffold
from aesalign_core.errors import PluginError

__all__ = ["aesalign"]
INIT, REWARD = "src/aesalign_fine/__init__.py", "src/aesalign_fine/reward.py"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return scaffold("fine", "reward", tmp_path).folder


def changed(folder: Path, file: str, old: str, new: str) -> list[Finding]:
    text = (folder / file).read_text()
    assert old in text
    (folder / file).write_text(text.replace(old, new))
    return check(str(folder))


def wrong(found: list[Finding]) -> list[str]:
    return [f"{f.what}: {f.detail}" for f in found if f.status == "wrong"]


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        (INIT, "aesalign_rewards()", "aesalign_reward()", "there is no such hook; did you mean"),
        (INIT, "@hookimpl\n", "", "hook aesalign_rewards: it is not marked @aesalign_core.hookimpl"),
        (INIT, "aesalign_rewards()", "aesalign_rewards(photo)", "the hook has no argument 'photo'"),
        (INIT, ".reward:", ".rewards:", "reward fine: there is no module aesalign_fine.rewards"),
        (INIT, ":FineReward", ":FineRewrad", "aesalign_fine.reward has no FineRewrad; did you mean 'FineReward'"),
        (INIT, ".reward:", ".reward.", "is no factory path"),
        (INIT, '"fine"', '"Fine"', "'Fine' is no component name"),
        (INIT, ', summary="Prefers photographs of much contrast."', "", "reward fine: its summary is not one line"),
        (INIT, "summary=\"P", "summary=\"P" + "x" * 100, "reward fine: its summary is not one line"),
        (INIT, "from aesalign_core", "import torch\nfrom aesalign_core", "imports torch at its top, which every"),
        (INIT, "def aes", "def ]", "aesalign_fine/__init__.py, line 9: unmatched"),
        (INIT, "return [", "[", "hook aesalign_rewards: it returns nothing"),
        (REWARD, "import numpy", "import scipy, numpy", "aesalign_fine.reward imports scipy at its top"),
        (REWARD, "    Settings =", "    Options =", "FineReward has no Settings"),
        (REWARD, "score_vectors", "score_vector", "FineReward is no reward: it lacks score_vectors"),
        (REWARD, "    space =", "    room =", "FineReward is no reward: it lacks space"),
        (REWARD, "self.fingerprint", "self.print", "FineReward is no reward: it lacks fingerprint"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_found(folder: Path, file: str, old: str, new: str, said: str) -> None:
    (found,) = wrong(changed(folder, file, old, new))
    assert said in found


def test_what_only_type_checkers_and_functions_import_is_no_weight(folder: Path) -> None:
    assert not wrong(changed(folder, REWARD, "if TYPE_CHECKING:\n", "if TYPE_CHECKING:\n    import torch\n"))
    assert not wrong(changed(folder, REWARD, "        small = image", "        import scipy\n        small = image"))


def test_nothing_of_it_is_run(folder: Path, tmp_path: Path) -> None:
    mark = tmp_path / "was-run"
    line = f"import pathlib; pathlib.Path({str(mark)!r}).touch()\n"
    for file in (INIT, REWARD):
        text = (folder / file).read_text()
        (folder / file).write_text(text + line)
    assert not wrong(check(str(folder)))
    assert not mark.exists()


def test_what_it_inherits_is_read_too(folder: Path) -> None:
    (folder / "src/aesalign_fine/base.py").write_text((folder / REWARD).read_text().replace("FineReward", "Base"))
    (folder / REWARD).write_text(
        "from .base import Base\nclass FineReward(Base):\n    def __init__(self, settings, context):\n        pass\n"
    )
    assert [f.status for f in check(str(folder))] == ["ok"]
    (folder / REWARD).write_text("from numpy import ndarray as Base\nclass FineReward(Base): ...\n")
    assert [f.status for f in check(str(folder))] == ["unknown"]


def test_what_is_computed_is_said_to_be_unknown(folder: Path) -> None:
    assert [f.status for f in changed(folder, INIT, '"fine"', '"fi" + "ne"')] == ["unknown"]


def test_the_bundled_plugins_are_right() -> None:
    found = check("aesalign")
    assert len(found) > 15
    assert {f.status for f in found if f.status != "warning"} == {"ok"}
    # What an editable install says of its dependencies is of the day on which it was made.
    declared = (Path(__file__).resolve().parents[3] / "pyproject.toml").read_text(encoding="utf-8")
    assert all(f'"{f.detail.partition(" ")[0]}' in declared for f in found if f.status == "warning")


def test_no_package_of_that_name(tmp_path: Path) -> None:
    with pytest.raises(PluginError, match="no installed package 'aesaline'") as failed:
        check("aesaline")
    assert "'aesalign'" in failed.value.hint


@pytest.mark.parametrize("text", ["[project", "[project]\nname = 'x'\n", "project = 3\n", "\x00"])
def test_a_project_file_that_names_no_plugin(tmp_path: Path, text: str) -> None:
    (tmp_path / "pyproject.toml").write_text(text)
    with pytest.raises(PluginError, match=r"pyproject\.toml"):
        check(str(tmp_path))


def test_the_verbs(aesalign: Aesalign, tmp_path: Path) -> None:
    made = aesalign("plugins", "new", "soft-light", "--kind", "reward", "--out", tmp_path, "--json").json
    assert made["component"] == "soft_light"
    (found,) = aesalign("plugins", "check", made["folder"], "--json").json
    assert (found["what"], found["status"]) == ("reward soft_light", "ok")
    init = tmp_path / "aesalign-soft-light/src/aesalign_soft_light/__init__.py"
    init.write_text(init.read_text().replace("aesalign_rewards", "aesalign_rewads"))
    done = aesalign("plugins", "check", made["folder"])
    assert (done.code, "aesalign_rewards" in done.out) == (1, True)
    refused = aesalign("plugins", "new", "x", "--kind", "filter")
    assert (refused.code, "--kind" in refused.err) == (2, True)
