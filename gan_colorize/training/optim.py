"""Optimizers, their schedule and the numeric precision, decided once."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ..config import Optimizer, Phase
from .parallel import Parallel


@dataclass(frozen=True)
class Precision:
    """Where autocast applies. fp16 needs its gradients scaled; bf16 and fp32 do not."""

    device: torch.device
    dtype: torch.dtype

    def autocast(self) -> AbstractContextManager:
        """Mixed precision around a forward pass; a no-op in fp32."""
        enabled = self.dtype != torch.float32
        return torch.autocast(
            self.device.type, dtype=self.dtype if enabled else torch.bfloat16, enabled=enabled
        )

    def scaler(self) -> torch.amp.GradScaler:
        """A gradient scaler that does nothing unless the precision is fp16."""
        return torch.amp.GradScaler(self.device.type, enabled=self.dtype == torch.float16)


def adamw(
    module: nn.Module, rate: float, betas: list[float], decay: float, encoder_rate: float = 1.0
) -> torch.optim.AdamW:
    """AdamW with decay on matrices only; ``encoder_rate`` scales the rate of ``module.encoder``.

    Parameters that are frozen when it is made stay out of it.

    Each group keeps its own "scale"; :func:`set_rate` multiplies by it.
    """
    # Keyed by kind, not by value: the groups of a run stay the same when a resumed run changes the values.
    groups: dict[tuple[bool, bool], list[nn.Parameter]] = {}
    for name, parameter in module.named_parameters():
        if parameter.requires_grad:
            groups.setdefault((name.startswith("encoder."), parameter.ndim > 1), []).append(parameter)
    kinds = [(encoder_rate if e else 1.0, decay if m else 0.0, p) for (e, m), p in groups.items()]
    device = next(module.parameters()).device.type
    return torch.optim.AdamW(
        [{"params": p, "weight_decay": d, "scale": s, "lr": rate * s} for s, d, p in kinds],
        lr=rate,
        betas=tuple(betas),
        fused=device in ("cpu", "cuda"),  # one pass over each tensor instead of ten
    )


def set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Set the learning rate of every group, each times its own scale."""
    for group in optimizer.param_groups:
        group["lr"] = rate * group["scale"]


def rate_factor(config: Optimizer, phase: Phase, images_in_phase: int, images: int) -> float:
    """Warm-up over the run's first images, and a cosine from the phase's first factor to its last."""
    progress = min(images_in_phase / phase.images, 1.0)
    cosine = 0.5 * (1.0 + math.cos(math.pi * progress))
    warmup = min(1.0, (images + 1) / config.warmup_images) if config.warmup_images else 1.0
    return warmup * (phase.final_rate + (phase.learning_rate - phase.final_rate) * cosine)


def descend(
    network: Parallel,
    optimizer: torch.optim.Optimizer,
    scaler: torch.amp.GradScaler,
    clip: float,
    losses: Iterable[Callable[[], tuple[Tensor, dict[str, Tensor]]]],
) -> tuple[dict[str, Tensor], Tensor]:
    """One step of the optimizer down the mean of losses, whose gradient is clipped.

    Args:
        network: whose parameters the optimizer has.
        losses: each computes a loss, by calling ``network``, and its terms; one after the other, so that only
            one graph is there at a time.

    Returns:
        The mean terms, detached, and the norm of the gradient before it was clipped.
    """
    optimizer.zero_grad(set_to_none=True)
    losses = list(losses)
    means: dict[str, Tensor] = {}
    for number, compute in enumerate(losses, 1):
        with network.keeps_gradients() if number < len(losses) else nullcontext():
            loss, terms = compute()
            scaler.scale(loss / len(losses)).backward()
        for name, value in terms.items():
            share = value.detach() / len(losses)
            means[name] = means[name] + share if name in means else share
    scaler.unscale_(optimizer)
    gradients = [p.grad for p in network.module.parameters() if p.grad is not None]
    norm = nn.utils.get_total_norm(gradients)
    if norm > clip:  # else the pass over all gradients would multiply by 1
        excess = (norm + 1e-6) / clip
        if optimizer.param_groups[0]["fused"] and not scaler.is_enabled():
            optimizer.grad_scale = excess  # the fused step divides by it as it reads: one pass less
        else:
            torch._foreach_div_(gradients, excess)
    # A step with a non-finite gradient would poison the weights before the guard can speak.
    if scaler.is_enabled() or bool(norm.isfinite()):
        scaler.step(optimizer)
    scaler.update()
    optimizer.grad_scale = None
    return means, norm
