"""Whether methods take what they will be called with."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator

from aesalign_core.authoring.members import Members

_HARMLESS = frozenset({"abstractmethod", "override", "contextmanager", "inference_mode", "no_grad", "staticmethod"})
"""Decorators that leave what a method takes as it is."""


def initialiser(name: str, found: Members) -> str:
    """Why a component cannot be made by `Class(settings, context)`; empty if it can, or nobody can tell."""
    if "__init__" not in found.nodes:
        known = not found.plain or "__new__" in found.nodes
        return "" if known else f"{name} has no __init__, but is made with (settings, context)"
    _, node = found.nodes["__init__"]
    problem = _refuses(node, ["settings", "context"], set())
    return f"{name}.__init__ {problem}" if problem else ""


def methods(name: str, found: Members, protocol: type) -> Iterator[str]:
    """What is wrong with a class's methods, as calls of a protocol's would find."""
    for method, function in inspect.getmembers(protocol, inspect.isfunction):
        if method not in found.nodes or (method.startswith("_") and method != "__call__"):
            continue
        given = list(inspect.signature(function).parameters.values())[1:]
        positional = [p.name for p in given if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
        by_name = {p.name for p in given if p.kind is p.KEYWORD_ONLY}
        if problem := _refuses(found.nodes[method][1], positional, by_name):
            yield f"{name}.{method} {problem}"


def _refuses(node: ast.AST, positional: list[str], by_name: set[str]) -> str:
    """Why a call of a method fails; empty if it does not, or only running the module shows what it takes."""
    if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        return ""
    decorators = {ast.unparse(d).partition("(")[0].rpartition(".")[2] for d in node.decorator_list}
    if decorators - _HARMLESS:
        return ""
    arguments = node.args
    placed = [a.arg for a in (*arguments.posonlyargs, *arguments.args)]
    if "staticmethod" not in decorators:
        if not placed and not arguments.vararg:
            return "does not take self"
        placed = placed[1:]
    called = f"({', '.join([*positional, *(f'{one}=' for one in sorted(by_name))])})"
    if len(placed) < len(positional) and not arguments.vararg:
        return f"takes ({', '.join(placed)}), but is called with {called}"
    by_keyword = {a.arg for a in arguments.kwonlyargs}
    if not arguments.kwarg and (lacking := sorted(by_name - by_keyword - set(placed[len(positional) :]))):
        return f"does not take {lacking[0]}=, but is called with {called}"
    needed = set(placed[len(positional) : max(0, len(placed) - len(arguments.defaults))])
    needed |= {a.arg for a, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True) if not default}
    if strange := sorted(needed - by_name):
        return f"asks for {strange[0]}, but is called with {called}"
    return ""
