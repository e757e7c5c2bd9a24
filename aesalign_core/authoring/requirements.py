"""Which distributions a package says that it needs, and which it uses."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.metadata import packages_distributions
from typing import Any

from aesalign_core.authoring import bundled
from aesalign_core.authoring.imports import Import

_REQUIREMENT = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)")


def normal(name: str) -> str:
    """A distribution's name as indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def named(requirements: Iterable[str]) -> frozenset[str]:
    """The distributions of requirements such as `numpy>=2; python_version < "3.13"`."""
    found = (_REQUIREMENT.match(one) for one in requirements)
    return frozenset(normal(one[1]) for one in found if one)


def of_project(project: Mapping[str, Any]) -> frozenset[str] | None:
    """What a `[project]` table declares, extras included; None: it is computed when the package is built."""
    if {"dependencies", "optional-dependencies"} & set(project.get("dynamic", ())):
        return None
    extras = [one for each in project.get("optional-dependencies", {}).values() for one in each]
    return named([*project.get("dependencies", ()), *extras])


def undeclared(used: Iterable[Import], declared: frozenset[str], own: Iterable[str]) -> dict[str, list[str]]:
    """Installed distributions that are imported and not declared: each with the modules that import it.

    Args:
        used: Imports; those that are guarded are of what the package can do without.
        declared: By `named` or `of_project`.
        own: Distributions that need no declaration: the package itself.
    """
    known = declared | {normal(name) for name in own}
    found: dict[str, list[str]] = {}
    for one in used:
        offering = {normal(name) for name in _offering(one.top)}
        if offering and not one.guarded and not offering & known:
            modules = found.setdefault(min(offering), [])
            modules += [one.by] if one.by not in modules else []
    return found


def _offering(top: str) -> list[str]:
    if top in sys.stdlib_module_names:
        return []
    if top in bundled.packages():
        return [bundled.DISTRIBUTION]
    return list(_distributions().get(top, ()))


@cache
def _distributions() -> Mapping[str, list[str]]:
    """Of each importable package; reads the metadata of all that is installed, so once."""
    return packages_distributions()
