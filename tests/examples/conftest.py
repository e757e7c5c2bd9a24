"""Fixtures of the examples' tests."""

from __future__ import annotations

from command_line import small_photos

__all__ = ["small_photos"]
