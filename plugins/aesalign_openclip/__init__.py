"""Encoders of the open_clip library."""
