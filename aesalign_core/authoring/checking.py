"""What is wrong with a plugin package, by reading it. Nothing of it is imported or run."""

from __future__ import annotations

import ast
import inspect
import re
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Literal

from aesalign_core import hookspecs
from aesalign_core.authoring import components
from aesalign_core.authoring.heavy import HEAVY
from aesalign_core.authoring.source import SourceError, read
from aesalign_core.errors import PluginError
from aesalign_core.hookspecs import KINDS, Kind
from aesalign_core.messages import nearest
from aesalign_core.plugins import GROUP

HOOKS = {name: f for name, f in inspect.getmembers(hookspecs, inspect.isfunction) if name.startswith("aesalign_")}


@dataclass(frozen=True, slots=True)
class Target:
    """A plugin to check.

    Attributes:
        plugin: The entry point's name.
        module: What it names.
        package: The distribution.
        path: Where its modules are looked for.
    """

    plugin: str
    module: str
    package: str
    path: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found of one plugin, hook or component.

    Attributes:
        package: The distribution.
        what: Such as `reward sharpness`, `hook aesalign_reward`, `plugin sharpness`.
        status: `ok`; `wrong`; `unknown`: it cannot be read without running it.
        detail: In one line.
    """

    package: str
    what: str
    status: Literal["ok", "wrong", "unknown"]
    detail: str

    def as_dict(self) -> dict[str, Any]:
        """The record as plain JSON types."""
        return asdict(self)


def check(package: str | None = None) -> list[Finding]:
    """Checks a plugin package, or every one that is installed.

    Args:
        package: A distribution that is installed, or a folder with a `pyproject.toml`; None: all installed ones.

    Raises:
        PluginError: It is neither, or offers no plugin.
    """
    folder = Path(package) if package else None
    targets = _in_folder(folder) if folder and (folder / "pyproject.toml").is_file() else _installed(package)
    return [finding for target in targets for finding in _findings(target)]


def _installed(package: str | None) -> list[Target]:
    points = [(p, p.dist.name) for p in entry_points(group=GROUP) if p.dist]
    wanted = _normal(package) if package else None
    found = [(p, name) for p, name in points if wanted in (None, _normal(name))]
    if not found:
        hint = nearest(package or "", [name for _, name in points])
        raise PluginError(
            f"no installed package {package!r} offers a plugin, and no folder of that name holds a pyproject.toml",
            hint=hint,
        )
    return [Target(p.name, p.module, name, tuple(sys.path)) for p, name in sorted(found, key=lambda f: f[0].name)]


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _in_folder(folder: Path) -> list[Target]:
    try:
        project = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8")).get("project", {})
        points = {str(name): str(value) for name, value in project.get("entry-points", {}).get(GROUP, {}).items()}
    except (OSError, ValueError, AttributeError) as error:
        raise PluginError(f"cannot read {folder / 'pyproject.toml'}: {error}") from None
    if not points:
        raise PluginError(
            f"{folder / 'pyproject.toml'} names no plugin", hint=f"add a table [project.entry-points.{GROUP}]"
        )
    path = (str(folder / "src"), str(folder), *sys.path)
    name = str(project.get("name", folder.name))
    return [Target(plugin, module.partition(":")[0], name, path) for plugin, module in sorted(points.items())]


def _findings(target: Target) -> Iterator[Finding]:
    try:
        source = read(target.module, target.path)
    except SourceError as error:
        yield Finding(target.package, f"plugin {target.plugin}", "wrong", str(error))
        return
    if heavy := sorted(source.imported() & set(HEAVY)):
        detail = f"{target.module} imports {', '.join(heavy)}, which every start of aesalign would wait for"
        yield Finding(target.package, f"plugin {target.plugin}", "wrong", detail)
    hooks = {name: f for name, f in source.functions().items() if name.startswith("aesalign_") or _is_hook(f)}
    if not hooks:
        yield Finding(target.package, f"plugin {target.plugin}", "wrong", f"{target.module} implements no hook")
    for name, function in hooks.items():
        problem = _hook_problem(name, function)
        if problem:
            yield Finding(target.package, f"hook {name}", "wrong", problem)
        kind = next((k for k in KINDS if name == f"aesalign_{k}s"), None)
        if kind:
            yield from _components(target, kind, function)
        elif not problem:
            yield Finding(target.package, f"hook {name}", "ok", "")


def _is_hook(function: ast.FunctionDef) -> bool:
    return any("hookimpl" in ast.unparse(decorator) for decorator in function.decorator_list)


def _hook_problem(name: str, function: ast.FunctionDef) -> str:
    if name not in HOOKS:
        return f"there is no such hook; {nearest(name, list(HOOKS))}"
    if not _is_hook(function):
        return "it is not marked @aesalign_core.hookimpl, so nobody calls it"
    known = set(inspect.signature(HOOKS[name]).parameters)
    strange = [a.arg for a in (*function.args.args, *function.args.kwonlyargs) if a.arg not in known]
    return f"the hook has no argument {strange[0]!r}; {nearest(strange[0], sorted(known))}" if strange else ""


def _components(target: Target, kind: Kind, function: ast.FunctionDef) -> Iterator[Finding]:
    calls = [n for n in ast.walk(function) if isinstance(n, ast.Call) and ast.unparse(n.func).endswith("Component")]
    if not calls:
        yield Finding(target.package, f"{kind}s", "unknown", "no Component(…) in sight: its list is made elsewhere")
    seen: set[str] = set()
    for call in calls:
        given = dict(zip(("name", "factory", "summary"), call.args, strict=False))
        given |= {keyword.arg: keyword.value for keyword in call.keywords if keyword.arg}
        plain = {key: v.value for key, v in given.items() if isinstance(v, ast.Constant) and isinstance(v.value, str)}
        what = f"{kind} {plain.get('name', '?')}"
        if set(given) - set(plain) or not {"name", "factory"} <= set(plain):
            yield Finding(target.package, what, "unknown", "what it is given is computed")
            continue
        doubled = "the package offers it twice" if plain["name"] in seen else ""
        seen.add(plain["name"])
        judged = components.judge(kind, target.path, **plain)
        yield Finding(target.package, what, *(("wrong", doubled) if doubled else judged))
