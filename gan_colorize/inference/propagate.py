"""A hint is met where it was given, and reaches its surroundings and what looks like them.

A network is told of a hint and colours what it takes to be the same thing; near the hint its colour still
differs from the one that was asked for. That difference, known at the hints, is estimated everywhere else by
Gaussian process regression (Rasmussen, Williams 2006, eq. 2.25): the network's colours are its mean, and two
places are alike as far as they are near, equally light and equally coloured by the network.

Told of a hint the network also changes its mind of the whole picture. Where no hint reaches, its colours are
therefore those that it has without hints. ``gan-colorize evaluate --guided`` measures what both are worth.
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
# The same for how far the network itself is followed;
_FOLLOWED, _FOLLOWED_LIGHTNESS, _FOLLOWED_CHROMA = 0.6, 12.0, 12.0
# and it is followed where its colours change nearly as much as at a hint, for that is what it takes to be the
# same thing: shares of the largest change at a hint from which on that counts, and counts wholly.
_SLIGHT, _SAME_THING = 0.2, 0.5
# Variance of what is told, in the unit of the spread of differences: 0 would meet every hint exactly, and
# overshoot where two that contradict each other are neighbours.
_NOISE = 0.02
# Cells that are looked at together: some 12 MB with the most hints.
_BLOCK = 2048
# Beyond this many cells with hints, an even choice of them: the equations grow with the third power.
_MOST = 1500
# Fewer are enough to tell how far the network is followed: so many hints leave hardly a place out.
_MOST_FOLLOWED = 300


def within_reach(
    ab: np.ndarray,
    free: np.ndarray,
    lightness: np.ndarray,
    told: tuple[np.ndarray, np.ndarray],
    seen: tuple[int, int],
) -> np.ndarray:
    """A network's chroma where hints reach, and elsewhere its chroma without them.

    Args:
        ab: (2, h, w), told of the hints; free: the same without. The rest as in :func:`meet_hints`.

    Returns:
        (2, h, w) float32: each place a mean of both, by how likely it is that any of the hints concerns it:
        because it is near and alike, or because the network recolours it as it does the hint's own place.
    """
    rows, columns = _hinted(told[1], _MOST_FOLLOWED)
    if not len(rows):
        return free
    light = _pooled(lightness[None])[0]
    other_grid = free.shape[1:] != light.shape
    coarse, hinted_coarse = (_resized(one, light.shape) if other_grid else one for one in (free, ab))
    scales = (_FOLLOWED, _FOLLOWED_LIGHTNESS, _FOLLOWED_CHROMA)
    near, like, index = _features(light, coarse, rows, columns, seen, scales)
    hinted = near[:, index], like[:, index]
    missed = np.concatenate(
        [
            np.prod(1.0 - _kernel((near[:, i : i + _BLOCK], like[:, i : i + _BLOCK]), hinted), axis=1)
            for i in range(0, near.shape[1], _BLOCK)
        ]
    ).reshape(1, *light.shape)
    change = np.linalg.norm(hinted_coarse - coarse, axis=0)
    share = change / max(float(change[rows, columns].max()), 1e-3)
    same = np.clip((share - _SLIGHT) / (_SAME_THING - _SLIGHT), 0.0, 1.0)
    missed = missed * (1.0 - same * same * (3.0 - 2.0 * same))  # without a kink at either end
    if other_grid:
        missed = _resized(missed, free.shape[1:])
    return (ab + missed * (free - ab)).astype(np.float32)


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
    rows, columns = _hinted(told[1], _MOST)
    if not len(rows):
        return ab
    light = _pooled(lightness[None])[0]
    stride = lightness.shape[0] // ab.shape[1]
    coarse = _resized(ab, light.shape) if stride != CELL else ab
    wanted = _pooled(told[0])[:, rows, columns] / _pooled(told[1])[0, rows, columns]
    scales = (_REACH, _LIGHTNESS, _CHROMA)
    near, like, index = _features(light, coarse, rows, columns, seen, scales)
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


def _hinted(mask: np.ndarray, most: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns of the cells with hints; of too many an even choice."""
    rows, columns = np.nonzero(_pooled(mask)[0] > 0)
    if len(rows) > most:
        chosen = np.linspace(0, len(rows) - 1, most).round().astype(int)
        rows, columns = rows[chosen], columns[chosen]
    return rows, columns


def _features(
    light: np.ndarray,
    ab: np.ndarray,
    rows: np.ndarray,
    columns: np.ndarray,
    seen: tuple[int, int],
    scales: tuple[float, float, float],
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What decides how alike two cells are: (2, h*w) by distance, (3, h*w) by its square; and which of the
    cells (n,) those of ``rows`` and ``columns`` are. scales: of place, L and ab."""
    cells = np.mgrid[: light.shape[0], : light.shape[1]].astype(np.float32) / (min(seen) / CELL * scales[0])
    like = np.concatenate([light[None] / scales[1], ab / scales[2]]).reshape(3, -1).astype(np.float32)
    return cells.reshape(2, -1), like, rows * light.shape[1] + columns


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
