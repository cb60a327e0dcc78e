"""One batch: the generator's terms, the discriminator's, and the two optimizer steps."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..config import Loss
from ..losses.adversarial import discriminator_loss, generator_loss, r1_penalty
from ..losses.classification import soft_cross_entropy
from ..losses.perceptual import PerceptualLoss
from ..losses.pixel import smooth_l1_ab
from ..models.contract import Prediction
from .batch import Batch
from .optim import Precision


@dataclass
class Networks:
    """Both players with their optimizers."""

    generator: nn.Module
    discriminator: nn.Module
    generator_optimizer: torch.optim.Optimizer
    discriminator_optimizer: torch.optim.Optimizer


class GanStep:
    """Computes terms (plain floats by name) and steps the optimizers of the networks that train.

    The discriminator sees truth and prediction at the same sharpness: the truth is pooled to the
    prediction's size and enlarged again, or blur alone would give the prediction away.
    """

    def __init__(
        self,
        networks: Networks,
        loss: Loss,
        precision: Precision,
        clip: float,
        perceptual: PerceptualLoss | None,
    ) -> None:
        self.networks, self.loss, self.precision, self.clip = networks, loss, precision, clip
        self.perceptual = perceptual
        self.scaler = precision.scaler()

    def __call__(self, batch: Batch, train: str) -> dict[str, Tensor]:
        """One step of what ``train`` names (generator, discriminator, both) -> terms, detached scalars."""
        players = self.networks
        players.generator.train(train != "discriminator")
        with torch.set_grad_enabled(train != "discriminator"):
            prediction = self.predict(batch)
            needs_ab = train != "generator" or self.loss.smooth_l1 or self.loss.lpips
            ab = prediction.decode(self.loss.temperature).float() if needs_ab else None
        terms: dict[str, Tensor] = {}
        if train != "generator":
            terms |= self._discriminator(batch, ab.detach())
        if train != "discriminator":
            terms |= self._generator(batch, prediction, ab, adversarial=train == "both")
        return {name: value.detach() for name, value in terms.items()}

    def predict(self, batch: Batch) -> Prediction:
        """The generator's prediction in the chosen precision."""
        with self.precision.autocast():
            return self.networks.generator(batch.lightness, batch.conditions)

    def _generator(
        self, batch: Batch, prediction: Prediction, ab: Tensor | None, adversarial: bool
    ) -> dict[str, Tensor]:
        terms = reconstruction_terms(self.loss, batch, prediction, ab, self.perceptual)
        weights = {name: getattr(self.loss, name) for name in terms}
        if adversarial and self.loss.adversarial:
            # Frozen, not detached: the gradient passes through the discriminator to the colours.
            self.networks.discriminator.requires_grad_(False)
            scores = self._scores(batch.lightness, enlarge(ab, batch.lightness))
            terms["adversarial"] = generator_loss(self.loss.adversarial_kind, scores).mean()
            weights["adversarial"] = self.loss.adversarial
            self.networks.discriminator.requires_grad_(True)
        total = sum(weights[name] * value for name, value in terms.items())
        norm = self._step(total, self.networks.generator, self.networks.generator_optimizer)
        return {**terms, "generator_gradient": norm}

    def _discriminator(self, batch: Batch, fake_ab: Tensor) -> dict[str, Tensor]:
        kind, lightness = self.loss.adversarial_kind, batch.lightness
        real_ab = enlarge(batch.ab, lightness).requires_grad_(self.loss.r1 > 0)
        # One pass over both halves: the same work in larger pieces.
        both = torch.cat([real_ab, enlarge(fake_ab, lightness)])
        real, fake = self._scores(lightness.repeat(2, 1, 1, 1), both).chunk(2)
        loss = discriminator_loss(kind, real, fake).mean()
        terms = {"discriminator": loss, "discriminator_real": real.mean(), "discriminator_fake": fake.mean()}
        if self.loss.r1:
            terms["r1"] = r1_penalty(real, real_ab).mean() * 110.0**2  # per unit of ab / 110, its input
            loss = loss + 0.5 * self.loss.r1 * terms["r1"]
        norm = self._step(loss, self.networks.discriminator, self.networks.discriminator_optimizer)
        return {**terms, "discriminator_gradient": norm}

    def _scores(self, lightness: Tensor, ab: Tensor) -> Tensor:
        # fp16 overflows in a discriminator; where fp16 is chosen it runs in fp32.
        with torch.autocast(
            lightness.device.type, torch.bfloat16, enabled=self.precision.dtype == torch.bfloat16
        ):
            return self.networks.discriminator(lightness, ab).float()

    def _step(self, loss: Tensor, module: nn.Module, optimizer: torch.optim.Optimizer) -> Tensor:
        optimizer.zero_grad(set_to_none=True)
        self.scaler.scale(loss).backward()
        self.scaler.unscale_(optimizer)
        gradients = [p.grad for p in module.parameters() if p.grad is not None]
        norm = nn.utils.get_total_norm(gradients)
        if norm > self.clip:  # else the pass over all gradients would multiply by 1
            excess = (norm + 1e-6) / self.clip
            if optimizer.param_groups[0]["fused"] and not self.scaler.is_enabled():
                optimizer.grad_scale = excess  # the fused step divides by it as it reads: one pass less
            else:
                torch._foreach_div_(gradients, excess)
        # A step with a non-finite gradient would poison the weights before the guard can speak.
        if self.scaler.is_enabled() or bool(norm.isfinite()):
            self.scaler.step(optimizer)
        self.scaler.update()
        optimizer.grad_scale = None
        return norm


def reconstruction_terms(
    loss: Loss, batch: Batch, prediction: Prediction, ab: Tensor | None, perceptual: PerceptualLoss | None
) -> dict[str, Tensor]:
    """Every term that compares with the truth, each a scalar, without its weight.

    ab: (N, 2, h, w) the decoded prediction; needed when smooth_l1 or lpips has a weight.
    """
    terms: dict[str, Tensor] = {}
    if loss.classification and prediction.logits is not None:
        entropy = soft_cross_entropy(prediction.logits, batch.indices, batch.shares)
        terms["classification"] = (entropy * batch.pixel_weight).mean()
    if loss.smooth_l1:
        terms["smooth_l1"] = smooth_l1_ab(ab, batch.ab).mean()
    if loss.lpips:
        full, truth = enlarge(ab, batch.lightness), enlarge(batch.ab, batch.lightness)
        terms["lpips"] = perceptual(batch.lightness, full, truth).mean()
    return terms


def enlarge(ab: Tensor, like: Tensor) -> Tensor:
    """ab (N, 2, h, w) at the size of ``like``, centre-aligned bilinear, differentiable."""
    return F.interpolate(ab.float(), size=like.shape[-2:], mode="bilinear", align_corners=False)
