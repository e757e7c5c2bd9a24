"""What every component must do, of whatever kind.

A contract is a class of tests. A plugin's author derives one for each component, names the component, and pytest runs
the rest:

    class TestSharpness(RewardContract):
        component = "sharpness"
        refused = ({"side": 0},)
"""

from __future__ import annotations

import gc
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import pytest
import tomli_w

from aesalign_core.authoring.components import SUMMARY
from aesalign_core.build import Builder
from aesalign_core.errors import AesalignError, SettingsError
from aesalign_core.hookspecs import Kind
from aesalign_core.plugins import Registry, registry
from aesalign_core.recipe import Recipe, Use
from aesalign_core.settings import Settings, validate
from aesalign_core.testing.contracts.importing import imported, modules_of
from aesalign_core.testing.contracts.leftovers import grown, held
from aesalign_core.testing.contracts.network import no_network
from aesalign_core.testing.contracts.randomness import seeded_by

_BUILDS = 3

Make = Callable[[], Any]
"""Builds the component afresh, sharing nothing with one built before."""


@contextmanager
def refuses(problem: str, error: type[Exception] = AesalignError) -> Iterator[None]:
    """What is done inside must raise such an error; `problem` says what is wrong if it does not."""
    try:
        yield
    except error:
        return
    pytest.fail(problem)


class ComponentContract:
    """What holds for every component; the contract of each kind derives from it.

    Attributes:
        kind: Of component.
        component: Its name, as users type it.
        refused: Settings that must be refused, each for a reason of its own: an example per limit that there is.
        tolerance: By how much numbers may differ that must be equal: floating-point sums depend on a batch's size.
        network: Whether it may reach the network as it is built and used, as what asks a model by HTTP must.
    """

    kind: ClassVar[Kind]
    component: ClassVar[str]
    refused: ClassVar[Sequence[Mapping[str, Any]]] = ()
    tolerance: ClassVar[float] = 1e-4
    network: ClassVar[bool] = False

    @pytest.fixture(autouse=True)
    def named(self) -> None:
        """Nothing can be tested of a component without a name."""
        if not getattr(self, "component", ""):
            name = type(self).__name__
            pytest.fail(f'{name} names no component: write component = "NAME" in its body', pytrace=False)

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

    def test_importing_it_is_light_and_reaches_no_network(self, plugins: Registry, tmp_path: Path) -> None:
        """Plugins are listed, and recipes checked, at every start of `aesalign`."""
        modules = modules_of(plugins, plugins.find(self.kind, self.component))
        found, names = imported(modules, tmp_path), " and ".join(modules)
        assert not found.attempts, (
            f"importing {names} reaches the network ({found.attempts[0]}): do that where it is used, and not even"
            " then without need"
        )
        assert not found.failure, f"{names} cannot be imported alone: {found.failure}"
        assert not found.printed, (
            f"importing {names} prints {found.printed[:80]!r} on stdout, where the answers of --json go: print"
            " nothing"
        )
        assert not found.heavy, (
            f"importing {names} imports {', '.join(found.heavy)}: import it where it is used, inside of the function"
        )

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

    # -- what it does to the process that it is in

    def test_it_reaches_no_network(self, make: Make) -> None:
        """Not as it is built, nor as it is used, unless the test class says `network = True`."""
        if self.network:
            return
        with no_network() as attempts:
            try:
                self.exercise(make())
            except Exception:
                if not attempts:
                    raise
        self.check_offline(attempts)

    def check_offline(self, attempts: Sequence[str]) -> None:
        """Nothing was tried, as `no_network` tells."""
        assert not attempts, (
            f"it reaches the network as it is built or used ({attempts[0]}): bring along what it needs, or fetch it"
            " before. If asking a server is what it is for, say so in the test class: network = True"
        )

    def test_it_prints_nothing(self, make: Make, capfd: pytest.CaptureFixture[str]) -> None:
        """Stdout is for the answers of a command, which other programs read as JSON."""
        capfd.readouterr()
        self.exercise(make())
        self.check_silence(capfd)

    def check_silence(self, capfd: pytest.CaptureFixture[str]) -> None:
        """Nothing has come on stdout since it was last read."""
        printed = capfd.readouterr().out
        assert not printed, (
            f"it prints {printed[:80]!r} on stdout, where the answers of --json go: use context.warn(message) for"
            " what users must know, and leave the rest out"
        )

    def test_it_seeds_nothing_that_others_draw_from(self, make: Make) -> None:
        """Samples and training are repeatable by the global generators, which are theirs to seed."""
        self.exercise(make())  # what it imports only now is imported
        seeded = seeded_by(lambda: self.exercise(make()))
        assert not seeded, (
            f"it seeds {' and '.join(seeded)} for the whole process: draw from a generator of your own, such as"
            " numpy.random.default_rng(seed) or torch.Generator().manual_seed(seed)"
        )

    def test_it_leaves_no_file_in_the_working_folder(
        self, make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Which is the user's; what is to be kept has its place in the cache folder, or in a setting."""
        folder = tmp_path / "working-folder"
        folder.mkdir()
        with monkeypatch.context() as there:
            there.chdir(folder)
            self.exercise(make())
        left = sorted(path.name for path in folder.iterdir())
        assert not left, f"it leaves {', '.join(left)} in the working folder: keep it in memory, or in a cache folder"

    def test_it_closes_what_it_opens(self, make: Make) -> None:
        """Built, used and dropped again and again, it leaves nothing open and nothing running."""
        self.exercise(make())
        gc.collect()
        before = held()
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always", ResourceWarning)
            for _ in range(_BUILDS):
                self.exercise(make())
                gc.collect()
        unclosed = [str(w.message) for w in said if issubclass(w.category, ResourceWarning)]
        assert not unclosed, f"left open: {unclosed[0]}"
        left = grown(before, _BUILDS)
        assert not left, f"each use leaves a {' and a '.join(left)}: end it, with `with`, or keep one for all uses"
