"""Writing our own weights: half precision, beside the old file and then renamed, pinned in `SHA256SUMS`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import save

from aesalign_core.errors import ModelError
from aesalign_core.files import replacing, write_text
from aesalign_core.fingerprints import of_file


def store(folder: Path, name: str, tensors: Mapping[str, torch.Tensor], about: Mapping[str, str]) -> Path:
    """Writes a safetensors file and renews the folder's `SHA256SUMS`.

    Raises:
        AesalignError: The folder cannot be written.
        ModelError: A weight is too large for half precision.
    """
    halved = {key: value.detach().half().contiguous() for key, value in sorted(tensors.items())}
    for key, value in halved.items():
        if not value.isfinite().all():
            raise ModelError(f"{key} does not fit into half precision")
    path = folder / name
    with replacing(path) as temporary:
        temporary.write_bytes(save(halved, metadata=dict(sorted(about.items()))))
    lines = [f"{of_file(file)}  {file.name}\n" for file in sorted(folder.glob("*.safetensors"))]
    write_text(folder / "SHA256SUMS", "".join(lines))
    return path
