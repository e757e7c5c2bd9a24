"""Queries into preference grids, and grids on disk."""
