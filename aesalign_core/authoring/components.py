"""Whether a component is what its kind must be, by its source."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from typing import Literal

from aesalign_core.authoring.heavy import HEAVY
from aesalign_core.authoring.source import Source, SourceError, read
from aesalign_core.hookspecs import Kind
from aesalign_core.messages import nearest
from aesalign_core.plugins import is_component_name, is_factory_path
from aesalign_core.protocols.kinds import OF_KIND, required

SUMMARY = 100
"""Most characters of a summary: `aesalign plugins` shows it in one line."""
_NOTHING = frozenset({"object", "Protocol", "Generic", "ABC"})
_DEPTH = 20

Judged = tuple[Literal["ok", "wrong", "unknown"], str]


def judge(kind: Kind, path: Sequence[str], *, name: str, factory: str, summary: str = "") -> Judged:
    """What is to be said of a component: `ok`, `wrong` or `unknown`, and why.

    Args:
        kind: Of component.
        path: Where its module is looked for.
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
        source = read(module, path)
    except SourceError as error:
        return "wrong", str(error)
    if attribute not in source.names():
        return "wrong", f"{module} has no {attribute}; {nearest(attribute, list(source.classes()))}"
    if heavy := sorted(source.imported() & set(HEAVY)):
        return "wrong", f"{module} imports {', '.join(heavy)} at its top: checking a recipe would wait for it"
    try:
        bound = _bound(source, attribute, path)
    except SourceError as error:
        return "unknown", f"it, or what it inherits, cannot be read: {error}"
    return _has_all(kind, attribute, bound)


def _has_all(kind: Kind, name: str, bound: set[str]) -> Judged:
    if "Settings" not in bound:
        return "wrong", f"{name} has no Settings"
    lacking = sorted((sorted(required(protocol) - bound) for protocol in OF_KIND[kind]), key=len)
    if lacking[0]:
        return "wrong", f"{name} is no {kind}: it lacks {', '.join(lacking[0])}"
    return "ok", ""


def _bound(source: Source, name: str, path: Sequence[str], depth: int = 0) -> set[str]:
    """What a class and those that it inherits from have: names of their bodies, and what methods set on `self`.

    Raises:
        SourceError: One of them is out of reach.
    """
    if depth > _DEPTH:
        raise SourceError(f"{name} inherits from itself")
    if name in source.classes():
        made = source.classes()[name]
        found = _own(made)
        for base in made.bases:
            inherited = ast.unparse(base).partition("[")[0]
            if inherited.rpartition(".")[2] not in _NOTHING:
                found |= _bound(source, inherited, path, depth + 1)
        return found
    if name in (origins := source.origins()):
        module, original = origins[name]
        return _bound(read(module, path), original, path, depth + 1)
    raise SourceError(f"{source.name} makes {name} as it runs")


def _own(made: ast.ClassDef) -> set[str]:
    found: set[str] = set()
    for node in made.body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            found.add(node.name)
        elif isinstance(node, ast.Assign):
            found |= {t.id for t in node.targets if isinstance(t, ast.Name)}
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            found.add(node.target.id)
    stored = [n for n in ast.walk(made) if isinstance(n, ast.Attribute) and isinstance(n.ctx, ast.Store)]
    return found | {attribute.attr for attribute in stored if ast.unparse(attribute.value) == "self"}
