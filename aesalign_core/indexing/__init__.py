"""Folders of photos into galleries."""
