"""What a package's modules import, followed through the package, without importing any of it."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from aesalign_core.authoring.heavy import HEAVY
from aesalign_core.authoring.source import Source, SourceError, Sources

OURS = "aesalign_core"


@dataclass(frozen=True)
class Import:
    """One import statement's one name.

    Attributes:
        by: The module that imports.
        module: What it imports, or imports from.
        name: What it imports from there; empty of a plain `import`.
        at_top: It happens when the module is imported, not within a function.
        certain: No `if` and no loop decides whether it happens.
        guarded: Something is done if it fails.
    """

    by: str
    module: str
    name: str = ""
    at_top: bool = True
    certain: bool = True
    guarded: bool = False

    @property
    def top(self) -> str:
        """The outermost package."""
        return self.module.partition(".")[0]


def imports(source: Source) -> list[Import]:
    """All imports of a module but those that are for type checkers, or for running it as a program."""
    return list(_imports(source, source.tree.body, Import(source.name, "")))


def _imports(source: Source, body: Sequence[ast.AST], how: Import) -> Iterator[Import]:
    for node in body:
        if isinstance(node, ast.Import):
            yield from (replace(how, module=alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = source.imported_from(node)
            yield from (replace(how, module=module, name=alias.name) for alias in node.names)
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in (test := ast.unparse(node.test)):
            # `if not TYPE_CHECKING` and its like are too rare to be told apart.
            if test in ("TYPE_CHECKING", "typing.TYPE_CHECKING"):
                yield from _imports(source, node.orelse, how)
        elif isinstance(node, ast.If) and "__name__" in ast.unparse(node.test):
            continue
        elif isinstance(node, ast.Try) and node.handlers:
            yield from _imports(source, [*node.body, *node.handlers], replace(how, guarded=True))
            yield from _imports(source, [*node.orelse, *node.finalbody], how)
        elif isinstance(node, ast.With) and any("suppress(" in ast.unparse(item) for item in node.items):
            yield from _imports(source, node.body, replace(how, guarded=True))
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from _imports(source, node.body, replace(how, at_top=False))
        elif isinstance(node, ast.ClassDef | ast.With | ast.Try):
            yield from _imports(source, list(ast.iter_child_nodes(node)), how)
        elif isinstance(node, ast.stmt | ast.ExceptHandler | ast.match_case):
            yield from _imports(source, list(ast.iter_child_nodes(node)), replace(how, certain=False))


class Graph:
    """The modules of a plugin's own packages, by what imports what.

    Args:
        sources: Where they are read.
        own: The outermost packages that are followed.
    """

    def __init__(self, sources: Sources, own: Iterable[str]) -> None:
        self._sources = sources
        self._own = frozenset(own) - set(HEAVY)

    def reached(self, module: str, *, lazily: bool = False) -> dict[str, list[Import]]:
        """The package's modules that importing one imports, itself first, with their imports.

        Args:
            module: `package.module`.
            lazily: Those that its functions import, too.
        """
        found: dict[str, list[Import]] = {}
        waiting = [module]
        while waiting:
            name = waiting.pop(0)
            if name in found or name.partition(".")[0] not in self._own:
                continue
            try:
                found[name] = imports(self._sources.read(name))
            except SourceError:
                found[name] = []  # a compiled module, a folder without __init__.py; what is missing is said elsewhere
            waiting += _with_parents(name)[:-1]
            for one in found[name]:
                if one.at_top or lazily:
                    waiting += _with_parents(one.module)
                    if one.name and self._sources.find(inner := f"{one.module}.{one.name}"):
                        waiting.append(inner)
        return found

    def missing(self, one: Import) -> str:
        """Why an import will fail; empty if it will not, or nobody can tell without running it."""
        if one.top in sys.stdlib_module_names:
            return ""
        if one.top not in self._own | {OURS}:
            return "" if self._sources.find(one.top) else f"{one.top}, which is not installed"
        try:
            source = self._sources.read(one.module)
        except SourceError as error:
            return "" if self._sources.find(one.module) else f"{one.module}, but {error}"
        if not one.name or one.name == "*" or self._sources.find(f"{one.module}.{one.name}"):
            return ""
        names = source.names()
        open_ended = "__getattr__" in names or any(found.name == "*" for found in imports(source))
        return "" if open_ended or one.name in names else f"{one.name} from {one.module}, which has none"


def _with_parents(module: str) -> list[str]:
    parts = module.split(".")
    return [".".join(parts[: depth + 1]) for depth in range(len(parts))]


def heavy(reached: dict[str, list[Import]]) -> dict[str, list[str]]:
    """Which heavy libraries are imported, by the module that does it."""
    found = {by: sorted({one.top for one in each if one.at_top and one.top in HEAVY}) for by, each in reached.items()}
    return {by: names for by, names in found.items() if names}
