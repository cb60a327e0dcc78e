"""Random numbers that belong to a picture, not to the batch it happens to be in.

Picture number p of a run draws the same whatever the batch size, however many processes share a batch, and
wherever a run is resumed. Generators that run through a batch cannot do that; one a picture would take longer
than the drawing.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import prod

import numpy as np
import torch
from torch import Tensor

# SplitMix64 (Steele, Lea, Flood 2014, Fast Splittable Pseudorandom Number Generators, figures 16 and 17).
_STEP = np.uint64(0x9E3779B97F4A7C15)
_MIX = ((30, np.uint64(0xBF58476D1CE4E5B9)), (27, np.uint64(0x94D049BB133111EB)))
_LAST = np.uint64(31)


class Chance:
    """One sequence of random numbers a picture. Every call goes on where the one before ended.

    Args:
        seed: of the run, 0 or more.
        numbers: of the pictures, counted since the start of the run, 0 or more.
        use: what the numbers are for; different uses share nothing.
    """

    def __init__(self, seed: int, numbers: Iterable[int] | Tensor, use: int = 0) -> None:
        numbers = np.asarray(numbers, dtype=np.uint64)
        words = np.random.SeedSequence((seed, use)).generate_state(2, np.uint64)
        # twice: numbers of neighbours must not become neighbouring places in one sequence
        self._keys = _scramble(_scramble(numbers * _STEP + words[0]) ^ words[1])[:, None]
        self._drawn = 0

    def __len__(self) -> int:
        return len(self._keys)

    def uniform(self, *shape: int) -> Tensor:
        """(N, *shape) float32 in 0..1, 1 excluded."""
        bits = self._bits(shape) >> np.uint64(40)
        return torch.from_numpy(bits.astype(np.float32) * np.float32(2.0**-24))

    def uniform64(self, *shape: int) -> Tensor:
        """(N, *shape) float64 in 0..1, 1 excluded."""
        return torch.from_numpy((self._bits(shape) >> np.uint64(11)).astype(np.float64) * 2.0**-53)

    def normal(self, *shape: int) -> Tensor:
        """(N, *shape) float32 of the standard normal distribution."""
        middle = 2.0**-54  # of a step: neither 0 nor 1, where the quantile is infinite
        return torch.special.ndtri(self.uniform64(*shape) + middle).float()

    def integers(self, low: int, high: int, *shape: int) -> Tensor:
        """(N, *shape) int64 in low..high, ``high`` excluded; high - low is at most 2**32."""
        upper = self._bits(shape) >> np.uint64(32)
        return torch.from_numpy((upper * np.uint64(high - low) >> np.uint64(32)).astype(np.int64)) + low

    def fields(self, chosen: Tensor, shape: tuple[int, ...], device: torch.device) -> Tensor:
        """(n, *shape) float32, standard normal, for the n pictures that ``chosen``, (N,) of bool, names.

        Drawn by a generator of ``device`` for each picture: that is quick for whole pictures of noise.
        """
        seeds = (self._bits(()) >> np.uint64(1)).astype(np.int64)
        field = torch.empty((int(chosen.sum()), *shape), device=device)
        generator = torch.Generator(device)
        for row, seed in zip(field, seeds[chosen.numpy()], strict=True):
            row.normal_(generator=generator.manual_seed(int(seed)))
        return field

    def _bits(self, shape: tuple[int, ...]) -> np.ndarray:  # (N, *shape) uint64
        size = prod(shape)
        places = np.arange(self._drawn + 1, self._drawn + size + 1, dtype=np.uint64) * _STEP
        self._drawn += size
        return _scramble(self._keys + places).reshape(len(self._keys), *shape)


def _scramble(bits: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore"):  # arithmetic modulo 2**64 is what is meant
        for shift, factor in _MIX:
            bits = (bits ^ (bits >> np.uint64(shift))) * factor
        return bits ^ (bits >> _LAST)
