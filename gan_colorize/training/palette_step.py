"""One batch of texts and palettes: the generator's terms, the discriminator's, and the optimizer steps."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from ..config import Loss
from ..evaluation.palettes import energy_score
from ..losses.adversarial import discriminator_loss, generator_loss
from ..models.text2palette import Palettes, Words
from .gan_step import Networks
from .optim import Precision, descend
from .parallel import Parallel


@dataclass(frozen=True)
class PaletteBatch:
    """words of N texts; palettes (N, 5, 3) Lab; position: pairs drawn since training began, with these."""

    words: Words
    palettes: Tensor
    position: int


# Palettes drawn for each text of a batch when they are judged together.
_SAMPLES = 4


class PaletteStep:
    """Losses of Bahng et al. 2018 for palettes: distance to the palette, divergence of the states' Gaussians
    from the standard one, and the discriminator's opinion; and the energy score.

    Distance alone wants one cautious palette for each text, whatever is drawn; the energy score wants
    palettes as far from each other as people's are. In float32 whatever the run's precision: the
    network is too small to gain from less.
    """

    def __init__(self, networks: Networks, loss: Loss, precision: Precision, clip: float) -> None:
        self.networks, self.loss, self.clip = networks, loss, clip
        self.scaler = Precision(precision.device, torch.float32).scaler()
        self.generate = Parallel(networks.generator)
        self.judge = None if networks.discriminator is None else Parallel(networks.discriminator)

    def __call__(self, batch: PaletteBatch, train: str) -> dict[str, Tensor]:
        """One step of what ``train`` names (generator, discriminator, both) -> terms, detached scalars."""
        generator = self.networks.generator
        generator.train(train != "discriminator")
        with torch.set_grad_enabled(train != "discriminator"):
            noise = generator.noise(batch.words, _SAMPLES if self.loss.energy else 1)
            guess = generator(batch.words, noise)
        terms: dict[str, Tensor] = {}
        if train != "generator":
            terms |= self._discriminator(batch, guess)
        if train != "discriminator":
            terms |= self._generator(batch, guess, adversarial=train == "both")
        return {name: value.detach() for name, value in terms.items()}

    def _generator(self, batch: PaletteBatch, guess: Palettes, adversarial: bool) -> dict[str, Tensor]:
        generator, discriminator = self.networks.generator, self.networks.discriminator
        colours = generator.normalise(guess.colours)  # (N, S, 5, 3)
        terms = {"kl": divergence(guess, batch.words.mask())}
        if self.loss.smooth_l1:
            truth = generator.normalise(batch.palettes)[:, None].expand_as(colours)
            terms["smooth_l1"] = F.smooth_l1_loss(colours, truth)
        if self.loss.energy:
            distances, between = energy_score(guess.colours, batch.palettes)
            terms["energy"] = (distances.mean() - 0.5 * between.mean()) / 100.0
        if adversarial and self.loss.adversarial:
            discriminator.requires_grad_(False)
            # The text is told as it is: it is not for the generator to talk the discriminator round.
            scores = discriminator(colours, guess.text.detach())
            terms["adversarial"] = generator_loss(self.loss.adversarial_kind, scores).mean()
            discriminator.requires_grad_(True)
        total = sum(getattr(self.loss, name) * value for name, value in terms.items())
        optimizer = self.networks.generator_optimizer
        norm = self._descend(self.generate, optimizer, total)
        return {**terms, "generator_gradient": norm}

    def _discriminator(self, batch: PaletteBatch, guess: Palettes) -> dict[str, Tensor]:
        generator, discriminator = self.networks.generator, self.networks.discriminator
        colours, text = generator.normalise(guess.colours.detach()), guess.text.detach()
        real = discriminator(generator.normalise(batch.palettes)[:, None].expand_as(colours), text)
        fake = discriminator(colours, text)
        loss = discriminator_loss(self.loss.adversarial_kind, real, fake).mean()
        optimizer = self.networks.discriminator_optimizer
        norm = self._descend(self.judge, optimizer, loss)
        return {
            "discriminator": loss,
            "discriminator_real": real.mean(),
            "discriminator_fake": fake.mean(),
            "discriminator_gradient": norm,
        }

    def _descend(self, network: Parallel, optimizer: torch.optim.Optimizer, loss: Tensor) -> Tensor:
        return descend(network, optimizer, self.scaler, self.clip, [lambda: (loss, {})])[1]


def divergence(guess: Palettes, mask: Tensor) -> Tensor:
    """Kullback-Leibler divergence of the states' Gaussians from the standard one, mean over all axes."""
    variance = guess.log_variance.exp()
    each = 0.5 * (guess.mean.square() + variance - 1.0 - guess.log_variance)  # (N, T, width)
    return each[mask].mean()
