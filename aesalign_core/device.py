"""Choosing where to compute."""

from __future__ import annotations

from aesalign_core import launcher
from aesalign_core.errors import SettingsError


def choose(device: str = "auto") -> str:
    """The device to use: what was asked for if it is there, else for `auto` the best one.

    Each of several processes of a launcher takes a GPU of its own.

    Raises:
        SettingsError: A device that this machine does not have, or that several processes cannot have.
    """
    import torch

    if device == "auto":
        if torch.cuda.is_available():
            return choose("cuda")
        return "mps" if torch.backends.mps.is_available() and launcher.count() == 1 else "cpu"
    kind, _, index = device.partition(":")
    if index and not index.isdigit():
        raise SettingsError(f"{device!r} is no device", hint="use cpu, cuda, cuda:1, mps or auto")
    if launcher.count() > 1 and kind != "cpu":
        if kind == "mps" or index:
            raise SettingsError(
                f"{launcher.count()} processes cannot share the device {device!r}",
                hint="use --device cuda, of which each takes one, or cpu",
            )
        index = str(launcher.local_rank())
        device = f"{kind}:{index}"
    present = {
        "cpu": True,
        "cuda": torch.cuda.is_available() and int(index or 0) < torch.cuda.device_count(),
        "mps": torch.backends.mps.is_available(),
    }
    if not present.get(kind, False):
        raise SettingsError(f"this machine has no device {device!r}", hint="use --device cpu, or auto")
    return device
