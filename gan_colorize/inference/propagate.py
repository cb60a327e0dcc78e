"""What the network left of a hint is spread from it, so that a hint is met where it was given.

A network is told of a hint and colours what it takes to be the same thing; near the hint its colour still
differs from the one that was asked for. That difference, known at the hints, is estimated everywhere else by
Gaussian process regression (Rasmussen, Williams 2006, eq. 2.25): the network's colours are its mean, and two
places are alike as far as they are near, equally light and equally coloured by the network.
scripts/hint_curve.py measures what it is worth.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F

# Of the grid on which differences are spread, in pixels of the network's plane; more is slower and no better.
CELL = 4

# How far a hint reaches: the kernel falls to 1/e over this share of the photograph's shorter side,
_REACH = 0.3
# over so many units of L and of ab (there to exp(-1/2)).
_LIGHTNESS, _CHROMA = 12.0, 12.0
# Variance of what is told, in the unit of the spread of differences: 0 would meet every hint exactly, and
# overshoot where two that contradict each other are neighbours.
_NOISE = 0.02
# Cells that are looked at together: some 12 MB with the most hints.
_BLOCK = 2048
# Beyond this many cells with hints, an even choice of them: the equations grow with the third power.
_MOST = 1500


def meet_hints(
    ab: np.ndarray, lightness: np.ndarray, told: tuple[np.ndarray, np.ndarray], seen: tuple[int, int]
) -> np.ndarray:
    """Correct a network's chroma by the hints it was given.

    Args:
        ab: (2, h, w), -110..110, on a grid of H / h pixels of the plane.
        lightness: (H, W) L of the plane that the network saw.
        told: hints (2, H, W) and mask (1, H, W) of :func:`~gan_colorize.inference.hints.paint`.
        seen: (height, width) of the part of the plane that is photograph.

    Returns:
        (2, h, w) float32.
    """
    mask = _pooled(told[1])[0]
    rows, columns = np.nonzero(mask > 0)
    if not len(rows):
        return ab
    if len(rows) > _MOST:
        chosen = np.linspace(0, len(rows) - 1, _MOST).round().astype(int)
        rows, columns = rows[chosen], columns[chosen]
    light = _pooled(lightness[None])[0]
    stride = lightness.shape[0] // ab.shape[1]
    coarse = _resized(ab, light.shape) if stride != CELL else ab
    wanted = _pooled(told[0])[:, rows, columns] / mask[rows, columns]
    cells = np.mgrid[: light.shape[0], : light.shape[1]].astype(np.float32) / (min(seen) / CELL * _REACH)
    # what decides how alike two places are, (5, h*w): the first two by distance, the others by its square
    near = cells.reshape(2, -1)
    like = np.concatenate([light[None] / _LIGHTNESS, coarse / _CHROMA]).reshape(3, -1).astype(np.float32)
    index = rows * light.shape[1] + columns
    difference = wanted - coarse.reshape(2, -1)[:, index]  # (2, n)
    hinted = near[:, index], like[:, index]
    covariance = _kernel(hinted, hinted).astype(np.float64) + _NOISE * np.eye(len(index))
    weights = np.linalg.solve(covariance, difference.T.astype(np.float64)).astype(np.float32)  # (n, 2)
    spread = np.concatenate(
        [
            _kernel((near[:, start : start + _BLOCK], like[:, start : start + _BLOCK]), hinted) @ weights
            for start in range(0, near.shape[1], _BLOCK)
        ]
    )
    spread = np.ascontiguousarray(spread.T).reshape(2, *light.shape)
    if stride != CELL:
        spread = _resized(spread, ab.shape[1:])
    return (ab + spread).astype(np.float32)


def _kernel(cells: tuple[np.ndarray, np.ndarray], hinted: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """How alike cells, given as (near, like), are to those with hints: (cells, n)."""
    exponent = -np.sqrt(_squared(cells[0], hinted[0]))
    exponent -= 0.5 * _squared(cells[1], hinted[1])
    return np.exp(exponent, out=exponent)


def _squared(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """(d, p) and (d, n) -> (p, n) squared distances."""
    total = np.zeros((one.shape[1], other.shape[1]), np.float32)
    for mine, theirs in zip(one, other, strict=True):
        step = mine[:, None] - theirs
        total += step * step
    return total


def _pooled(planes: np.ndarray) -> np.ndarray:
    """(c, H, W) -> (c, H/4, W/4) means."""
    return F.avg_pool2d(torch.from_numpy(np.ascontiguousarray(planes, np.float32))[None], CELL)[0].numpy()


def _resized(planes: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """(c, h, w) at another size: means where it shrinks, bilinear where it grows."""
    tensor = torch.from_numpy(np.ascontiguousarray(planes, np.float32))[None]
    if shape[0] < planes.shape[1]:
        return F.adaptive_avg_pool2d(tensor, shape)[0].numpy()
    return F.interpolate(tensor, shape, mode="bilinear", align_corners=False)[0].numpy()
