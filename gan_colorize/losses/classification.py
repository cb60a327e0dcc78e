"""Class-rebalanced cross-entropy against a sparse soft target (Zhang et al. 2016, eq. 2 and 4)."""

from __future__ import annotations

import torch
from torch import Tensor

# An image whose chroma never passes this has no colour to learn from; the 2016 training code's "grey mask".
GREY_AB = 5.0


class _SparseSoftCrossEntropy(torch.autograd.Function):
    """Cross-entropy per pixel; the target's few non-zero entries are all that is ever stored of it."""

    @staticmethod
    def forward(ctx, logits: Tensor, indices: Tensor, weights: Tensor) -> Tensor:
        # One fused pass over the bins, cast included; with channels_last their axis is the last in memory.
        rows = logits.permute(0, 2, 3, 1)
        log_shares = torch.log_softmax(rows, dim=-1, dtype=torch.float32).permute(0, 3, 1, 2)
        ctx.save_for_backward(log_shares, indices, weights)
        return -(weights * log_shares.gather(1, indices)).sum(dim=1, keepdim=True)

    @staticmethod
    def backward(ctx, grad: Tensor) -> tuple[Tensor, None, None]:
        log_shares, indices, weights = ctx.saved_tensors
        # In place: 23 MB for 32 pictures of 96 px. A second backward is refused by autograd's version check.
        result = log_shares.exp_().mul_(grad)  # softmax times the incoming gradient
        return result.scatter_add_(1, indices, -weights * grad), None, None


def soft_cross_entropy(logits: Tensor, indices: Tensor, weights: Tensor) -> Tensor:
    """Cross-entropy between a predicted distribution and a sparse soft target, unreduced.

    Args:
        logits: (N, Q, h, w), any float type; computed in float32.
        indices: (N, k, h, w) int64, the bins that carry the target's mass.
        weights: (N, k, h, w) their shares, summing to 1 over k.

    Returns:
        (N, 1, h, w) in nats.
    """
    return _SparseSoftCrossEntropy.apply(logits, indices, weights)


def pixel_weights(indices: Tensor, weights: Tensor, class_weights: Tensor) -> Tensor:
    """v(Z) of eq. 2: the weight of the bin that holds most of a pixel's target, (N, 1, h, w)."""
    heaviest, share = indices[:, :1], weights[:, :1]
    for k in range(1, indices.shape[1]):  # ten times as fast as argmax over a strided axis of 5
        heaviest = torch.where(weights[:, k : k + 1] > share, indices[:, k : k + 1], heaviest)
        share = torch.maximum(share, weights[:, k : k + 1])
    return class_weights.to(indices.device)[heaviest]


def has_colour(ab: Tensor) -> Tensor:
    """(N, 1, 1, 1) 1.0 for images with |a| or |b| above 5 somewhere, else 0.0; ab (N, 2, H, W)."""
    return (ab.abs().amax(dim=(1, 2, 3), keepdim=True) > GREY_AB).float()
