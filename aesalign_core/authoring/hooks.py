"""Whether the functions of a plugin module are hooks that somebody calls, and give what is asked for."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator, Sequence

from aesalign_core import hookspecs
from aesalign_core.authoring.source import Function, Source
from aesalign_core.hookspecs import KINDS, Kind
from aesalign_core.messages import nearest

HOOKS = {name: f for name, f in inspect.getmembers(hookspecs, inspect.isfunction) if name.startswith("aesalign_")}


def of_module(source: Source) -> dict[str, Function]:
    """Its functions that are hooks, or mean to be."""
    return {name: f for name, f in source.functions().items() if name.startswith("aesalign_") or _is_hook(f)}


def kind_of(name: str) -> Kind | None:
    """Of which kind a hook returns components; None: of none."""
    return next((kind for kind in KINDS if name == f"aesalign_{kind}s"), None)


def is_component(node: ast.AST) -> bool:
    """Whether it is a call `Component(…)`."""
    return isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] == "Component"


def problem(name: str, function: Function) -> str:
    """What is wrong with a hook; empty if nothing."""
    if name not in HOOKS:
        return f"there is no such hook; {nearest(name, list(HOOKS))}"
    if not _is_hook(function):
        return "it is not marked @aesalign_core.hookimpl, so nobody calls it"
    if isinstance(function, ast.AsyncFunctionDef):
        return "it is async, and nobody awaits it"
    known = set(inspect.signature(HOOKS[name]).parameters)
    strange = [a.arg for a in (*function.args.args, *function.args.kwonlyargs) if a.arg not in known]
    if strange:
        return f"the hook has no argument {strange[0]!r}; {nearest(strange[0], sorted(known))}"
    return _answer(function) if kind_of(name) else ""


def _is_hook(function: Function) -> bool:
    return any("hookimpl" in ast.unparse(decorator) for decorator in function.decorator_list)


def _answer(function: Function) -> str:
    """What is wrong with the components that a hook returns, as far as it can be seen."""
    inside = list(_statements(function.body))
    if any(isinstance(node, ast.Yield | ast.YieldFrom) for node in inside):
        return ""  # it gives them one by one, or wraps other plugins' hooks
    raises = any(isinstance(node, ast.Raise) for node in inside)
    answers = [node.value for node in inside if isinstance(node, ast.Return) and node.value is not None]
    if not answers:
        return "" if raises else "it returns nothing; it should return a list of Component(…)"
    assigned: dict[str, list[ast.expr]] = {}
    for node in (one for one in inside if isinstance(one, ast.Assign)):
        for target in node.targets:
            assigned.setdefault(ast.unparse(target), []).append(node.value)
    for answer in answers:
        values = assigned.get(answer.id, []) if isinstance(answer, ast.Name) else [answer]
        if len(values) == 1 and (said := _is_not_list(values[0])):
            return f"it returns {said}; it should return a list of Component(…)"
    return ""


def _is_not_list(value: ast.expr) -> str:
    if is_component(value):
        return "one Component and no list"
    if isinstance(value, ast.Constant | ast.JoinedStr | ast.Dict | ast.Lambda):
        return ast.unparse(value)[:40]
    for one in value.elts if isinstance(value, ast.List | ast.Tuple) else ():
        if isinstance(one, ast.Constant | ast.JoinedStr | ast.Dict | ast.List | ast.Tuple):
            return f"a list of {ast.unparse(one)[:40]}"
    return ""


def _statements(body: Sequence[ast.AST]) -> Iterator[ast.AST]:
    """All nodes, but not those of functions within."""
    for node in body:
        yield node
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef):
            yield from _statements(list(ast.iter_child_nodes(node)))
