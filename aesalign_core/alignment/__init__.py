"""Preference grids into an aligned encoder: the training run and the RUN folder it leaves."""
