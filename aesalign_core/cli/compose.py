"""From flags to a validated recipe and its builder."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aesalign_core.errors import RecipeError, SettingsError
from aesalign_core.messages import nearest

if TYPE_CHECKING:
    from aesalign_core.build import Builder
    from aesalign_core.gallery import Gallery
    from aesalign_core.protocols import Encoder
    from aesalign_core.types import Strategy


def builder(
    *,
    recipe: Path | None,
    overrides: Sequence[str] | None = None,
    device: str | None = None,
    encoder: str | None = None,
    rephraser: str | None = None,
    rewards: Sequence[str] | None = None,
    objective: str | None = None,
    judge: str | None = None,
) -> Builder:
    """A builder of the recipe that the flags describe; flags override the recipe file.

    Raises:
        SettingsError: Anything in the recipe or the flags is wrong. Nothing was built.
    """
    from aesalign_core import recipe as recipes
    from aesalign_core.build import Builder

    values = recipes.load(recipe).model_dump(mode="json", exclude_unset=True) if recipe else {}
    if device:
        values["device"] = device
    chosen = {"encoder": encoder, "rephraser": rephraser, "objective": objective, "judge": judge}
    for key, name in chosen.items():
        if name and name != values.get(key, {}).get("use"):
            values[key] = {"use": name}
    if rewards:
        known = {entry["use"]: entry for entry in values.get("rewards", [])}
        values["rewards"] = [known.get(name, {"use": name}) for name in rewards]
    for override in overrides or ():
        _apply(values, override)
    where = str(recipe) if recipe else "flags"
    parsed = recipes.parse(values, where=where)
    recipes.check(parsed, where=where)
    return Builder(parsed)


def _apply(values: dict[str, Any], override: str) -> None:
    """Sets one dotted key; a number is a position in a list. `rewards.name=x` would be ambiguous and is refused."""
    from aesalign_core.recipe import Recipe

    key, equals, text = override.partition("=")
    parts = key.strip().split(".")
    if not equals or not all(parts):
        raise SettingsError(f"--set {override!r} is not KEY=VALUE", hint="for example --set align.steps=100")
    target: Any = values
    defaults: Any = Recipe().model_dump(mode="json", exclude_none=True)
    try:
        for part in parts[:-1]:
            target, defaults = _descend(target, defaults, part)
        if isinstance(target, list):
            target[int(parts[-1])] = _value(text)
        else:
            target[parts[-1]] = _value(text)
    except (ValueError, IndexError, TypeError, KeyError):
        raise RecipeError(
            f"--set {key}: no such place in a recipe", hint="tables are encoder, rewards.0, pairs, align, …"
        ) from None


def _descend(target: Any, defaults: Any, part: str) -> tuple[Any, Any]:
    if isinstance(target, list):
        return target[int(part)], {}
    default = defaults.get(part, {}) if isinstance(defaults, dict) else {}
    if part not in target:
        target[part] = default if isinstance(default, list) else {k: v for k, v in default.items() if k == "use"}
    return target[part], default


def _value(text: str) -> Any:
    """A TOML value where it is one (numbers, booleans, lists, quoted strings), else the text itself."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def encoder_of(gallery: Gallery, build: Builder, *, chosen: bool) -> Encoder:
    """The encoder that the user chose, else the one that filled the gallery."""
    return build.encoder() if chosen else build.encoder(gallery.encoder_name)


def at_strength(encoder: str | None, strength: float | None) -> str | None:
    """The name of a RUN at a strength.

    Raises:
        SettingsError: There is a strength, and `encoder` is no RUN folder, or already has one.
    """
    if strength is None:
        return encoder
    from aesalign_core.encoder_names import run_name

    if encoder and not Path(encoder).is_dir() and Path(encoder.rpartition("@")[0]).is_dir() and "@" in encoder:
        raise SettingsError(f"{encoder} and --strength both say a strength", hint="leave one of them out")
    if not encoder or not Path(encoder).is_dir():
        raise SettingsError("--strength belongs to a RUN folder", hint="add --encoder RUN, from aesalign align")
    return run_name(Path(encoder), strength)


def describe_encoder(encoder: Encoder) -> str:
    """Name, device and, where the encoder has one, precision: what was chosen, for people to see."""
    precision = getattr(encoder, "precision", None)
    return f"{encoder.name} on {encoder.device}" + (f", {precision}" if precision else "")


def strategy(name: str | None, default: Strategy) -> Strategy:
    """A strategy by name.

    Raises:
        SettingsError: There is none of this name; the error names the nearest.
    """
    from aesalign_core.types import STRATEGIES

    if name is None:
        return default
    for known in STRATEGIES:
        if known == name:
            return known
    raise SettingsError(f"no strategy is named {name!r}", hint=nearest(name, STRATEGIES))
