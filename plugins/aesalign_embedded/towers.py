"""The two frozen towers: what one forward pass sees of a photo, and of a text.

Sources: EfficientNet-Lite2 (the mobile variant of Tan & Le, arXiv 1905.11946, trained on ImageNet-1k) in timm's
`tf_efficientnet_lite2`; all-MiniLM-L6-v2 (sentence-transformers, after Wang et al., arXiv 2002.10957) in
`Bert`.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from aesalign_core.errors import ModelError
from aesalign_core.fingerprints import fingerprint
from aesalign_core.streams import streamed
from aesalign_core.types import Pixels, Vectors
from aesalign_embedded import weights

if TYPE_CHECKING:
    import torch
    from PIL.Image import Image
    from tokenizers import Tokenizer

    from aesalign_embedded.bert import Bert

SIDE = 260
"""Pixels: what EfficientNet-Lite2 was trained on."""
DETAIL = 224
"""Pixels: photos are first brought to this side, so that no photo is sharper than those the heads have seen."""
TOP = 1280
"""Width of the pooled last layer; the first columns of the image features."""
STAGES = (0, 1, 2, 4, 5, 6)
"""Blocks whose mean and standard deviation over positions follow: they still see grain, blur, light and colour."""
STREAM = 2
"""Photos per core and forward pass on the CPU: the fastest of 1, 2, 4 and 8, by `make bench`'s machine."""
IMAGE_WIDTH = TOP + 2 * (16 + 24 + 48 + 120 + 208 + 352)
TEXT_WIDTH = 384
TEXT_TOKENS = 128
"""Longer texts are cut. Captions have about 13 tokens."""


def squeeze(image: Image) -> Pixels:
    """The whole photo, squeezed to a square: (260, 260, 3) uint8.

    Nothing is cut off, as composition counts for the reward, and the heads were trained on squeezed photos.
    """
    from PIL.Image import Resampling

    if image.size != (DETAIL, DETAIL):
        image = image.resize((DETAIL, DETAIL), Resampling.BICUBIC, reducing_gap=3.0)
    return np.asarray(image.convert("RGB").resize((SIDE, SIDE), Resampling.BICUBIC))


class ImageTower:
    """EfficientNet-Lite2, frozen, without its classifier; built on first use, as a search by text never needs it.

    Args:
        device: Where it computes.
        batch_size: Photos per forward pass.
    """

    def __init__(self, *, device: str = "cpu", batch_size: int = 32) -> None:
        weights.locate(weights.IMAGE_WEIGHTS)
        self._batch_size = batch_size
        self.device = device
        self.fingerprint = fingerprint(
            "tf_efficientnet_lite2", weights.IMAGE_WEIGHTS.sha256, [DETAIL, SIDE, "squeeze", "bicubic"], list(STAGES)
        )

    @functools.cached_property
    def network(self) -> Any:
        """The model of timm, with the pinned weights."""
        import timm
        import torch

        model = timm.create_model("tf_efficientnet_lite2", pretrained=False)
        theirs, ours = weights.image_state(), model.state_dict()
        if [v.shape for v in theirs.values()] != [v.shape for v in ours.values()]:
            raise ModelError(
                "this version of timm builds another tf_efficientnet_lite2", hint="pip install 'timm>=1.0.15'"
            )
        # The same layers under other names, in the same order.
        model.load_state_dict(dict(zip(ours, theirs.values(), strict=True)))
        model.requires_grad_(False)
        return _folded(model.eval()).to(self.device, memory_format=torch.channels_last)

    def features(self, pixels: Sequence[Pixels]) -> Vectors:
        """(n, `IMAGE_WIDTH`) float32 for n arrays from `squeeze`: the pooled last layer, then the stages."""
        found = np.empty((len(pixels), IMAGE_WIDTH), np.float32)
        for start in range(0, len(pixels), self._batch_size):
            batch = pixels[start : start + self._batch_size]
            found[start : start + len(batch)] = (
                streamed(self._batch, batch, size=STREAM) if self.device == "cpu" else self._batch(batch)
            )
        return found

    def _batch(self, pixels: Sequence[Pixels]) -> Vectors:
        import torch

        with torch.inference_mode():
            features: Vectors = self.forward(torch.from_numpy(np.stack(pixels)).to(self.device)).cpu().numpy()
        return features

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """(n, 260, 260, 3) uint8 → (n, `IMAGE_WIDTH`) float32."""
        import torch

        model, stages = self.network, []
        # (n, h, w, 3) seen as (n, 3, h, w) is already laid out channels last.
        x = pixels.permute(0, 3, 1, 2).float().div_(127.5).sub_(1.0)
        x = model.bn1(model.conv_stem(x))
        for index, block in enumerate(model.blocks):
            x = block(x)
            if index in STAGES:
                std, mean = torch.std_mean(x, (2, 3))
                stages += [mean, std]
        return torch.cat([model.bn2(model.conv_head(x)).mean((2, 3)), *stages], 1)


def _folded(model: Any) -> Any:
    """Takes batch normalisation, a fixed affine map at inference, into the convolution before it."""
    from timm.layers import BatchNormAct2d
    from torch import nn
    from torch.nn.utils.fusion import fuse_conv_bn_eval

    for part in list(model.modules()):
        last: tuple[str, nn.Conv2d] | None = None
        for name, layer in list(part.named_children()):
            if isinstance(layer, nn.Conv2d):
                last = name, layer
            elif isinstance(layer, BatchNormAct2d) and last:
                setattr(part, last[0], fuse_conv_bn_eval(last[1], layer))
                setattr(part, name, layer.act)
                last = None
    return model


class TextTower:
    """all-MiniLM-L6-v2, frozen: the mean of its last layer over a text's tokens; built on first use.

    Args:
        device: Where it computes.
        batch_size: Texts per forward pass.
    """

    def __init__(self, *, device: str = "cpu", batch_size: int = 64) -> None:
        weights.locate(weights.TEXT_WEIGHTS)
        self._batch_size = batch_size
        self.device = device
        self.fingerprint = fingerprint(
            "bert-6-384", weights.TEXT_WEIGHTS.sha256, weights.TEXT_TOKENIZER.sha256, [TEXT_TOKENS, "mean"]
        )

    @functools.cached_property
    def tokenizer(self) -> Tokenizer:
        """With the cut and the padding that the tower wants."""
        from tokenizers import Tokenizer

        tokenizer = Tokenizer.from_str(weights.read_pinned(weights.TEXT_TOKENIZER).decode())
        tokenizer.enable_truncation(TEXT_TOKENS)
        tokenizer.enable_padding(pad_id=0, pad_token="[PAD]")  # noqa: S106 - not a password
        return tokenizer

    @functools.cached_property
    def network(self) -> Bert:
        """The transformer, with the pinned weights."""
        from aesalign_embedded.bert import from_checkpoint

        return from_checkpoint(weights.text_state(), width=TEXT_WIDTH, layers=6, heads=12, inner=1536).to(self.device)

    def features(self, texts: Sequence[str]) -> Vectors:
        """(n, `TEXT_WIDTH`) float32; texts of like length share a forward pass, and padding has no say."""
        import torch

        found = np.empty((len(texts), TEXT_WIDTH), np.float32)
        order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
        with torch.inference_mode():
            for start in range(0, len(order), self._batch_size):
                rows = order[start : start + self._batch_size]
                found[rows] = self._tokenized([_bounded(texts[i]) for i in rows]).cpu().numpy()
        return found

    def _tokenized(self, texts: list[str]) -> torch.Tensor:
        import torch

        coded = self.tokenizer.encode_batch(texts)
        ids = torch.tensor([c.ids for c in coded], device=self.device)
        mask = torch.tensor([c.attention_mask for c in coded], device=self.device)
        return self.forward(ids, mask)

    def forward(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """(n, t) token ids and their mask, 1 where there is a token → (n, `TEXT_WIDTH`) float32."""
        states: torch.Tensor = self.network(ids, mask)
        weight = mask.unsqueeze(-1).to(states.dtype)
        mean: torch.Tensor = (states * weight).sum(1) / weight.sum(1)
        return mean


def _bounded(text: str) -> str:
    """Cuts what the tokenizer would drop anyway, before it spends time on it."""
    return " ".join(text[: 64 * TEXT_TOKENS].split())[: 26 * TEXT_TOKENS]


@functools.cache
def image_tower(device: str, batch_size: int) -> ImageTower:
    """The image tower, built once: the encoder and the reward share it."""
    return ImageTower(device=device, batch_size=batch_size)


@functools.cache
def text_tower(device: str, batch_size: int) -> TextTower:
    """The text tower, built once."""
    return TextTower(device=device, batch_size=batch_size)
