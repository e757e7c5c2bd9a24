"""Metrics, statistics and comparisons of encoders."""
