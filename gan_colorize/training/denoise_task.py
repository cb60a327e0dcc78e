"""The task of restoring grey photographs: noise of any strength in one model (Santhanam et al. 2017)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn

from ..config import Config, Loss
from ..data.chance import Chance
from ..data.noise import LIGHTNESS_PER_LEVEL, luma8, noisy8, to_levels
from ..distributed import from_main
from ..evaluation.psnr import psnr
from ..models.contract import Prediction
from .batch import Prepare
from .gan_step import Networks, regression_terms
from .optim import Precision, descend
from .parallel import Parallel
from .photographs import PhotographTask, TrainingData, phase_loss
from .validate import save_sheet

SIGMAS = (10, 25, 50)
_CHUNK, _SHOWN = 16, 12


@dataclass(frozen=True)
class NoisyBatch:
    """lightness: (N, 1, S, S) what the network sees; clean: (N, 1, S, S) the truth, both 8-bit levels on the
    scale of L (:mod:`gan_colorize.data.noise`); position: images drawn since training began, with these."""

    lightness: Tensor
    clean: Tensor
    position: int

    def split(self, piece: int) -> list[NoisyBatch]:
        """The same in parts of ``piece`` pictures; 0: in one."""
        parts = zip(*(t.split(piece or len(t)) for t in (self.lightness, self.clean)), strict=True)
        return [NoisyBatch(*part, self.position) for part in parts]


class NoiseMaker:
    """Builds a NoisyBatch; of every picture a pure function of its pixels, its number and the run's seed.

    sigmas: lowest and highest, between which each picture's is drawn uniformly; in 8-bit levels.
    """

    def __init__(self, sigmas: tuple[float, float], seed: int) -> None:
        self.sigmas, self.seed = sigmas, seed

    def training(self, rgb: Tensor, numbers: Tensor, position: int) -> NoisyBatch:
        """rgb (N, 3, S, S) uint8, on the training device, with the numbers of these images in the stream."""
        chance = Chance(self.seed, numbers)
        low, high = self.sigmas
        sigma = low + (high - low) * chance.uniform()
        clean = luma8(rgb)
        noisy = noisy8(clean, sigma, chance)
        return NoisyBatch(noisy * LIGHTNESS_PER_LEVEL, clean * LIGHTNESS_PER_LEVEL, position)


class DenoiseStep:
    """One step of the generator; there is no discriminator in this task."""

    def __init__(
        self,
        networks: Networks,
        loss: Loss,
        precision: Precision,
        clip: float,
        micro_batch: int = 0,
        compiled: bool = False,
    ) -> None:
        self.networks, self.loss, self.precision, self.clip = networks, loss, precision, clip
        self.micro_batch = micro_batch
        self.scaler = precision.scaler()
        self.generate = Parallel(networks.generator, compiled=compiled)

    def __call__(self, batch: NoisyBatch, train: str) -> dict[str, Tensor]:
        """One step -> terms, detached scalars. ``train`` is always "generator"."""
        self.networks.generator.train()
        losses = [partial(self._restore, piece) for piece in batch.split(self.micro_batch)]
        optimizer = self.networks.generator_optimizer
        terms, norm = descend(self.generate, optimizer, self.scaler, self.clip, losses)
        return {**terms, "generator_gradient": norm}

    def _restore(self, batch: NoisyBatch) -> tuple[Tensor, dict[str, Tensor]]:
        """The weighted loss and its terms."""
        with self.precision.autocast():
            prediction = self.generate(batch.lightness)
        terms = restoration_terms(self.loss, prediction, batch.clean)
        return sum(getattr(self.loss, name) * value for name, value in terms.items()), terms


class DenoiseValidator:
    """Measures a generator on fixed pictures ``rgb`` (M, 3, S, S) uint8, with fixed noise of each sigma."""

    temperature = 1.0  # nothing is decoded

    def __init__(self, rgb: Tensor, loss: Loss) -> None:
        self.clean, self.loss = luma8(rgb), loss
        levels = {sigma: torch.full((len(rgb),), float(sigma)) for sigma in SIGMAS}
        self.noisy = {
            sigma: noisy8(self.clean, each, Chance(sigma, range(len(rgb)))) for sigma, each in levels.items()
        }
        self.baseline = {s: float(grey_psnr(self.clean, noisy).mean()) for s, noisy in self.noisy.items()}

    def __call__(self, model: nn.Module, precision: Precision) -> tuple[dict[str, float], dict[int, Tensor]]:
        """As :meth:`measure`, by the main process for all."""
        return from_main(lambda: self.measure(model, precision))

    @torch.no_grad()
    def measure(self, model: nn.Module, precision: Precision) -> tuple[dict[str, float], dict[int, Tensor]]:
        """Metrics, and the restored pictures (M, 1, S, S) uint8 by sigma.

        "loss", "psnr" and "noisy_psnr" (of what the network is given) are means over all sigmas; "psnr_25",
        "noisy_psnr_25" and so on are of one.
        """
        losses, restored = [], {}
        for sigma, noisy in self.noisy.items():
            pictures = []
            for start in range(0, len(noisy), _CHUNK):
                chunk = slice(start, start + _CHUNK)
                seen, clean = (
                    grey[chunk].to(precision.device) * LIGHTNESS_PER_LEVEL for grey in (noisy, self.clean)
                )
                with precision.autocast():
                    prediction = model(seen)
                terms = restoration_terms(self.loss, prediction, clean)
                total = sum(getattr(self.loss, name) * value for name, value in terms.items())
                losses.append(float(total) * len(seen))
                pictures.append(to_levels(prediction.lightness).cpu())
            restored[sigma] = torch.cat(pictures)
        scores = {sigma: float(grey_psnr(self.clean, each).mean()) for sigma, each in restored.items()}
        metrics = {
            "loss": sum(losses) / (len(SIGMAS) * len(self.clean)),
            "psnr": sum(scores.values()) / len(SIGMAS),
            "noisy_psnr": sum(self.baseline.values()) / len(SIGMAS),
        }
        for sigma in SIGMAS:
            metrics |= {f"psnr_{sigma}": scores[sigma], f"noisy_psnr_{sigma}": self.baseline[sigma]}
        return metrics, restored

    def save_grid(self, pictures: dict[int, Tensor], path: Path) -> None:
        """Groups of noisy | restored | clean, the sigmas in turn."""
        rows = []
        for index in range(min(_SHOWN, len(self.clean))):
            sigma = SIGMAS[index % len(SIGMAS)]
            rows.append(torch.stack([x[index] for x in (self.noisy[sigma], pictures[sigma], self.clean)]))
        save_sheet(torch.stack(rows).expand(-1, -1, 3, -1, -1), path)


class DenoiseTask(PhotographTask):
    """A generator that returns lightness, on random crops of photographs made grey and noisy."""

    learns = frozenset({"lightness"})

    def __init__(
        self,
        config: Config,
        data: TrainingData,
        device: torch.device,
        precision: Precision,
        resume: bool,
        init: Path | None,
    ) -> None:
        super().__init__(config, data, device, resume, init)
        loss = phase_loss(config, config.phases[0])
        settings = config.optimizer
        self.step = DenoiseStep(
            self.networks,
            loss,
            precision,
            settings.clip_gradient,
            settings.micro_batch,
            config.run.compile,
        )
        self.prepare_batch = Prepare(NoiseMaker(tuple(config.data.noise), config.run.seed), device)
        self.validator = DenoiseValidator(data.validation, loss)


TASK = DenoiseTask


def restoration_terms(loss: Loss, prediction: Prediction, clean: Tensor) -> dict[str, Tensor]:
    """Every term that compares with the clean picture, white being 1; each a scalar, without its weight."""
    return regression_terms(loss, prediction.lightness.float() / 100.0, clean / 100.0)


def grey_psnr(clean: Tensor, other: Tensor) -> Tensor:
    """PSNR in dB of each of (M, 1, S, S) uint8 -> (M,) float64."""
    return psnr(clean.expand(-1, 3, -1, -1), other.expand(-1, 3, -1, -1))
