"""Validating settings, with errors that name the nearest known key."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from aesalign_core.errors import SettingsError
from aesalign_core.messages import nearest


class Settings(BaseModel):
    """Base of every settings model: immutable, and an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class NoSettings(Settings):
    """For components that have none."""


M = TypeVar("M", bound=BaseModel)


def validate(model: type[M], values: Mapping[str, Any], *, where: str) -> M:
    """Builds a settings model.

    Args:
        model: The pydantic model.
        values: What the user gave.
        where: How to name the place in an error, such as `[encoder]`.

    Raises:
        SettingsError: The first thing wrong, in one line; an unknown key comes with the nearest known one.
    """
    try:
        return model.model_validate(dict(values))
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        key = ".".join(str(part) for part in first["loc"])
        if first["type"] == "extra_forbidden":
            raise SettingsError(
                f"{where}: unknown key {key!r}", hint=nearest(key, list(model.model_fields))
            ) from None
        if first["type"] == "missing":
            raise SettingsError(f"{where}: {key} is missing", hint=_where_to_set(key, where)) from None
        said = first["msg"].removeprefix("Value error, ")
        problem = f"{where}: {key}: {said}" if key else f"{where}: {said}"
        if not key:  # it is of several settings together, and repeating all of them would say nothing
            raise SettingsError(problem) from None
        if model.model_config.get("hide_input_in_errors"):
            raise SettingsError(problem) from None
        given = repr(first["input"])
        given = given if len(given) <= 60 else given[:57] + "..."
        raise SettingsError(f"{problem}, not {given}") from None


def _where_to_set(key: str, where: str) -> str:
    """A hint for a key that is missing from the table that `where` names: `[judge] litellm`, `judge litellm`."""
    found = re.search(r"\[(\w+)\]|^(\w+) \w", where)
    by_flag = f", or by --set {found[1] or found[2]}.{key}=VALUE" if found else ""
    return f"set it in the recipe{by_flag}"
