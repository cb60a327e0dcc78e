"""TIFF a strip at a time, 8 or 16 bits a channel, any number of pages, through tifffile."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from struct import error as struct_error
from typing import TYPE_CHECKING

import imagecodecs
import numpy as np
import tifffile

from ..errors import UserError
from ..files import atomic_path
from .icc import srgb_profile
from .picture import Picture, strips
from .tiff_tags import TiffPageTags, add_directories

if TYPE_CHECKING:
    from .metadata import Metadata
    from .provenance import Provenance

# Bytes of a strip before compression: the specification's 8 kB are of 1992, and a whole row is the least.
_STRIP = 1 << 18
# libdeflate's; the next ones cost much more time for little.
_LEVEL = 5
# A classic TIFF counts its bytes in 32 bits; compression may also make noise a little larger.
_CLASSIC = 2**32 - 2**26


class TiffWriter:
    """Pages into an open file; of :func:`tiff_writer`."""

    def __init__(self, writer: tifffile.TiffWriter) -> None:
        self._writer = writer
        self.tags: list[TiffPageTags] = []

    def add(
        self,
        picture: Picture,
        alpha: np.ndarray | None,
        metadata: Metadata,
        provenance: Provenance | None = None,
        pages: int = 1,
    ) -> list[str]:
        """Write a page: picture (H, W, 3), alpha (H, W) or None, one of ``pages``.

        Returns a line for everything that the format cannot hold.
        """
        height, width, _ = picture.shape
        channels = 3 if alpha is None else 4
        rows = max(1, min(height, _STRIP // (width * channels * picture.dtype.itemsize)))
        tags = TiffPageTags(metadata, provenance, srgb=picture.profile is None)
        self._writer.write(
            (_packed(strip) for strip in strips(picture, alpha, rows)),
            shape=(height, width, channels),
            dtype=picture.dtype,
            photometric="rgb",
            planarconfig="contig",
            extrasamples=None if alpha is None else ["unassalpha"],
            rowsperstrip=rows,
            compression="adobe_deflate",
            predictor=True,
            iccprofile=picture.profile or srgb_profile(),
            subfiletype=2 if pages > 1 else 0,
            metadata=None,
            software=False,
            contiguous=False,
            extratags=tags.extra_tags,
            **tags.resolution,
        )
        self.tags.append(tags)
        return tags.notes


@contextmanager
def tiff_writer(path: Path, size: int) -> Iterator[TiffWriter]:
    """A TIFF that is there, whole, when the block ends well, and absent otherwise.

    size: of all its pixels in bytes; above 4 GB it becomes a BigTIFF.

    Raises:
        UserError: as :func:`~gan_colorize.files.atomic_path`.
    """
    with atomic_path(path) as temporary:
        try:
            with tifffile.TiffWriter(temporary, bigtiff=size > _CLASSIC) as writer:
                pages = TiffWriter(writer)
                yield pages
            add_directories(temporary, pages.tags)
        except (ValueError, struct_error) as error:
            if isinstance(error, UserError):
                raise
            raise UserError(f"cannot write {path}: {error}") from error
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())


def _packed(strip: np.ndarray) -> bytes:
    """Horizontal differencing (TIFF 6.0, section 14) and deflate."""
    return imagecodecs.deflate_encode(imagecodecs.delta_encode(strip, axis=-2), level=_LEVEL)
