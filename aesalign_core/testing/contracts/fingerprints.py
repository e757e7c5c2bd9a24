"""What fingerprints must keep: galleries and caches outlive the process that made them, and go by nothing else."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, ClassVar, Literal, get_args, get_origin

import numpy as np
import pytest
from numpy.typing import NDArray

from aesalign_core.build import Builder
from aesalign_core.errors import SettingsError
from aesalign_core.plugins import Registry, registry
from aesalign_core.recipe import Recipe, Use
from aesalign_core.settings import validate
from aesalign_core.testing.contracts.base import ComponentContract
from aesalign_core.testing.contracts.importing import run_python, value_of

_CHILD = """
import json, pathlib, sys
from importlib.metadata import EntryPoint
from aesalign_core import plugins
from aesalign_core.build import Builder
from aesalign_core.recipe import Recipe, Use
from aesalign_core.testing.contracts.fingerprints import stamps

if "aesalign-tiny/" in sys.argv[2]:  # the fixture `tiny_clip`: open_clip does not know it by itself
    from aesalign_core.testing import tiny_clip
    tiny_clip.add_arch(pathlib.Path(sys.argv[1]).parent)
given = json.loads(sys.argv[2])
points = given["points"]
found = plugins.load(points and [EntryPoint(name, value, plugins.GROUP) for name, value in points])
use = Use(use=given["component"], **given["settings"])
built = Builder(Recipe.model_validate(given["recipe"]), found=found).component(given["kind"], use)
pathlib.Path(sys.argv[1]).write_text(json.dumps(stamps(built)))
"""
_VISIBLE = 0.01
"""By which share of their spread answers must differ before it counts, unless the author says that they do: a number
format, or a batch's size, makes others of the last digits."""

Answers = Callable[[Any], Mapping[str, NDArray[np.generic]]]
"""A component's answers by the name of the fingerprint that vouches for them."""
Other = tuple[Mapping[str, Any], float, Any]
"""Settings, by which share of their spread answers must differ to be called others, and the component of these."""


def stamps(built: Any) -> dict[str, Any]:
    """The fingerprints of a component, by name: those of an encoder's spaces, or a reward's one."""
    return asdict(built.spaces) if hasattr(built, "spaces") else {"fingerprint": built.fingerprint}


class FingerprintContract(ComponentContract):
    """What holds for whatever has fingerprints.

    Attributes:
        other_settings: Settings that change what it answers, each an example: a fingerprint that stays keeps old
            scores in galleries. Numbers and choices are varied without being named. `({},)` if no setting does.
        rebuilds: Whether another process can build it from its settings and the recipe; False where a test's own
            fixtures replace parts of libraries, which another process has not.
    """

    other_settings: ClassVar[Sequence[Mapping[str, Any]]] = ()
    rebuilds: ClassVar[bool] = True

    @pytest.fixture
    def answers(self) -> Answers:
        """What of a component its fingerprints vouch for."""
        raise NotImplementedError

    def test_fingerprints_are_texts(self, built: Any) -> None:
        """They are kept as text beside what they vouch for."""
        for name, value in stamps(built).items():
            if value is None and name.endswith("_features"):
                continue  # of what it does not have
            assert isinstance(value, str), (
                f"{name} is {value!r:.80}, of the type {type(value).__name__}: make a text of it, by"
                " aesalign_core.fingerprints.fingerprint(name, version, *settings)"
            )
            assert value.strip(), f"{name} is empty: it must tell these weights and settings from others"

    def test_fingerprints_are_the_same_in_another_process(
        self, built: Any, settings: Mapping[str, Any], recipe: Recipe, plugins: Registry, tmp_path: Path
    ) -> None:
        """Of the same settings; what differs from process to process is `hash()`, and the order of sets."""
        if not self.rebuilds:
            return
        model = plugins.factory(self.kind, self.component).Settings
        plain = validate(model, settings, where=self.component).model_dump(mode="json", exclude_none=True)
        loaded = [] if plugins is registry() else plugins.manager.list_name_plugin()
        points = [(name, value) for name, plugin in loaded if plugin and (value := value_of(plugins, plugin))]
        given = {
            "points": points or None, "kind": self.kind, "component": self.component, "settings": plain,
            "recipe": recipe.model_dump(mode="json"),
        }  # fmt: skip
        answer = tmp_path / "fingerprints.json"
        seed = "2" if os.environ.get("PYTHONHASHSEED") == "1" else "1"
        done = run_python("-c", _CHILD, answer, json.dumps(given), PYTHONHASHSEED=seed)
        assert done.returncode == 0, (
            f"another process cannot build it from its settings: {done.stderr[-600:]}\nWhere only this test's"
            " fixtures are why, say so in the test class: rebuilds = False"
        )
        found = json.loads(answer.read_text())
        for name, value in stamps(built).items():
            assert found[name] == value, (
                f"{name} is {value!r} here and {found[name]!r} in another process: a gallery would be scored again by"
                " every command. Make it of weights, settings and a version number, by"
                " aesalign_core.fingerprints.fingerprint; hash(), id(), times and sets differ from process to process"
            )

    @pytest.fixture
    def others(self, settings: Mapping[str, Any], recipe: Recipe, plugins: Registry) -> list[Other]:
        """The component of other settings: of those named, and of those near its own."""
        near = list(self._near(plugins, settings))
        self._check_named(plugins, near)
        found = []
        for variant, share in [*((v, 0.0) for v in self.other_settings), *((v, _VISIBLE) for v in near)]:
            with suppress(*((Exception,) if share else ())):  # nobody said that these can be built
                use = Use(use=self.component, **{**settings, **variant})
                found.append((variant, share, Builder(recipe, found=plugins).component(self.kind, use)))
        return found

    def test_other_answers_have_another_fingerprint(self, built: Any, others: list[Other], answers: Answers) -> None:
        """Or a gallery keeps the scores of the old settings, and says nothing."""
        before, marks = answers(built), stamps(built)
        for variant, share, other in others:
            after, marked = answers(other), stamps(other)
            for name in before.keys() & after.keys():
                assert marked[name] != marks[name] or not _differ(before[name], after[name], share, self.tolerance), (
                    f"with {dict(variant)} it answers differently, but {name} stays {marks[name]!r}: galleries would"
                    " keep what was computed with the old settings. Every setting that decides an answer belongs into"
                    " fingerprint(…)"
                )

    def _check_named(self, plugins: Registry, near: Sequence[object]) -> None:
        """That settings which cannot be varied by themselves are named: for rewards, as those change most."""
        known = sorted(set(plugins.factory(self.kind, self.component).Settings.model_fields) - {"name"})
        assert self.kind != "reward" or self.other_settings or near or not known, (
            "name in `other_settings` settings that change the scores, such as"
            f' other_settings = ({{"{known[0]}": …}},), or ({{}},) if none does; there are: {known}'
        )

    def _near(self, plugins: Registry, settings: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
        """For each number and each choice among the settings another value that is accepted."""
        model = plugins.factory(self.kind, self.component).Settings
        given = validate(model, settings, where=self.component)
        for name, field in model.model_fields.items():
            for value in _others(getattr(given, name), field.annotation):
                with suppress(SettingsError):
                    validate(model, {**settings, name: value}, where=self.component)
                    yield {name: value}
                    break


def _others(value: object, annotation: Any) -> list[Any]:
    if isinstance(value, bool):
        return [not value]
    if isinstance(value, int):
        return [value // 2, value * 2, value + 1, value - 1]
    if isinstance(value, float):
        return [value / 2, value * 2, value + 0.5, value - 0.5] if value else [0.5, -0.5]
    return [choice for choice in _choices(annotation) if choice != value] if isinstance(value, str) else []


def _choices(annotation: Any) -> Iterator[Any]:
    if get_origin(annotation) is Literal:
        yield from get_args(annotation)
        return
    for part in get_args(annotation):
        yield from _choices(part)


def _differ(one: NDArray[np.generic], other: NDArray[np.generic], share: float, tolerance: float) -> bool:
    """Whether by more than a tolerance, or than a share of their spread."""
    if one.shape != other.shape:
        return True
    a, b = one.astype(np.float64), other.astype(np.float64)
    return not np.allclose(a, b, rtol=0, atol=max(tolerance, share * float(np.std(a))), equal_nan=True)
