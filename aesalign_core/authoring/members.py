"""What classes have, and what they derive from, by their source."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field

from aesalign_core.authoring.source import Source, SourceError, Sources

_NOTHING = frozenset({"object", "Protocol", "Generic", "ABC"})
_DEPTH = 20


@dataclass
class Members:
    """What a class and those that it inherits from have.

    Attributes:
        nodes: What binds each name first, as Python looks it up, and the module that does.
        plain: Nothing but these classes' bodies decides what it has: no decorator, no metaclass.
    """

    nodes: dict[str, tuple[Source, ast.AST]] = field(default_factory=dict)
    plain: bool = True


def members(sources: Sources, source: Source, name: str) -> Members:
    """All that a class has: names of its bodies, and what methods set on `self`.

    Raises:
        SourceError: It, or a class that it inherits from, is out of reach.
    """
    found = Members()
    for module, made in _lineage(sources, source, name, 0):
        found.plain = found.plain and not made.decorator_list and not made.keywords
        for bound, node in _own(made):
            found.nodes.setdefault(bound, (module, node))
    return found


def _lineage(sources: Sources, source: Source, name: str, depth: int) -> Iterator[tuple[Source, ast.ClassDef]]:
    if depth > _DEPTH:
        raise SourceError(f"{name} inherits from itself")
    if name in source.classes():
        made = source.classes()[name]
        yield source, made
        for base in made.bases:
            inherited = ast.unparse(base).partition("[")[0]
            if inherited.rpartition(".")[2] not in _NOTHING:
                yield from _lineage(sources, source, inherited, depth + 1)
        return
    if name in (origins := source.origins()):
        module, original = origins[name]
        yield from _lineage(sources, sources.read(module), original, depth + 1)
        return
    raise SourceError(f"{name} is no class that {source.name} defines, or imports by `from`")


def _own(made: ast.ClassDef) -> Iterator[tuple[str, ast.AST]]:
    for node in made.body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name, node
        elif isinstance(node, ast.Assign):
            yield from ((t.id, node.value) for t in node.targets if isinstance(t, ast.Name))
        # An annotation alone gives no value, unless a decorator such as @dataclass makes one of it.
        elif isinstance(node, ast.AnnAssign) and (node.value is not None or made.decorator_list):
            yield ast.unparse(node.target), node.value or node
    for inner in ast.walk(made):
        if not isinstance(inner, ast.Attribute) or not isinstance(inner.ctx, ast.Store):
            continue
        if ast.unparse(inner.value) == "self":
            yield inner.attr, inner


def ancestors(sources: Sources, source: Source, expression: str, depth: int = 0) -> Iterator[str]:
    """The classes that a class derives from, itself first: `package.module.Class`, as far as can be seen.

    One that cannot be followed ends in `?`.
    """
    name = expression.partition("[")[0]
    if depth > _DEPTH:
        yield f"{source.name}.{name}?"
    elif name in source.classes():
        yield f"{source.name}.{name}"
        for base in source.classes()[name].bases:
            yield from ancestors(sources, source, ast.unparse(base), depth + 1)
    elif name in (origins := source.origins()):
        module, original = origins[name]
        yield f"{module}.{original}"
        try:
            yield from ancestors(sources, sources.read(module), original, depth + 1)
        except SourceError:
            yield f"{module}.{original}?"
    elif (dotted := _dotted(source, name)) is not None:
        yield dotted
    else:
        yield f"{source.name}.{name}?"


def _dotted(source: Source, name: str) -> str | None:
    """`aesalign_core.Settings` after `import aesalign_core`."""
    first, _, rest = name.partition(".")
    for node in source.tree.body:
        for alias in node.names if isinstance(node, ast.Import) else ():
            if rest and (alias.asname or alias.name.partition(".")[0]) == first:
                return f"{alias.name if alias.asname else first}.{rest}"
    return None
