"""What importing a plugin costs, seen from a process that imports nothing else."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from aesalign_core.authoring.heavy import HEAVY
from aesalign_core.plugins import Offer, Registry
from aesalign_core.testing.contracts import network

_PROBE = """
import importlib, json, pathlib
with no_network() as attempts:
    try:
        for name in sys.argv[3:]:
            importlib.import_module(name)
    finally:
        heavy = sorted(set(sys.argv[2].split(",")) & set(sys.modules))
        pathlib.Path(sys.argv[1]).write_text(json.dumps({"heavy": heavy, "attempts": attempts}))
"""
_TIMEOUT = 120


@dataclass(frozen=True)
class Imported:
    """What came of it.

    Attributes:
        failure: The end of the traceback; empty if it can be imported.
        printed: What it wrote to stdout.
        heavy: Libraries that it brought along.
        attempts: To reach the network.
    """

    failure: str
    printed: str
    heavy: Sequence[str]
    attempts: Sequence[str]


def imported(modules: Sequence[str], folder: Path) -> Imported:
    """Imports modules in a process of their own.

    Args:
        modules: By name.
        folder: Where the answer is written: stdout is what modules may have printed to.
    """
    answer = folder / "imported.json"
    source = Path(network.__file__).read_text(encoding="utf-8") + _PROBE
    done = run_python("-c", source, answer, ",".join(HEAVY), *modules)
    found: dict[str, Any] = json.loads(answer.read_text()) if answer.is_file() else {"heavy": [], "attempts": []}
    failure = (done.stderr[-600:] or f"it ended the process with {done.returncode}") if done.returncode else ""
    return Imported(failure, done.stdout, found["heavy"], found["attempts"])


def run_python(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs this Python, with what this process can import."""
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        timeout=_TIMEOUT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p), **environment},
    )


def modules_of(plugins: Registry, offer: Offer) -> list[str]:
    """What is imported for a component: where its plugin's hooks are, and its factory's module.

    An entry point may name an object as well as a module.
    """
    plugin = plugins.manager.get_plugin(offer.plugin)
    names = [plugin.__name__] if isinstance(plugin, ModuleType) else sorted(_homes(plugins, plugin))
    return [*names, offer.component.factory.partition(":")[0]]


def _homes(plugins: Registry, plugin: object) -> set[str]:
    callers = plugins.manager.get_hookcallers(plugin) or []
    return {hook.function.__module__ for c in callers for hook in c.get_hookimpls() if hook.plugin is plugin}


def value_of(plugins: Registry, plugin: object) -> str:
    """What an entry point writes to name a plugin: `package.module`, or `package.module:thing`; empty if none can."""
    if isinstance(plugin, ModuleType):
        return plugin.__name__
    for home in sorted(_homes(plugins, plugin)):
        for name, value in vars(sys.modules[home]).items():
            if value is plugin:
                return f"{home}:{name}"
    return ""
