"""What several tests of the core share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tiny_alignment import World


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """A gallery of colours, grids on it and captions; tests leave it as it is."""
    import tiny_alignment

    return tiny_alignment.make_world(tmp_path_factory.mktemp("world"))
