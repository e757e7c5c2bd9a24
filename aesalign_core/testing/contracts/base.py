"""What every component must do, of whatever kind.

A contract is a class of tests. A plugin's author derives one for each component, names the component, and pytest runs
the rest:

    class TestSharpness(RewardContract):
        component = "sharpness"
        refused = ({"side": 0},)
"""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import pytest
import tomli_w

from aesalign_core.authoring.components import SUMMARY
from aesalign_core.authoring.heavy import HEAVY
from aesalign_core.build import Builder
from aesalign_core.errors import SettingsError
from aesalign_core.hookspecs import Kind
from aesalign_core.plugins import Registry, registry
from aesalign_core.recipe import Recipe, Use
from aesalign_core.settings import Settings, validate

_BUILDS = 3
_PROBE = """
import importlib, sys

def refuse(event, args):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.bind"):
        raise RuntimeError(f"{event} at import: {args[1:]}")

sys.addaudithook(refuse)
for name in sys.argv[2:]:
    importlib.import_module(name)
print(*sorted(set(sys.argv[1].split(",")) & set(sys.modules)))
"""

Make = Callable[[], Any]
"""Builds the component afresh, sharing nothing with one built before."""


class ComponentContract:
    """What holds for every component; the contract of each kind derives from it.

    Attributes:
        kind: Of component.
        component: Its name, as users type it.
        refused: Settings that must be refused, each for a reason of its own: an example per limit that there is.
        tolerance: By how much numbers may differ that must be equal: floating-point sums depend on a batch's size.
    """

    kind: ClassVar[Kind]
    component: ClassVar[str]
    refused: ClassVar[Sequence[Mapping[str, Any]]] = ()
    tolerance: ClassVar[float] = 1e-4

    @pytest.fixture
    def settings(self) -> Mapping[str, Any]:
        """The component's settings; override it where the defaults do not do, with any fixtures that you need."""
        return {}

    @pytest.fixture
    def recipe(self) -> Recipe:
        """What else the component may ask its context for; override it for another encoder, or other rewards."""
        return Recipe(device="cpu")

    @pytest.fixture
    def plugins(self) -> Registry:
        """Where the component is found: what is installed, unless you override it."""
        return registry()

    @pytest.fixture
    def make(self, settings: Mapping[str, Any], recipe: Recipe, plugins: Registry) -> Make:
        """Builds the component afresh, as a recipe does."""
        return lambda: Builder(recipe, found=plugins).component(self.kind, Use(use=self.component, **settings))

    @pytest.fixture
    def built(self, make: Make) -> Any:
        """The component."""
        return make()

    def exercise(self, built: Any) -> object:
        """Uses the component once, in a small way."""
        raise NotImplementedError

    # -- how it is offered

    def test_its_summary_is_one_line(self, plugins: Registry) -> None:
        """It is offered under its name, and says what it is."""
        summary = plugins.find(self.kind, self.component).component.summary
        assert summary.strip(), f"{self.component} has no summary, which `aesalign plugins` shows"
        assert summary.isprintable(), "a summary is one line"
        assert len(summary) <= SUMMARY, f"a summary has at most {SUMMARY} characters"

    def test_importing_it_is_light_and_reaches_no_network(self, plugins: Registry) -> None:
        """Plugins are listed, and recipes checked, at every start of `aesalign`."""
        offer = plugins.find(self.kind, self.component)
        plugin: Any = plugins.manager.get_plugin(offer.plugin)
        modules = [plugin.__name__, offer.component.factory.partition(":")[0]]
        done = subprocess.run(
            [sys.executable, "-c", _PROBE, ",".join(HEAVY), *modules],
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)},
        )
        assert done.returncode == 0, f"{' and '.join(modules)} cannot be imported alone: {done.stderr[-600:]}"
        heavy = done.stdout.split()
        assert not heavy, f"importing {' and '.join(modules)} imports {', '.join(heavy)}: import it where it is used"

    # -- its settings

    def test_an_unknown_setting_is_refused(self, plugins: Registry, settings: Mapping[str, Any]) -> None:
        """A misspelled key is an error, not a default."""
        model = plugins.factory(self.kind, self.component).Settings
        assert issubclass(model, Settings), "Settings must derive from aesalign_core.Settings"
        with pytest.raises(SettingsError, match="unknown key"):
            validate(model, {**settings, "no_such_setting": 1}, where=self.component)

    def test_unusable_settings_are_refused(self, plugins: Registry, settings: Mapping[str, Any]) -> None:
        """Before anything is built."""
        model = plugins.factory(self.kind, self.component).Settings
        known = sorted(model.model_fields)
        assert self.refused or not known, f"name in `refused` settings that must be refused; there are: {known}"
        for wrong in self.refused:
            with pytest.raises(SettingsError):
                pytest.fail(f"accepted: {wrong} as {validate(model, {**settings, **wrong}, where=self.component)!r}")

    def test_settings_survive_a_recipe(self, plugins: Registry, settings: Mapping[str, Any]) -> None:
        """A RUN keeps its recipe as TOML, and is built from it again."""
        import tomllib

        model = plugins.factory(self.kind, self.component).Settings
        given = validate(model, settings, where=self.component)
        plain = given.model_dump(mode="json", exclude_none=True)
        again = tomllib.loads(tomli_w.dumps(plain))
        assert validate(model, again, where=self.component) == given

    # -- what it holds

    def test_it_closes_what_it_opens(self, make: Make) -> None:
        """Built, used and dropped again and again, it leaves no file, socket or pipe open."""
        self.exercise(make())
        gc.collect()
        before = _open_files()
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always", ResourceWarning)
            for _ in range(_BUILDS):
                self.exercise(make())
                gc.collect()
        unclosed = [str(w.message) for w in said if issubclass(w.category, ResourceWarning)]
        assert not unclosed, f"left open: {unclosed[0]}"
        assert _open_files() < before + _BUILDS, "each use leaves a file, socket or pipe open"


def _open_files() -> int:
    """How many files, sockets and pipes this process holds; 0 where the system does not say."""
    folder = Path("/proc/self/fd")
    return len(list(folder.iterdir())) if folder.is_dir() else 0
