"""What colouring gives back, and what it may be given."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ..data.image_io import Photo, read_photo, write_photo
from ..data.image_write import holds_16_bits
from ..data.picture import Picture
from ..data.provenance import Provenance
from ..errors import UserError
from .notices import input_notices, result_notices
from .predictor import Chroma
from .upsample import enlarge

Source = str | Path | bytes | np.ndarray


@dataclass(frozen=True)
class Result:
    """One coloured photograph.

    rgb8:       (H, W, 3) uint8 sRGB, at the photograph's size, with the photograph's lightness.
    confidence: (H, W) float32 in 0..1, or None when it was not asked for.
    warnings:   findings in words: already coloured input, nearly grey result, ...
    photo:      the input, whose alpha, metadata and profile :meth:`save` carries over.
    provenance: how the colours were made, which :meth:`save` writes into the file.
    rendering:  makes the picture of 8 or 16 bits in the space of a profile (None: sRGB).
    """

    rgb8: np.ndarray
    confidence: np.ndarray | None
    warnings: list[str]
    photo: Photo = field(repr=False)
    provenance: Provenance | None = field(default=None, repr=False)
    rendering: Callable[[int, bytes | None], Picture] | None = field(default=None, repr=False)

    def picture(self, path: str | Path, bits: int | None = None) -> Picture | np.ndarray:
        """The picture as a file of this suffix will have it: the input's depth, or ``bits``, and profile."""
        bits = (bits or self.photo.bits) if holds_16_bits(path) else 8
        if self.rendering is None or (bits == 8 and self.photo.profile is None):
            return self.rgb8
        return self.rendering(bits, self.photo.profile)

    def save(self, path: str | Path, quality: int = 95, bits: int | None = None) -> list[str]:
        """Write the photograph; the format follows the suffix.

        Args:
            path: .jpg .jpeg .png .webp .tif .tiff .avif .bmp.
            quality: 1..100 for JPEG, WebP and AVIF.
            bits: 8 or 16 a channel; None is the input's own where the format has it.

        Returns:
            A line for everything that the format cannot hold.
        """
        picture = self.picture(path, bits)
        return write_photo(Path(path), picture, self.photo, quality=quality, provenance=self.provenance)


def as_photo(source: Source) -> Photo:
    """A file's path, its bytes, or an array (H, W), (H, W, 3) of uint8 or uint16 as a Photo."""
    if isinstance(source, str | Path | bytes):
        return read_photo(Path(source) if isinstance(source, str) else source)
    found = f"{source.dtype} {source.shape}"
    if source.dtype not in (np.uint8, np.uint16) or source.ndim not in (2, 3) or 0 in source.shape:
        raise UserError(f"an array must be (H, W) or (H, W, 3) of uint8 or uint16; got {found}")
    if source.ndim == 3 and source.shape[2] != 3:
        raise UserError(f"an array's last side must be 3 (red, green, blue); got {source.shape}")
    return Photo(pixels=source, bits=8 * source.itemsize)


def confidence_map(chroma: Chroma, shape: tuple[int, int]) -> np.ndarray | None:
    """The map at the photograph's (H, W), in 0..1; None when there is none."""
    if chroma.confidence is None:
        return None
    return enlarge(chroma.confidence, shape, chroma.extent).clip(0.0, 1.0)


def notices(photo: Photo, chroma: Chroma, seen: tuple[int, int], working: int) -> list[str]:
    """The reader's warnings and all findings on one photograph."""
    size = photo.pixels.shape[:2]
    found = input_notices(photo.pixels) + result_notices(chroma.strength(), size, seen, working)
    return [*photo.warnings, *photo.metadata.notes, *found]
