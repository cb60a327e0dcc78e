"""One batch: the generator's terms, the discriminator's, and the two optimizer steps."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..config import Loss, Optimizer
from ..losses.adversarial import discriminator_loss, generator_loss, r1_penalty
from ..losses.classification import soft_cross_entropy
from ..losses.perceptual import PerceptualLoss
from ..losses.pixel import l1, mse, smooth_l1
from ..models.contract import Conditions, Prediction
from .batch import Batch
from .optim import Precision, descend, set_rate


@dataclass
class Networks:
    """Both players with their optimizers; no discriminator where no phase of a run trains one."""

    generator: nn.Module
    discriminator: nn.Module | None
    generator_optimizer: torch.optim.Optimizer
    discriminator_optimizer: torch.optim.Optimizer | None

    def set_rates(self, settings: Optimizer, factor: float) -> None:
        """Learning rates of the config times ``factor``."""
        set_rate(self.generator_optimizer, settings.learning_rate * factor)
        if self.discriminator_optimizer is not None:
            set_rate(self.discriminator_optimizer, settings.discriminator_rate * factor)


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
            regresses = compares_colours(self.loss)
            if hasattr(players.generator, "detach_classes"):
                players.generator.detach_classes = regresses
            prediction = self.predict(batch)
            needs_ab = train != "generator" or regresses
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
            scores, features = self._judge(batch.lightness, enlarge(ab, batch.lightness), self._heard(batch))
            terms["adversarial"] = _mean(generator_loss(self.loss.adversarial_kind, s) for s in scores)
            weights["adversarial"] = self.loss.adversarial
            if self.loss.feature_matching:
                with torch.no_grad():
                    real_ab = enlarge(batch.ab, batch.lightness)
                    _, wanted = self._judge(batch.lightness, real_ab, self._heard(batch))
                distances = ((f - w).abs() for f, w in zip(features, wanted, strict=True))
                terms["feature_matching"] = _mean(distances)
                weights["feature_matching"] = self.loss.feature_matching
            self.networks.discriminator.requires_grad_(True)
        total = sum(weights[name] * value for name, value in terms.items())
        norm = self._step(total, self.networks.generator, self.networks.generator_optimizer)
        return {**terms, "generator_gradient": norm}

    def _discriminator(self, batch: Batch, fake_ab: Tensor) -> dict[str, Tensor]:
        kind, lightness = self.loss.adversarial_kind, batch.lightness
        real_ab = enlarge(batch.ab, lightness).requires_grad_(self.loss.r1 > 0)
        # One pass over both halves: the same work in larger pieces.
        both = torch.cat([real_ab, enlarge(fake_ab, lightness)])
        scores, _ = self._judge(lightness.repeat(2, 1, 1, 1), both, self._heard(batch).repeat(2))
        reals, fakes = zip(*(score.chunk(2) for score in scores), strict=True)
        loss = _mean(discriminator_loss(kind, r, f) for r, f in zip(reals, fakes, strict=True))
        terms = {
            "discriminator": loss,
            "discriminator_real": _mean(reals),
            "discriminator_fake": _mean(fakes),
        }
        if self.loss.r1:
            real = torch.cat([score.flatten(1) for score in reals], 1)
            terms["r1"] = r1_penalty(real, real_ab).mean() * 110.0**2  # per unit of ab / 110, its input
            loss = loss + 0.5 * self.loss.r1 * terms["r1"]
        norm = self._step(loss, self.networks.discriminator, self.networks.discriminator_optimizer)
        return {**terms, "discriminator_gradient": norm}

    def _heard(self, batch: Batch) -> Conditions:
        """The wishes that the discriminator looks at."""
        return batch.conditions.only(self.networks.discriminator.takes)

    def _judge(
        self, lightness: Tensor, ab: Tensor, conditions: Conditions
    ) -> tuple[list[Tensor], list[Tensor]]:
        """Scores of each scale, and the features behind them, of pictures at full size."""
        # fp16 overflows in a discriminator; where fp16 is chosen it runs in fp32.
        with torch.autocast(
            lightness.device.type, torch.bfloat16, enabled=self.precision.dtype == torch.bfloat16
        ):
            scores, features = self.networks.discriminator.judge(lightness, ab, conditions)
        return [score.float() for score in scores], [feature.float() for feature in features]

    def _step(self, loss: Tensor, module: nn.Module, optimizer: torch.optim.Optimizer) -> Tensor:
        return descend(loss, module, optimizer, self.scaler, self.clip)


def reconstruction_terms(
    loss: Loss, batch: Batch, prediction: Prediction, ab: Tensor | None, perceptual: PerceptualLoss | None
) -> dict[str, Tensor]:
    """Every term that compares with the truth, each a scalar, without its weight.

    ab: (N, 2, h, w) the decoded prediction; needed when :func:`compares_colours`.
    """
    terms: dict[str, Tensor] = {}
    if loss.classification and prediction.logits is not None:
        entropy = soft_cross_entropy(prediction.logits, batch.indices, batch.shares)
        terms["classification"] = (entropy * batch.pixel_weight).mean()
    if loss.l1 or loss.smooth_l1 or loss.mse:
        own = prediction.uv is not None
        guess, truth = (prediction.uv.float(), batch.uv) if own else (ab / 110.0, batch.ab / 110.0)
        terms |= regression_terms(loss, guess, truth)
    if loss.lpips:
        full, truth = enlarge(ab, batch.lightness), enlarge(batch.ab, batch.lightness)
        terms["lpips"] = perceptual(batch.lightness, full, truth).mean()
    return terms


def regression_terms(loss: Loss, guess: Tensor, truth: Tensor) -> dict[str, Tensor]:
    """The terms on two maps (N, C, h, w) of about -1..1, each a scalar, without its weight."""
    terms: dict[str, Tensor] = {}
    if loss.l1:
        terms["l1"] = l1(guess, truth).mean()
    if loss.smooth_l1:
        terms["smooth_l1"] = smooth_l1(guess, truth, loss.smooth_l1_delta).mean()
    if loss.mse:
        terms["mse"] = mse(guess, truth, tuple(loss.mse_blurs)).mean()
    return terms


def compares_colours(loss: Loss) -> bool:
    """Whether a term looks at decoded colours."""
    return bool(loss.l1 or loss.smooth_l1 or loss.mse or loss.lpips)


def _mean(maps: Iterable[Tensor]) -> Tensor:
    """The mean over maps of their means."""
    return torch.stack([one.mean() for one in maps]).mean()


def enlarge(ab: Tensor, like: Tensor) -> Tensor:
    """ab (N, 2, h, w) at the size of ``like``, centre-aligned bilinear, differentiable."""
    return F.interpolate(ab.float(), size=like.shape[-2:], mode="bilinear", align_corners=False)
