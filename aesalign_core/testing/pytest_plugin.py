"""The fixtures that pytest finds wherever aesalign is installed. Importing this imports nothing heavy."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from aesalign_core.testing.llm_server import LlmServer
    from aesalign_core.testing.tiny_gallery import TinyGallery

# Before anything imports them: only so do their assertions say what they compared.
pytest.register_assert_rewrite("aesalign_core.testing.contracts")


@pytest.fixture
def llm_server() -> Iterator[LlmServer]:
    """A server on loopback that speaks a provider's API; its answers are good until it is scripted otherwise."""
    from aesalign_core.testing.llm_server import LlmServer

    server = LlmServer()
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def tiny_clip(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A real open_clip model of a few thousand random weights, by the name that `--encoder` takes."""
    from aesalign_core.testing.tiny_clip import tiny_model

    return tiny_model(tmp_path_factory.mktemp("tiny-clip"))


@pytest.fixture
def tiny_gallery(tmp_path_factory: pytest.TempPathFactory, tiny_clip: str) -> TinyGallery:
    """A gallery of twelve drawn pictures, by that model."""
    from aesalign_core.testing import tiny_gallery as making

    return making.tiny_gallery(tmp_path_factory.mktemp("tiny-gallery"), tiny_clip)
