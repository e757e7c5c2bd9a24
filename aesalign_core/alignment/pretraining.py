"""The contrastive pre-training loss L_pt, which keeps retrieval accuracy while preferences are learnt."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import cross_entropy


def contrastive_loss(text: Tensor, image: Tensor, photos: Tensor, temperature: float) -> Tensor:
    """Symmetric InfoNCE on caption pairs; captions of one photo share its target (soft labels).

    Args:
        text: (n, d) unit rows, embeddings of captions.
        image: (n, d) unit rows, embeddings of their photos.
        photos: (n,) which photo each pair shows; equal numbers are the same photo.
        temperature: τ.

    Returns:
        Scalar: the mean of text → image and image → text cross-entropy.
    """
    logits = text.float() @ image.float().T / temperature
    same = (photos.unsqueeze(1) == photos.unsqueeze(0)).to(logits.dtype)
    # `same` is symmetric, so that its rows are the targets of both directions.
    targets = same / same.sum(dim=1, keepdim=True)
    both: Tensor = cross_entropy(logits, targets) + cross_entropy(logits.T, targets)
    return both / 2
