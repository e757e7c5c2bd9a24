"""Preference-RL objectives."""
