"""Trains what ships in `data/`: `python -m aesalign_embedded.training --help`."""
