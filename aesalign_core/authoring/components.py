"""Whether a component is what its kind must be, by its source."""

from __future__ import annotations

import ast
from typing import Literal

from aesalign_core.authoring import signatures
from aesalign_core.authoring.members import Members, ancestors, members
from aesalign_core.authoring.source import SourceError, Sources
from aesalign_core.hookspecs import Kind
from aesalign_core.messages import nearest
from aesalign_core.plugins import is_component_name, is_factory_path
from aesalign_core.protocols.kinds import OF_KIND, required

SUMMARY = 100
"""Most characters of a summary: `aesalign plugins` shows it in one line."""
_SETTINGS = frozenset({"aesalign_core.Settings", "aesalign_core.settings.Settings"})

Judged = tuple[Literal["ok", "wrong", "unknown"], str]


def judge(kind: Kind, sources: Sources, *, name: str, factory: str, summary: str = "") -> Judged:
    """What is to be said of a component: `ok`, `wrong` or `unknown`, and why.

    Args:
        kind: Of component.
        sources: Where its module is looked for.
        name: As users type it.
        factory: Its import path.
        summary: Its line.
    """
    if not is_component_name(name):
        return "wrong", f"{name!r} is no component name (lower-case letters, digits, _ -)"
    if not is_factory_path(factory):
        return "wrong", f"{factory!r} is no factory path (package.module:Class)"
    if not summary.strip() or not summary.isprintable() or len(summary) > SUMMARY:
        return "wrong", f"its summary is not one line of at most {SUMMARY} characters"
    module, _, attribute = factory.partition(":")
    try:
        source = sources.read(module)
    except SourceError as error:
        return "wrong", str(error)
    if attribute not in source.names():
        return "wrong", f"{module} has no {attribute}; {nearest(attribute, list(source.classes()))}"
    try:
        found = members(sources, source, attribute)
    except SourceError as error:
        return "unknown", f"it, or what it inherits, cannot be read: {error}"
    problem = _problem(kind, sources, attribute, found)
    return ("wrong", problem) if problem else ("ok", "")


def _problem(kind: Kind, sources: Sources, name: str, found: Members) -> str:
    if "Settings" not in found.nodes:
        return f"{name} has no Settings"
    protocol, lacking = min(
        ((p, sorted(required(p) - set(found.nodes))) for p in OF_KIND[kind]), key=lambda one: len(one[1])
    )
    if lacking and "__getattr__" not in found.nodes:
        return f"{name} is no {kind}: it lacks {', '.join(lacking)}"
    return (
        _settings(sources, name, found)
        or signatures.initialiser(name, found)
        or next(signatures.methods(name, found, protocol), "")
    )


def _settings(sources: Sources, name: str, found: Members) -> str:
    """What is wrong with a component's `Settings`; empty if nothing, or it is made as the module runs."""
    source, node = found.nodes["Settings"]
    if isinstance(node, ast.ClassDef):
        above = [one for base in node.bases for one in ancestors(sources, source, ast.unparse(base))]
    elif isinstance(node, ast.Name | ast.Attribute):
        above = list(ancestors(sources, source, ast.unparse(node)))
    else:
        return "" if not isinstance(node, ast.Constant | ast.Dict | ast.List) else f"{name}.Settings is no class"
    if set(above) & _SETTINGS or any(one.endswith("?") and not one.startswith("pydantic.") for one in above):
        return ""
    return f"{name}.Settings does not derive from aesalign_core.Settings, so an unknown key would be no error"
