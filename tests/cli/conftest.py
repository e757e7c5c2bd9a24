"""Fixtures of the command line's tests."""

from __future__ import annotations

from command_line import aesalign, captions, gallery, queries, small_photos

__all__ = ["aesalign", "captions", "gallery", "queries", "small_photos"]
