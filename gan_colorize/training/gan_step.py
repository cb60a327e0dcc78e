"""One batch: the generator's terms, the discriminator's, and the two optimizer steps."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial

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
from .parallel import Parallel


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


# A prediction, and its colours where somebody looks at them.
Guess = tuple[Prediction, Tensor | None]


class GanStep:
    """Computes terms (plain floats by name) and steps the optimizers of the networks that train.

    The discriminator sees truth and prediction at the same sharpness: the truth is pooled to the
    prediction's size and enlarged again, or blur alone would give the prediction away.

    micro_batch: images that go through the networks at once, 0 for all of this process's batch. Their
        gradients add up to the batch's, but norms over a batch are norms over so many images then, and
        spectral norms take as many steps of their power iteration.
    compiled: let torch.compile make code of both networks.
    """

    def __init__(
        self,
        networks: Networks,
        loss: Loss,
        precision: Precision,
        clip: float,
        perceptual: PerceptualLoss | None,
        micro_batch: int = 0,
        compiled: bool = False,
    ) -> None:
        self.networks, self.loss, self.precision, self.clip = networks, loss, precision, clip
        self.perceptual, self.micro_batch = perceptual, micro_batch
        self.scaler = precision.scaler()
        self.generate = Parallel(networks.generator, compiled=compiled)
        self.judge: Parallel | None = None
        if networks.discriminator is not None:
            self.judge = Parallel(networks.discriminator, "judge", compiled)

    def __call__(self, batch: Batch, train: str) -> dict[str, Tensor]:
        """One step of what ``train`` names (generator, discriminator, both) -> terms, detached scalars."""
        players = self.networks
        players.generator.train(train != "discriminator")
        if hasattr(players.generator, "detach_classes"):
            players.generator.detach_classes = compares_colours(self.loss)
        if self.judge is not None:
            self.judge.may_be_compiled(not self.loss.r1)
        pieces = batch.split(self.micro_batch)
        # One prediction serves both players; of several pieces no graph is kept, or they would save nothing.
        shared = self._guess(batch, train) if len(pieces) == 1 else None
        terms: dict[str, Tensor] = {}
        if train != "generator":
            terms |= self._learn(
                "discriminator",
                self.judge,
                [partial(self._discriminator, piece, shared) for piece in pieces],
            )
        if train != "discriminator":
            terms |= self._learn(
                "generator",
                self.generate,
                [partial(self._generator, piece, shared, train) for piece in pieces],
            )
        return terms

    def _learn(self, player: str, network: Parallel, losses: list[Callable]) -> dict[str, Tensor]:
        """One optimizer step of a player -> terms and the norm of the gradient, detached."""
        optimizer = getattr(self.networks, f"{player}_optimizer")
        terms, norm = descend(network, optimizer, self.scaler, self.clip, losses)
        return {**terms, f"{player}_gradient": norm}

    def _guess(self, batch: Batch, train: str) -> Guess:
        """What the generator says, in the chosen precision."""
        learns = train != "discriminator"
        with torch.set_grad_enabled(learns), self.precision.autocast():
            generate = self.generate if learns else self.networks.generator
            prediction = generate(batch.lightness, batch.conditions)
        with torch.set_grad_enabled(learns):
            needs_ab = train != "generator" or compares_colours(self.loss)
            return prediction, prediction.decode(self.loss.temperature).float() if needs_ab else None

    def _generator(self, batch: Batch, guess: Guess | None, train: str) -> tuple[Tensor, dict[str, Tensor]]:
        """The weighted loss and its terms."""
        prediction, ab = guess or self._guess(batch, train)
        terms = reconstruction_terms(self.loss, batch, prediction, ab, self.perceptual)
        weights = {name: getattr(self.loss, name) for name in terms}
        if train == "both" and self.loss.adversarial:
            # Frozen, not detached: the gradient passes through the discriminator to the colours.
            self.networks.discriminator.requires_grad_(False)
            judge = self.judge.alone
            full = enlarge(ab, batch.lightness)
            scores, features = self._scores(judge, batch.lightness, full, self._heard(batch))
            terms["adversarial"] = _mean(generator_loss(self.loss.adversarial_kind, s) for s in scores)
            weights["adversarial"] = self.loss.adversarial
            if self.loss.feature_matching:
                with torch.no_grad():
                    real_ab = enlarge(batch.ab, batch.lightness)
                    _, wanted = self._scores(judge, batch.lightness, real_ab, self._heard(batch))
                distances = ((f - w).abs() for f, w in zip(features, wanted, strict=True))
                terms["feature_matching"] = _mean(distances)
                weights["feature_matching"] = self.loss.feature_matching
            self.networks.discriminator.requires_grad_(True)
        total = sum(weights[name] * value for name, value in terms.items())
        # Who averages gradients waits for that of every parameter behind what a network returned: a head that
        # no term looks at gets zeros.
        if prediction.ab is not None and prediction.logits is not None:
            unseen = prediction.ab if ab is None else prediction.logits
            if ab is None or "classification" not in terms:
                total = total + 0.0 * unseen.sum()
        return total, terms

    def _discriminator(self, batch: Batch, guess: Guess | None) -> tuple[Tensor, dict[str, Tensor]]:
        """The loss and its terms."""
        fake_ab = (guess or self._guess(batch, "discriminator"))[1].detach()
        kind, lightness = self.loss.adversarial_kind, batch.lightness
        real_ab = enlarge(batch.ab, lightness).requires_grad_(self.loss.r1 > 0)
        # One pass over both halves: the same work in larger pieces.
        both = torch.cat([real_ab, enlarge(fake_ab, lightness)])
        heard = self._heard(batch).repeat(2)
        scores, _ = self._scores(self.judge, lightness.repeat(2, 1, 1, 1), both, heard)
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
        return loss, terms

    def _heard(self, batch: Batch) -> Conditions:
        """The wishes that the discriminator looks at."""
        return batch.conditions.only(self.networks.discriminator.takes)

    def _scores(
        self, judge: Callable[..., tuple], lightness: Tensor, ab: Tensor, conditions: Conditions
    ) -> tuple[list[Tensor], list[Tensor]]:
        """Scores of each scale, and the features behind them, of pictures at full size."""
        # fp16 overflows in a discriminator; where fp16 is chosen it runs in fp32.
        with torch.autocast(
            lightness.device.type, torch.bfloat16, enabled=self.precision.dtype == torch.bfloat16
        ):
            scores, features = judge(lightness, ab, conditions)
        return [score.float() for score in scores], [feature.float() for feature in features]


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
