"""KL to the reference's ranking, which keeps a query's whole ranking near what it was."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import kl_div, log_softmax


def ranking_kl(policy: Tensor, reference: Tensor) -> Tensor:
    """The mean over queries of `KL(π⁰ ‖ π)`, where π(y | x) = softmax of the similarities of x with all candidates y.

    Args:
        policy: (b, m) similarities of b queries with m candidates, ÷ τ; carries gradients.
        reference: (b, m) of the frozen model, ÷ τ.

    Returns:
        Scalar, not negative.
    """
    return kl_div(log_softmax(policy, 1), log_softmax(reference, 1), reduction="batchmean", log_target=True)
