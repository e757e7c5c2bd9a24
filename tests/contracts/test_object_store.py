"""LanceDB on an object store against the contract of retrievers."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import object_store
import pytest

from aesalign_core.locations import StoreUri
from aesalign_core.testing import RetrieverContract


@pytest.fixture(scope="module")
def environment() -> Iterator[dict[str, str]]:
    with object_store.served() as found:
        yield found


class TestLanceOnAnObjectStore(RetrieverContract):
    component = "lancedb"
    refused = ({"index": "tree"},)
    locks = False

    @pytest.fixture
    def location(self, environment: dict[str, str], monkeypatch: Any) -> StoreUri:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        return StoreUri(f"s3://{object_store.BUCKET}/{uuid.uuid4().hex}/gallery")
