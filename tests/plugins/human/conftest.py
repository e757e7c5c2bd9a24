"""Fixtures of the human judge's tests."""

from __future__ import annotations

from command_line import aesalign
from vote_page import serve

__all__ = ["aesalign", "serve"]
