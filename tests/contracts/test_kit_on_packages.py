"""What is wrong with a plugin before any of it is built, and what only looks wrong."""

from __future__ import annotations

from pathlib import Path

import kit
import pytest

REWARD = """
from aesalign_core import Component, hookimpl

{top}

class Plugin:
    @hookimpl
    def aesalign_rewards(self):
        return [Component("{name}", "broken_rewards:Good", summary="Bright.")]


plugin = Plugin()
"""
CALLS = """
import socket

try:
    socket.create_connection(("127.0.0.1", 9), timeout=1)
except Exception:
    pass
"""
PACKAGES = {"object": "", "talking": 'print("hello from import")', "calling": CALLS, "nameless": ""}
IMPORT = "test_importing_it_is_light_and_reaches_no_network"


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> kit.Failures:
    folder: Path = tmp_path_factory.mktemp("kit")
    for name, top in PACKAGES.items():
        (folder / f"package_{name}.py").write_text(REWARD.format(name=name, top=top))
    points = {name: f"package_{name}:plugin" for name in PACKAGES}
    bodies = dict.fromkeys(PACKAGES, 'refused = ({"gain": "much"},)')
    return kit.failures(folder, "RewardContract", points, bodies, only=f"{IMPORT} or another_process or summary")


def test_an_entry_point_may_name_an_object(found: kit.Failures) -> None:
    assert found["object"] == {}


def test_what_is_printed_at_import_is_told_as_printing(found: kit.Failures) -> None:
    assert "importing package_talking and broken_rewards prints 'hello from import" in found["talking"][IMPORT]


def test_the_network_is_seen_although_the_error_is_swallowed(found: kit.Failures) -> None:
    assert "importing package_calling and broken_rewards reaches the network (socket." in found["calling"][IMPORT]


def test_a_class_that_names_no_component_is_told_so_in_a_line(found: kit.Failures) -> None:
    for said in found["nameless"].values():
        assert 'Test_nameless names no component: write component = "NAME" in its body' in said
        assert "AttributeError" not in said
    assert found["nameless"]
