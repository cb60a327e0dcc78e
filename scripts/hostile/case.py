"""One file of the hostile folder: its bytes, and what an honest program makes of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

GOOD, BAD, EITHER, IGNORED = "good", "bad", "either", "ignored"


@dataclass
class Case:
    """A file below the hostile folder.

    name:    path below the folder; may hold surrogates for bytes that are not UTF-8.
    kind:    what is special about it; no two kinds are told in the same words.
    data:    its content, or None for what is no regular file (links, pipes).
    outcome: "good": coloured at its size; "bad": named once with its reason; "either": one of both, for
             decoders may differ; "ignored": neither read nor mentioned.
    picture: (H, W) sRGB-encoded grey 0..1 that a viewer shows, upright; None when it is not known.
    size:    (width, height) upright, by default that of ``picture``.
    pages:   pictures in the file that belong to it (of animations: the first is enough).
    bits:    a channel, that a result may lose nothing of.
    reason:  class of what is wrong with a bad file.
    """

    name: str
    kind: str
    data: bytes | None
    outcome: str = GOOD
    picture: np.ndarray | None = field(default=None, repr=False)
    size: tuple[int, int] | None = None
    pages: int = 1
    bits: int = 8
    reason: str = ""

    def __post_init__(self) -> None:
        if self.size is None and self.picture is not None:
            self.size = (self.picture.shape[1], self.picture.shape[0])

    def told(self) -> dict[str, Any]:
        """What expected.json says of it."""
        entry: dict[str, Any] = {"path": self.name, "kind": self.kind, "outcome": self.outcome}
        if self.outcome in (GOOD, EITHER) and self.size:
            entry |= {"size": list(self.size), "pages": self.pages, "bits": self.bits}
        if self.outcome == GOOD and self.picture is not None:
            entry["quarters"] = quarters(self.picture)
        return entry | ({"reason": self.reason} if self.reason else {})


def quarters(grey: np.ndarray) -> list[float]:
    """Means of the four quarters of (H, W) 0..1, row by row: they tell every turn and mirror image apart, and
    a negative from a positive."""
    rows = np.array_split(np.asarray(grey, np.float64), 2, axis=0)
    parts = [part for row in rows for part in np.array_split(row, 2, axis=1)]
    return [round(float(part.mean()), 4) if part.size else -1.0 for part in parts]


def photograph(width: int = 61, height: int = 43, seed: int = 0) -> np.ndarray:
    """(H, W) float64 0..1: four quarters of their own brightness under soft texture; no symmetry at all."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width]
    base = np.where(
        y < height / 2, np.where(x < width / 2, 0.25, 0.5), np.where(x < width / 2, 0.7, 0.9)
    ).astype(np.float64)
    wave = 0.04 * np.sin(x / 5 + rng.uniform(0, 6)) * np.cos(y / 4 + rng.uniform(0, 6))
    return np.clip(base + wave + rng.normal(0, 0.01, base.shape), 0, 1)


def as8(grey: np.ndarray) -> np.ndarray:
    return np.rint(grey * 255).astype(np.uint8)


def as16(grey: np.ndarray) -> np.ndarray:
    return np.rint(grey * 65535).astype(np.uint16)


def in_colour(values: np.ndarray, channels: int = 3) -> np.ndarray:
    """(H, W, channels): grey repeated; a fourth or second channel is alpha that varies from row to row."""
    colours = values if channels == 2 else np.repeat(values[..., None], 3, axis=2)
    if channels == 3:
        return colours
    top = np.iinfo(values.dtype).max
    alpha = np.linspace(top // 4, top, values.shape[0]).astype(values.dtype)
    alpha = np.broadcast_to(alpha[:, None], values.shape)
    return np.dstack([colours, alpha])
