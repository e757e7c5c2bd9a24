"""For authors of plugins: a package to start from, and a check that runs none of it."""

from __future__ import annotations
