"""`aesalign plugins check` on what newcomers write: imports, signatures, settings, installs."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path

import pytest

from aesalign_core.authoring.checking import Finding, check
from aesalign_core.authoring.scaffold import scaffold

INIT, REWARD, PROJECT = "src/aesalign_fine/__init__.py", "src/aesalign_fine/reward.py", "pyproject.toml"
Changed = Callable[..., list[Finding]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return scaffold("fine", "reward", tmp_path).folder


@pytest.fixture
def changed(folder: Path) -> Changed:
    def change(file: str, old: str, new: str) -> list[Finding]:
        text = (folder / file).read_text()
        assert old in text
        (folder / file).write_text(text.replace(old, new))
        return check(str(folder))

    return change


def said(found: list[Finding], status: str) -> list[str]:
    return [f"{f.what}: {f.detail}" for f in found if f.status == status]


def lines(*given: str) -> str:
    return "\n".join(given) + "\n"


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("import not_there", "reward fine: aesalign_fine.reward imports not_there, which is not installed"),
        ("from not_there.deep import x", "imports not_there, which is not installed"),
        ("from . import utl", "imports utl from aesalign_fine, which has none"),
        ("from .utl import x", "imports aesalign_fine.utl, but there is no module aesalign_fine.utl"),
        ("from aesalign_core.errors import SpaceError", "imports SpaceError from aesalign_core.errors"),
        ("from aesalign_core.erors import QueryError", "there is no module aesalign_core.erors"),
    ],
)
def test_an_import_that_leads_nowhere_is_found(changed: Changed, statement: str, expected: str) -> None:
    (found,) = said(changed(REWARD, "import numpy as np\n", f"import numpy as np\n{statement}\n"), "wrong")
    assert expected in found


@pytest.mark.parametrize(
    "statements",
    [
        ("try:", "    import not_there", "except ImportError:", "    not_there = None"),
        ("import contextlib", "with contextlib.suppress(ImportError):", "    import not_there"),
        ("def later():", "    import not_there"),
        ("import sys", "if sys.platform == 'plan9':", "    import not_there"),
        ("if __name__ == '__main__':", "    import not_there"),
        ("from aesalign_core.types import *", "import xml.dom, os.path as p, importlib.metadata"),
        ("from aesalign_core import Recipe", "import aesalign_core.files"),
        ("pattern = '\\d'",),
    ],
)
def test_an_import_that_may_not_happen_is_no_error(changed: Changed, statements: tuple[str, ...]) -> None:
    assert {f.status for f in changed(REWARD, "class FineReward:", lines(*statements, "class FineReward:"))} == {"ok"}


def test_a_declared_library_that_is_not_installed_yet_is_a_warning(changed: Changed) -> None:
    changed(PROJECT, '"numpy"', '"numpy", "Not.There>=1"')
    found = changed(REWARD, "import numpy as np\n", "import numpy as np\nimport not_there\n")
    assert said(found, "wrong") == []
    assert "not_there, which is not installed" in said(found, "warning")[0]


def test_a_library_that_is_not_declared_is_a_warning(changed: Changed) -> None:
    found = changed(REWARD, "        small = image", "        import PIL.Image\n        small = image")
    assert said(found, "wrong") == []
    assert said(found, "warning") == [
        "plugin fine: pillow is imported by aesalign_fine.reward, but is not among the package's dependencies"
    ]
    assert said(changed(PROJECT, '"numpy"', '"numpy", "Pillow>=11; python_version > \'3\'"'), "warning") == []
    assert "aesalign is imported" in said(changed(PROJECT, '"aesalign>', '"aesaline>'), "warning")[0]
    assert said(changed(PROJECT, "dependencies = [", 'dynamic = ["dependencies"]\nx = ['), "warning") == []


def test_a_heavy_library_is_found_through_the_package_s_own_modules(folder: Path, changed: Changed) -> None:
    (folder / "src/aesalign_fine/deep").mkdir()
    (folder / "src/aesalign_fine/deep/__init__.py").write_text("from .inner import x\n")
    (folder / "src/aesalign_fine/deep/inner.py").write_text("import torch\nfrom ..util import y\nx = 1\n")
    (folder / "src/aesalign_fine/util.py").write_text("import aesalign_fine.deep, not_there\ny = 1\n")
    changed(PROJECT, '"numpy"', '"numpy", "torch"')
    found = said(changed(REWARD, "import numpy as np\n", "import numpy as np\nfrom . import util\n"), "wrong")
    assert found == [
        "reward fine: aesalign_fine.deep.inner imports torch at its top (by way of aesalign_fine.reward), "
        "for which checking a recipe would wait",
        "reward fine: aesalign_fine.util imports not_there, which is not installed",
    ]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("return Component('fine', 'aesalign_fine.reward:FineReward', 'x')", "it returns one Component and no list"),
        ("c = Component('fine', 'aesalign_fine.reward:FineReward', 'x'); return c", "one Component and no list"),
        ("return ['fine']", "it returns a list of 'fine'"),
        ("return {'fine': 'x'}", "it returns {'fine': 'x'}"),
        ("return None", "it returns None"),
        ("pass", "it returns nothing"),
    ],
)
def test_a_hook_that_gives_no_list_is_found(folder: Path, body: str, expected: str) -> None:
    text = (folder / INIT).read_text()
    (folder / INIT).write_text(text[: text.index("    return [")] + f"    {body}\n")
    (found,) = said(check(str(folder)), "wrong")
    assert found.startswith("hook aesalign_rewards: ")
    assert expected in found


@pytest.mark.parametrize(
    "body", ["yield {}", "found = [{}]\n    return found", "return ({},)", "return sorted([{}])"]
)
def test_a_hook_may_give_its_components_in_many_ways(folder: Path, body: str) -> None:
    text = (folder / INIT).read_text()
    before, _, call = text.partition("    return [")
    (folder / INIT).write_text(before + "    " + body.format(call.strip()[:-1]) + "\n")
    assert [f.status for f in check(str(folder))] == ["ok"]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("class FineRewardSettings(Settings)", "class FineRewardSettings", "FineReward.Settings does not derive"),
        ("(Settings):", "(P.BaseModel):", "FineReward.Settings does not derive"),
        ("(Settings):", "(BaseModel):", "FineReward.Settings does not derive from aesalign_core.Settings"),
        ("Settings = FineRewardSettings", "Settings = {}", "FineReward.Settings is no class"),
        ("score_pixels(self, pixels: Sequence[Pixels])", "score_pixels(self)", "score_pixels takes ()"),
        ("(self, image: Image)", "(self, image, size)", "FineReward.preprocess asks for size"),
        ("(self, image: Image)", "()", "FineReward.preprocess does not take self"),
        (", context: BuildContext)", ")", "__init__ takes (settings), but is called with (settings, context)"),
        ("def __init__", "def setup", "FineReward has no __init__, but is made with (settings, context)"),
        ('name = "fine"', "name: str", "FineReward is no reward: it lacks name"),
    ],
)  # fmt: skip
def test_a_class_that_cannot_do_its_work_is_found(changed: Changed, old: str, new: str, expected: str) -> None:
    changed(REWARD, "from pydantic import Field", "import pydantic as P\nfrom pydantic import BaseModel, Field")
    (found,) = said(changed(REWARD, old, new), "wrong")
    assert expected in found


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("(self, settings: FineRewardSettings, context: BuildContext)", "(self, *given)"),
        ("(self, image: Image)", "(self, picture, size=3, *, more=None, **other)"),
        ('name = "fine"', "name: str"),
        ("class FineRewardSettings(Settings)", "import aesalign_core as ac\nclass FineRewardSettings(ac.Settings)"),
        ("class FineRewardSettings(Settings)", "from numpy import made as M\nclass FineRewardSettings(M)"),
        ("    def preprocess", "    @some.decorator\n    def preprocess"),
    ],
)
def test_a_class_that_can_is_let_be(changed: Changed, old: str, new: str) -> None:
    changed(REWARD, "self.side = settings.side", 'self.side = settings.side\n        self.name = "fine"')
    assert said(changed(REWARD, old, new), "wrong") == []


def test_hooks_of_an_object_are_said_to_be_unknown(changed: Changed) -> None:
    found = changed(PROJECT, 'fine = "aesalign_fine"', 'fine = "aesalign_fine:plugin"')
    assert said(found, "unknown") == [
        "plugin fine: its hooks are those of plugin, which aesalign_fine makes as it runs"
    ]


def test_an_async_hook_is_found(changed: Changed) -> None:
    (found,) = said(changed(INIT, "def aesalign", "async def aesalign"), "wrong")
    assert found == "hook aesalign_rewards: it is async, and nobody awaits it"


def test_a_search_that_takes_no_k_is_found(tmp_path: Path) -> None:
    made = scaffold("flat", "retriever", tmp_path).folder
    module = made / "src/aesalign_flat/retriever.py"
    text = module.read_text()
    assert "rewards: Sequence[str] = (), where" in text
    module.write_text(text.replace("rewards: Sequence[str] = (), where", "where"))
    (found,) = said(check(str(made)), "wrong")
    assert "FlatRetriever.search does not take rewards=, but is called with (vectors, k=, rewards=, where=)" in found


def test_an_installed_copy_is_not_checked_in_place_of_the_folder(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "installed").mkdir()
    shutil.move(folder / "src/aesalign_fine", tmp_path / "installed/aesalign_fine")
    monkeypatch.syspath_prepend(tmp_path / "installed")
    (found,) = said(check(str(folder)), "wrong")
    assert f"there is no module aesalign_fine in {folder}: a copy is installed at" in found


def test_packages_lie_where_the_project_s_settings_say(folder: Path, changed: Changed) -> None:
    shutil.move(folder / "src", folder / "lib")
    assert "there is no module aesalign_fine" in said(check(str(folder)), "wrong")[0]
    assert [f.status for f in changed(PROJECT, "src/", "lib/")] == ["ok"]
    changed(PROJECT, "[tool.hatch.build.targets.wheel]\npackages", '[tool.setuptools]\npackage-dir = {"" = "lib"}\nx')
    assert [f.status for f in check(str(folder))] == ["ok"]


def test_an_editable_install_by_an_import_hook_is_followed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As setuptools makes it where `package-dir` gives a package's folder another name."""
    shutil.move(folder / "src/aesalign_fine", folder / "code")

    class Finder:
        @staticmethod
        def find_spec(name: str, path: object = None, target: object = None) -> ModuleSpec | None:
            if name != "aesalign_fine":
                return None
            spec = PathFinder.find_spec("code", [str(folder)])
            assert spec is not None
            return spec

    assert "there is no module aesalign_fine" in said(check(str(folder)), "wrong")[0]
    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path, Finder])
    assert [f.status for f in check(str(folder))] == ["ok"]
    assert "aesalign_fine" not in sys.modules
