"""Recipes: TOML that names the components and their settings, validated whole before anything is built.

Example:
    ```toml
    device = "auto"

    [encoder]
    use = "embedded"

    [rephraser]
    use = "litellm"
    model = "openai/gpt-4o-mini"

    [[rewards]]
    use = "embedded"

    [pairs]
    rows = 5
    columns = 5

    [align]
    tune = "text"
    ```

Each component table has `use`, the component's name; every other key is one of that component's settings.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import tomli_w
from pydantic import BaseModel, ConfigDict

from aesalign_core.alignment.settings import AlignSettings
from aesalign_core.encoder_names import MODEL_PREFIX, is_model_spec, run_of
from aesalign_core.errors import RecipeError, SettingsError
from aesalign_core.hookspecs import Kind
from aesalign_core.plugins import Registry, registry
from aesalign_core.preferences.settings import PairSettings
from aesalign_core.settings import Settings, validate

MAX_BYTES = 1_000_000


class Use(BaseModel):
    """A component and its settings, as a recipe names them."""

    model_config = ConfigDict(extra="allow", frozen=True)
    use: str

    @property
    def settings(self) -> dict[str, Any]:
        """Every key but `use`."""
        return dict(self.model_extra or {})


class Recipe(Settings):
    """What to compose. Every field has a default that works with no network and no key."""

    device: str = "auto"
    encoder: Use = Use(use="embedded")
    rephraser: Use = Use(use="template")
    rewards: tuple[Use, ...] = (Use(use="embedded"),)
    retriever: Use = Use(use="lancedb")
    objective: Use = Use(use="reward_distillation")
    judge: Use = Use(use="reward")
    pairs: PairSettings = PairSettings()
    align: AlignSettings = AlignSettings()

    def uses(self) -> Iterator[tuple[Kind, str, Use]]:
        """Every component entry: its kind, where it stands, and what it says."""
        yield "encoder", "[encoder]", self.encoder
        yield "rephraser", "[rephraser]", self.rephraser
        for position, use in enumerate(self.rewards):
            yield "reward", f"[[rewards]] {position + 1}", use
        yield "retriever", "[retriever]", self.retriever
        yield "objective", "[objective]", self.objective
        yield "judge", "[judge]", self.judge


def parse(values: Mapping[str, Any], *, where: str) -> Recipe:
    """Checks a recipe's own keys, not yet its components' settings."""
    if isinstance(values.get("pairs"), Mapping):
        validate(PairSettings, values["pairs"], where=f"{where}: [pairs]")
    if isinstance(values.get("align"), Mapping):
        validate(AlignSettings, values["align"], where=f"{where}: [align]")
    return validate(Recipe, values, where=where)


def check(recipe: Recipe, *, where: str, found: Registry | None = None) -> None:
    """Validates the settings of every component that a recipe names itself, building none.

    Defaults are left alone: a default of a plugin that is disabled is no error until it is needed.

    Raises:
        RecipeError: A component is unknown, or a setting of it is wrong.
    """
    plugins = found or registry()
    for kind, place, use in recipe.uses():
        if place.strip("[]").partition("]")[0] not in recipe.model_fields_set:
            continue
        _check_use(kind, use, recipe, plugins, where=f"{where}: {place}")


def _check_use(kind: Kind, use: Use, recipe: Recipe, plugins: Registry, *, where: str) -> None:
    """Validates one component's settings and those of the components that they name in turn.

    Settings that name others say so by a method `uses() -> Iterable[tuple[Kind, Use]]`.
    """
    component = use.use
    if kind == "encoder" and is_model_spec(use.use):
        if run_of(use.use):
            return
        component = MODEL_PREFIX.rstrip(":")
    factory = plugins.factory(kind, component)
    try:
        settings = validate(factory.Settings, use.settings, where=f"{where} {use.use}")
    except SettingsError as error:
        raise RecipeError(error.args[0], hint=error.hint) from None
    for inner_kind, inner in getattr(settings, "uses", tuple)():
        # A reward named without settings is the recipe's entry of that name, which is checked in its own place.
        is_entry = inner_kind == "reward" and not inner.settings and any(u.use == inner.use for u in recipe.rewards)
        if not is_entry:
            _check_use(inner_kind, inner, recipe, plugins, where=f"{where} {use.use}:")


def load(path: Path, *, found: Registry | None = None) -> Recipe:
    """Reads a recipe and validates all of it.

    Raises:
        RecipeError: Not readable, not TOML, or anything in it is wrong.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise RecipeError(f"{path} is larger than a recipe can be ({MAX_BYTES} bytes)")
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise RecipeError(f"cannot read the recipe {path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RecipeError(f"{path} is not valid TOML: {error}") from None
    try:
        recipe = parse(values, where=str(path))
    except SettingsError as error:
        raise RecipeError(error.args[0], hint=error.hint) from None
    check(recipe, where=str(path), found=found)
    return recipe


def dumps(recipe: Recipe) -> str:
    """A recipe as TOML, as a RUN keeps it. Holds no secrets: settings never contain keys."""
    return tomli_w.dumps(recipe.model_dump(mode="json", exclude_none=True))
