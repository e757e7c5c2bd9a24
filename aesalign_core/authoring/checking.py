"""What is wrong with a plugin package, by reading it. Nothing of it is imported or run."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, Literal

from aesalign_core.authoring import components, hooks, requirements, targets
from aesalign_core.authoring.imports import Graph, Import, heavy
from aesalign_core.authoring.source import Function, Source, SourceError, Sources
from aesalign_core.authoring.targets import Target
from aesalign_core.hookspecs import Kind


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found of one plugin, hook or component.

    Attributes:
        package: The distribution.
        what: Such as `reward sharpness`, `hook aesalign_reward`, `plugin sharpness`.
        status: `ok`; `wrong`; `warning`: it works here, and may not elsewhere; `unknown`: it cannot be read without
            running it.
        detail: In one line.
    """

    package: str
    what: str
    status: Literal["ok", "wrong", "warning", "unknown"]
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
    return [finding for target in targets.find(package) for finding in _Check(target).findings()]


class _Check:
    """Of one plugin; each module of it is read once, and each import told once."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._sources = Sources(target.path)
        self._told: set[str] = set()
        self._factories: list[str] = []

    def findings(self) -> Iterator[Finding]:
        """All that is found."""
        plugin, module = f"plugin {self._target.plugin}", self._target.module
        try:
            source = self._sources.read(module)
            self._refuse_copy(source)
        except SourceError as error:
            yield self._finding(plugin, "wrong", f"{error}{self._where_looked(module)}")
            return
        found = hooks.of_module(source)
        if self._target.attribute:
            detail = f"its hooks are those of {self._target.attribute}, which {module} makes as it runs"
            yield self._finding(plugin, "unknown", detail)
        elif not found:
            yield self._finding(plugin, "wrong", f"{module} implements no hook")
        yield from self._of_imports(plugin, module, "which every start of aesalign would wait for")
        for name, function in found.items():
            problem = hooks.problem(name, function)
            if problem:
                yield self._finding(f"hook {name}", "wrong", problem)
            kind = hooks.kind_of(name)
            if kind:
                yield from self._components(kind, function, silent=bool(problem))
            elif not problem:
                yield self._finding(f"hook {name}", "ok", "")
        yield from self._undeclared(plugin)

    def _finding(self, what: str, status: Literal["ok", "wrong", "warning", "unknown"], detail: str) -> Finding:
        return Finding(self._target.package, what, status, detail)

    def _where_looked(self, module: str) -> str:
        if self._target.folder is None or self._sources.find(module):
            return ""
        return (
            f" in {self._target.folder}; if its settings map the package to another folder, pip install -e it first"
        )

    def _refuse_copy(self, source: Source) -> None:
        folder = self._target.folder
        if folder and not source.file.resolve().is_relative_to(folder.resolve()):
            raise SourceError(
                f"there is no module {source.name} in {folder}: a copy is installed at {source.file.parent}, "
                "which is not what was to be checked"
            )

    def _components(self, kind: Kind, function: Function, *, silent: bool) -> Iterator[Finding]:
        calls = [node for node in ast.walk(function) if isinstance(node, ast.Call) and hooks.is_component(node)]
        if not calls and not silent:
            yield self._finding(f"{kind}s", "unknown", "no Component(…) in sight: its list is made elsewhere")
        seen: set[str] = set()
        for call in calls:
            given = dict(zip(("name", "factory", "summary"), call.args, strict=False))
            given |= {keyword.arg: keyword.value for keyword in call.keywords if keyword.arg}
            plain = {k: v.value for k, v in given.items() if isinstance(v, ast.Constant) and isinstance(v.value, str)}
            what = f"{kind} {plain.get('name', '?')}"
            if set(given) - set(plain) or not {"name", "factory"} <= set(plain):
                yield self._finding(what, "unknown", "what it is given is computed")
                continue
            doubled = plain["name"] in seen
            seen.add(plain["name"])
            yield from self._component(kind, what, plain, doubled=doubled)

    def _component(self, kind: Kind, what: str, plain: dict[str, str], *, doubled: bool) -> Iterator[Finding]:
        if doubled:
            yield self._finding(what, "wrong", "the package offers it twice")
            return
        status, detail = components.judge(kind, self._sources, **plain)
        factory = plain["factory"].partition(":")[0]
        self._factories.append(factory)
        found = list(self._of_imports(what, factory, "for which checking a recipe would wait"))
        if status != "ok" or not any(finding.status == "wrong" for finding in found):
            yield self._finding(what, status, detail)
        yield from found

    def _graph(self) -> Graph:
        return Graph(self._sources, {name.partition(".")[0] for name in (self._target.module, *self._factories)})

    def _of_imports(self, what: str, module: str, cost: str) -> Iterator[Finding]:
        """What importing a module would find missing, or wait for; what was told of another is not told again."""
        graph = self._graph()
        reached = {by: each for by, each in graph.reached(module).items() if by not in self._told}
        self._told |= set(reached)
        for by, libraries in heavy(reached).items():
            way = "" if by == module else f" (by way of {module})"
            yield self._finding(what, "wrong", f"{by} imports {', '.join(libraries)} at its top{way}, {cost}")
        for one in (one for each in reached.values() for one in each):
            if one.at_top and one.certain and not one.guarded and (lacking := graph.missing(one)):
                yield self._missing(what, one, lacking)

    def _missing(self, what: str, one: Import, lacking: str) -> Finding:
        # It may well be that a clone is checked before what it needs is installed.
        declared = self._target.declared is None or requirements.normal(one.top) in self._target.declared
        return self._finding(what, "warning" if declared else "wrong", f"{one.by} imports {lacking}")

    def _undeclared(self, plugin: str) -> Iterator[Finding]:
        if self._target.declared is None:
            return
        graph = self._graph()
        used: list[Import] = []
        for module in dict.fromkeys((self._target.module, *self._factories)):
            used += [one for each in graph.reached(module, lazily=True).values() for one in each]
        own = (self._target.package,)
        for name, modules in sorted(requirements.undeclared(used, self._target.declared, own).items()):
            detail = f"{name} is imported by {', '.join(modules)}, but is not among the package's dependencies"
            yield self._finding(plugin, "warning", detail)
