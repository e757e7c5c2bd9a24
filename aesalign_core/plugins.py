"""Finding plugins, keeping broken ones apart, and building components by name."""

from __future__ import annotations

import importlib
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Literal, cast

import pluggy
from pydantic import BaseModel

from aesalign_core import hookspecs
from aesalign_core.errors import AmbiguousComponentError, PluginError, UnknownComponentError
from aesalign_core.hookspecs import KINDS, Component, Kind
from aesalign_core.messages import describe, nearest, warn
from aesalign_core.protocols import ComponentFactory

GROUP = "aesalign"
DISABLE = "AESALIGN_DISABLE_PLUGINS"
ONLY = "AESALIGN_PLUGINS"
_NAME = re.compile(r"[a-z][a-z0-9_-]*\Z")
_FACTORY = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*\Z")


def is_component_name(name: str) -> bool:
    """Whether a component may be called so."""
    return bool(_NAME.match(name))


def is_factory_path(path: str) -> bool:
    """Whether something is of the form `package.module:Class`."""
    return bool(_FACTORY.match(path))


@dataclass(frozen=True, slots=True)
class Offer:
    """A component together with the plugin that offers it."""

    kind: Kind
    component: Component
    plugin: str
    distribution: str
    version: str

    @property
    def qualified(self) -> str:
        """`distribution:name` if several bundled plugins cannot clash, the name that always picks this one."""
        return f"{self.distribution}:{self.component.name}"


@dataclass(frozen=True, slots=True)
class PluginStatus:
    """One discovered plugin."""

    name: str
    distribution: str
    version: str
    status: Literal["ok", "broken", "disabled"]
    reason: str = ""


@dataclass
class Registry:
    """Every plugin that was found, and what the healthy ones offer."""

    manager: pluggy.PluginManager
    statuses: list[PluginStatus] = field(default_factory=list)
    offers: list[Offer] = field(default_factory=list)

    def of_kind(self, kind: Kind) -> list[Offer]:
        """The components of one kind, by name."""
        return sorted((o for o in self.offers if o.kind == kind), key=lambda o: o.component.name)

    def find(self, kind: Kind, name: str) -> Offer:
        """The component of this name, or `package:name`.

        Raises:
            UnknownComponentError: No such component; the error names the nearest.
            AmbiguousComponentError: Two packages offer it; the error names both.
        """
        offers = self.of_kind(kind)
        found = [o for o in offers if name in (o.component.name, o.qualified)]
        if len(found) == 1:
            return found[0]
        if found:
            choices = " or ".join(sorted(o.qualified for o in found))
            raise AmbiguousComponentError(f"two packages offer the {kind} {name!r}", hint=f"pick one: {choices}")
        raise UnknownComponentError(
            f"no {kind} is named {name!r}", hint=nearest(name, [o.component.name for o in offers])
        )

    def factory(self, kind: Kind, name: str) -> ComponentFactory:
        """Imports the factory of a component.

        Raises:
            PluginError: The import fails, or what it names is no component factory.
        """
        offer = self.find(kind, name)
        module_name, _, attribute = offer.component.factory.partition(":")
        try:
            factory = getattr(importlib.import_module(module_name), attribute)
        except (KeyboardInterrupt, GeneratorExit):
            raise
        except BaseException as error:
            raise PluginError(
                f"{kind} {name!r} of {offer.distribution} cannot be imported: {describe(error)}",
                hint=f"reinstall or update {offer.distribution}",
            ) from error
        settings = getattr(factory, "Settings", None)
        if not callable(factory) or not (isinstance(settings, type) and issubclass(settings, BaseModel)):
            raise PluginError(
                f"{kind} {name!r} of {offer.distribution} breaks its contract: {offer.component.factory} has no"
                " Settings, a class that derives from aesalign_core.Settings"
            )
        return cast("ComponentFactory", factory)


def _names(variable: str) -> set[str] | None:
    value = os.environ.get(variable)
    return None if value is None else {n.strip() for n in value.split(",") if n.strip()}


def _is_disabled(name: str, qualified: str) -> str:
    only, disabled = _names(ONLY), _names(DISABLE) or set()
    if only is not None and not only & {name, qualified}:
        return f"not among {ONLY}"
    return f"named in {DISABLE}" if disabled & {name, qualified} else ""


def _components(manager: pluggy.PluginManager, plugin: object, kind: Kind) -> list[Component]:
    """What one plugin offers of one kind; raises on a broken contract."""
    caller = manager.subset_hook_caller(f"aesalign_{kind}s", [p for p in manager.get_plugins() if p is not plugin])
    found: list[Component] = []
    for answer in caller():
        for component in answer:
            if not isinstance(component, Component):
                raise PluginError(f"aesalign_{kind}s returned {type(component).__name__}, not Component")
            if not is_component_name(component.name):
                raise PluginError(f"{component.name!r} is no component name (lower-case letters, digits, _ -)")
            if not is_factory_path(component.factory):
                raise PluginError(f"{component.factory!r} is no factory path (package.module:Class)")
            found.append(component)
    return found


def _load_one(manager: pluggy.PluginManager, point: EntryPoint, name: str) -> list[tuple[Kind, Component]]:
    """Imports, registers and asks one plugin; leaves nothing registered if anything is wrong."""
    module = point.load()
    manager.register(module, name)
    try:
        # A misspelled hook would otherwise be ignored in silence.
        manager.check_pending()
        return [(kind, c) for kind in KINDS for c in _components(manager, module, kind)]
    except BaseException:
        manager.unregister(module)
        raise


def load(points: Sequence[EntryPoint] | None = None) -> Registry:
    """Discovers plugins. A broken one costs one warning line and nothing else.

    Args:
        points: Entry points to load instead of the installed ones.
    """
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    registry = Registry(manager)
    for point in sorted(points if points is not None else entry_points(group=GROUP), key=_order):
        distribution, version = (point.dist.name, point.dist.version) if point.dist else ("?", "?")
        qualified = f"{distribution}:{point.name}"
        # Two packages may have chosen one name.
        name = qualified if any(s.name == point.name for s in registry.statuses) else point.name
        if reason := _is_disabled(point.name, qualified):
            registry.statuses.append(PluginStatus(name, distribution, version, "disabled", reason))
            continue
        try:
            components = _load_one(manager, point, name)
        except (KeyboardInterrupt, GeneratorExit):
            raise
        except BaseException as error:  # modules also end the program, or skip a test
            reason = describe(error)
            warn(f"plugin {name!r} of {distribution} is broken and was left out: {reason}")
            registry.statuses.append(PluginStatus(name, distribution, version, "broken", reason))
            continue
        registry.statuses.append(PluginStatus(name, distribution, version, "ok"))
        registry.offers.extend(Offer(k, c, name, distribution, version) for k, c in components)
    return registry


def _order(point: EntryPoint) -> tuple[str, str]:
    return point.name, point.dist.name if point.dist else ""


@cache
def registry() -> Registry:
    """The installed plugins, discovered once per process."""
    return load()


def listing(found: Registry) -> Iterator[dict[str, Any]]:
    """One plain record per component, then one per plugin that offers none, for `aesalign plugins --json`."""
    reasons = {(s.name, s.distribution): s for s in found.statuses}
    clashes = {
        (o.kind, o.component.name)
        for o in found.offers
        if sum(p.kind == o.kind and p.component.name == o.component.name for p in found.offers) > 1
    }
    for kind in KINDS:
        for offer in found.of_kind(kind):
            clash = (kind, offer.component.name) in clashes
            yield {
                "kind": kind,
                "name": offer.component.name,
                "summary": offer.component.summary,
                "plugin": offer.plugin,
                "distribution": offer.distribution,
                "version": offer.version,
                "status": "clash" if clash else "ok",
                "reason": f"two packages offer it; use {offer.qualified}" if clash else "",
            }
    offering = {(o.plugin, o.distribution) for o in found.offers}
    for key, status in reasons.items():
        if key not in offering:
            yield {
                "kind": "plugin",
                "name": status.name,
                "summary": "",
                "plugin": status.name,
                "distribution": status.distribution,
                "version": status.version,
                "status": status.status,
                "reason": status.reason,
            }
