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
        # One fused pass over the bins; with channels_last their axis is the last in memory.
        rows = logits.permute(0, 2, 3, 1)
        if logits.dtype == torch.bfloat16:
            # The gradient will be bfloat16 as well; the probabilities of which it consists need no more.
            shares = torch.softmax(rows, dim=-1).contiguous()
            chosen = shares.permute(0, 3, 1, 2).gather(1, indices)
            loss = _from_probabilities(logits.gather(1, indices), chosen, weights)
        else:
            log_shares = torch.log_softmax(rows, dim=-1, dtype=torch.float32).contiguous()
            loss = -(weights * log_shares.permute(0, 3, 1, 2).gather(1, indices)).sum(dim=1, keepdim=True)
            shares = log_shares.exp_()
        ctx.save_for_backward(shares, indices, weights)
        return loss

    @staticmethod
    def backward(ctx, grad: Tensor) -> tuple[Tensor, None, None]:
        shares, indices, weights = ctx.saved_tensors
        # In place: 12 MB for 32 pictures of 96 px. A second backward is refused by autograd's version check.
        grad = grad.to(shares.dtype)  # once, so that a pixel's gradient sums to zero over the bins
        shares.mul_(grad.permute(0, 2, 3, 1))  # softmax times the incoming gradient
        # By place in one long row: a scatter along the bins takes seven times as long in bfloat16.
        pixels = torch.arange(grad.numel(), device=grad.device).view_as(grad)
        places = (pixels * shares.shape[-1] + indices).flatten()
        shares.view(-1).index_add_(0, places, (-weights * grad).flatten().to(shares.dtype))
        return shares.permute(0, 3, 1, 2), None, None


def _from_probabilities(logits: Tensor, shares: Tensor, weights: Tensor) -> Tensor:
    """The cross-entropy of k bins, from their logits and rounded probabilities, all (N, k, h, w).

    One entry already tells a row's normaliser, log(sum(exp(z))) = z - log(p); the k together tell it to less
    than 0.01 nats, without bias. Where all of them underflow, the loss is reported as 87 nats above them.
    """
    logits, total = logits.float(), shares.float().sum(dim=1, keepdim=True)
    tiny = torch.finfo(torch.float32).tiny
    normaliser = logits.logsumexp(dim=1, keepdim=True) - total.clamp(min=tiny).log()
    return (weights * (normaliser - logits)).sum(dim=1, keepdim=True)


def soft_cross_entropy(logits: Tensor, indices: Tensor, weights: Tensor) -> Tensor:
    """Cross-entropy between a predicted distribution and a sparse soft target, unreduced.

    Args:
        logits: (N, Q, h, w), any float type; computed in float32. The probabilities of bfloat16 logits
            are rounded to bfloat16, as their gradient is.
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
