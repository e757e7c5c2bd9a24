"""Fixtures of the service's tests."""

from __future__ import annotations

import pytest

pytest.importorskip("fastapi", reason="aesalign serve needs the extra `serve`")
pytest.importorskip("prometheus_client", reason="aesalign serve needs the extra `serve`")

from served import serve, shared, world

__all__ = ["serve", "shared", "world"]
