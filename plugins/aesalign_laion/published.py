"""LAION's published heads: where they are, what they were trained on, and the sha256 of each file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

HeadName = Literal["v1-vit-b-32", "v1-vit-b-16", "v1-vit-l-14", "v2-vit-l-14"]

_V1 = "https://github.com/LAION-AI/aesthetic-predictor/raw/main/"
_V2 = "https://github.com/christophschuhmann/improved-aesthetic-predictor/raw/main/"


@dataclass(frozen=True, slots=True)
class Published:
    """One head as its authors published it.

    Attributes:
        file: Its file name.
        url: Where it is.
        sha256: Of the file, in hex.
        arch: The open_clip architecture whose OpenAI weights give the embeddings it was trained on.
        dim: Width of those embeddings.
        licence: Of the weights.
    """

    file: str
    url: str
    sha256: str
    arch: str
    dim: int
    licence: str

    @property
    def encoder(self) -> str:
        """The head's own encoder, as `--encoder` takes it."""
        return f"{self.arch}/openai"


def _v1(model: str, arch: str, dim: int, sha256: str) -> Published:
    file = f"sa_0_4_{model}_linear.pth"
    return Published(file, _V1 + file, sha256, arch, dim, "MIT")


HEADS: dict[HeadName, Published] = {
    "v1-vit-b-32": _v1(
        "vit_b_32", "ViT-B-32", 512, "c7b14cead230694acc7b9447974d3cad78003c72da032e402a303b6c2429e85f"
    ),
    "v1-vit-b-16": _v1(
        "vit_b_16", "ViT-B-16", 512, "8ad3923d7ecf019df20ecd2ab5542a3075fbba0278d239c0371345f3d7fcbde0"
    ),
    "v1-vit-l-14": _v1(
        "vit_l_14", "ViT-L-14", 768, "2cd4e60f4f24ae3bcd57b847b13c1f3ba27edc28cc1a7f9ce74ee9f421243cba"
    ),
    "v2-vit-l-14": Published(
        "sac+logos+ava1-l14-linearMSE.pth",
        _V2 + "sac%2Blogos%2Bava1-l14-linearMSE.pth",
        "21dd590f3ccdc646f0d53120778b296013b096a035a2718c9cb0d511bff0f1e0",
        "ViT-L-14",
        768,
        "Apache-2.0",
    ),
}
