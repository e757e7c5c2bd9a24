"""Choosing where to compute."""

from __future__ import annotations

from aesalign_core.errors import SettingsError


def choose(device: str = "auto") -> str:
    """The device to use: what was asked for if it is there, else for `auto` the best one.

    Raises:
        SettingsError: A device that this machine does not have.
    """
    import torch

    if device == "auto":
        if torch.cuda.is_available():
            return "cuda"
        return "mps" if torch.backends.mps.is_available() else "cpu"
    kind, _, index = device.partition(":")
    if index and not index.isdigit():
        raise SettingsError(f"{device!r} is no device", hint="use cpu, cuda, cuda:1, mps or auto")
    present = {
        "cpu": True,
        "cuda": torch.cuda.is_available() and int(index or 0) < torch.cuda.device_count(),
        "mps": torch.backends.mps.is_available(),
    }
    if not present.get(kind, False):
        raise SettingsError(f"this machine has no device {device!r}", hint="use --device cpu, or auto")
    return device
