"""The task of drawing palettes: texts in, the palettes that people gave them learned (Bahng et al. 2018)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..color.palette import palette_to_lab
from ..config import Config, Phase
from ..errors import UserError
from ..files import atomic_path
from ..text import vectors
from ..text.pat import Pair, read_pairs
from ..text.vectors import split
from .optim import Precision
from .palette_step import PaletteBatch, PaletteStep
from .palette_validate import PaletteValidator
from .task import create_networks

_FEWEST = 4


@dataclass(frozen=True)
class PaletteData:
    """Pairs to learn from, pairs held out, and a fingerprint of both."""

    training: list[Pair]
    validation: list[Pair]
    fingerprint: str


class PaletteTask:
    """Generator and discriminator on batches of pairs; see :class:`~gan_colorize.training.task.Task`."""

    learns = frozenset({"palette"})

    def __init__(
        self,
        config: Config,
        data: PaletteData,
        device: torch.device,
        precision: Precision,
        resume: bool,
        init: Path | None,
    ) -> None:
        if config.run.best_by != "loss":
            raise UserError(f"run.best_by: {config.run.best_by} must be loss, for palettes have no other")
        self.data, self.seed, self.fingerprint = data, config.run.seed, data.fingerprint
        # Weights that are gone on with bring their own vocabulary.
        own = {"vocabulary": _vocabulary(data.training)} | dict(config.model.options)
        self.networks = create_networks(
            replace(config, model=replace(config.model, options=own)), device, resume, init
        )
        if init is None and not resume:
            self.networks.generator.load_pretrained()
        self.device = device
        self.step = PaletteStep(self.networks, config.loss, precision, config.optimizer.clip_gradient)
        self.config = config
        self.palettes = _palettes(data.training)
        self.texts = [pair.text for pair in data.training]
        held = [pair.text for pair in data.validation]
        self.validator = PaletteValidator(held, _palettes(data.validation), self.palettes)

    @staticmethod
    def prepare(
        config: Config,
        paths: list[Path],
        validation: list[Path],
        folder: Path,
        say: Callable[[str], None],
        progress: Callable[[int, int], None],
    ) -> PaletteData:
        """Read the CSV files; hold out pairs or read those to validate on.

        Rows that are no pair are left out and listed in ``folder/skipped.txt``.
        """
        vectors.open_vectors()  # without them there is nothing to start from
        training, bad = _read(paths)
        held, more = _read(validation)
        bad += more
        if not validation:
            order = np.random.default_rng(config.run.seed).permutation(len(training))
            count = min(config.data.validation_images, len(training) // 5)
            held = [training[i] for i in np.sort(order[:count])]
            training = [training[i] for i in np.sort(order[count:])]
        if len(training) < _FEWEST or not held:
            where = ", ".join(map(str, paths))
            raise UserError(f"--data {where}: {len(training)} pairs of text and palette are too few")
        if bad:
            lines = "".join(f"{place}\t{reason}\n" for place, reason in bad)
            with atomic_path(folder / "skipped.txt") as temporary:
                temporary.write_text(lines, encoding="utf-8")
            place, reason = bad[0]
            say(f"{len(bad):,} rows are no pair, such as {place} ({reason}); see {folder / 'skipped.txt'}")
        say(f"{len(training):,} pairs to learn from, {len(held):,} held out")
        digest = hashlib.sha256()
        for pair in (*training, *held):
            digest.update(pair.text.encode() + b"\0" + pair.palette.tobytes())
        return PaletteData(training, held, digest.hexdigest())

    def batches(self, phase: Phase, position: int) -> Iterator[PaletteBatch]:
        """Endless batches; every pass over the pairs has an order of its own."""
        self.step.loss = replace(self.config.loss, **phase.loss)
        count = len(self.texts)
        epoch, order = -1, np.arange(0)
        while True:
            indices = []
            for place in range(position, position + phase.batch_size):
                if place // count != epoch:
                    epoch = place // count
                    order = np.random.default_rng((self.seed, epoch)).permutation(count)
                indices.append(order[place % count])
            words, _ = self.networks.generator.read([self.texts[i] for i in indices])
            position += phase.batch_size
            palettes = self.palettes[torch.from_numpy(np.array(indices))]
            yield PaletteBatch(words.to(self.device), palettes.to(self.device), position)


TASK = PaletteTask


def _read(paths: list[Path]) -> tuple[list[Pair], list[tuple[str, str]]]:
    read = [read_pairs(path) for path in paths]
    return [pair for pairs, _ in read for pair in pairs], [line for _, lines in read for line in lines]


def _vocabulary(pairs: list[Pair]) -> str:
    return " ".join(sorted({word for pair in pairs for word in split(pair.text)}))


def _palettes(pairs: list[Pair]) -> Tensor:  # (M, 5, 3) Lab
    return palette_to_lab(np.stack([pair.palette for pair in pairs]))
