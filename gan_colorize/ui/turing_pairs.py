"""Photographs and their coloured versions, side by side, as pictures that say nothing else of themselves."""

from __future__ import annotations

import hashlib
import io
import json
import os
import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from ..color import fast
from ..data.image_io import IMAGE_SUFFIXES, read_rgb8
from ..data.metadata import orientation_of
from ..data.opening import opened
from ..errors import UserError
from ..files import is_folder

# The shapes of a photograph and a result that was scaled and rounded differ by less.
_SHAPE_TOLERANCE = 0.02
_SIDEWAYS = 5  # EXIF orientations from here on swap width and height
# Between a pixel's strongest and weakest channel, the mean of a picture: below this a truth counts as grey.
_GREY_LEVELS = 2.0
_KEPT = 64  # pictures in memory: 200 KB each at 256 pixels


@dataclass(frozen=True)
class Pair:
    """A photograph (``truth``), its coloured version, and the size (width, height) that both are shown at."""

    name: str
    truth: Path
    coloured: Path
    size: tuple[int, int]


@dataclass
class Pairing:
    """What two folders have in common, and what was left out: (name, why) a file."""

    pairs: list[Pair]
    unpaired: list[tuple[str, str]] = field(default_factory=list)

    def fingerprint(self) -> str:
        """Changes with the files that are compared; their content is not read, only its length."""
        files = [
            (pair.name, pair.truth.stat().st_size, pair.coloured.stat().st_size, pair.size)
            for pair in self.pairs
        ]
        return hashlib.sha256(json.dumps(files).encode()).hexdigest()[:16]


def pair_folders(truth: Path, coloured: Path, side: int) -> Pairing:
    """Find the files that both folders have under the same relative name, whatever their format.

    Args:
        truth, coloured: folders, searched with all their subfolders.
        side: the longer side of the pictures as shown, in pixels; smaller ones are never enlarged.

    Raises:
        UserError: a folder is missing, cannot be read or has no picture, both are one, or nothing pairs.
    """
    if os.path.realpath(truth) == os.path.realpath(coloured):
        raise UserError(f"--turing {truth} {coloured}: both are the same folder")
    left, right = _by_stem(truth), _by_stem(coloured)
    found = Pairing([])
    found.unpaired += [
        (files[0].name, f"only in {truth}") for stem, files in left.items() if stem not in right
    ]
    found.unpaired += [
        (files[0].name, f"only in {coloured}") for stem, files in right.items() if stem not in left
    ]
    for stem in sorted(left.keys() & right.keys()):
        if len(left[stem]) > 1 or len(right[stem]) > 1:
            found.unpaired.append((stem, "several files of this name in one folder"))
            continue
        try:
            found.pairs.append(_pair(stem, left[stem][0], right[stem][0], side))
        except UserError as error:
            found.unpaired.append((stem, str(error)))
    if not found.pairs:
        why = next((why for name, why in found.unpaired if name in left.keys() & right.keys()), None)
        problem = why or "no file of one has its counterpart in the other (a/b.jpg and a/b.png are a pair)"
        raise UserError(f"--turing {truth} {coloured}: nothing to compare: {problem}")
    return found


def _by_stem(folder: Path) -> dict[str, list[Path]]:
    """Pictures below a folder by their relative name without suffix; hidden files do not count."""
    if not is_folder(folder):
        raise UserError(f"--turing {folder}: no such folder")
    problems: list[OSError] = []
    found: dict[str, list[Path]] = {}
    for where, folders, names in os.walk(folder, onerror=problems.append):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            path = Path(where, name)
            if (
                not name.startswith(".")
                and path.suffix.lower() in IMAGE_SUFFIXES
                and _is_inside(path, folder)
            ):
                found.setdefault(path.relative_to(folder).with_suffix("").as_posix(), []).append(path)
    if problems:
        raise UserError(f"--turing {problems[0].filename}: {problems[0].strerror}")
    if not found:
        raise UserError(f"--turing {folder}: no images in this folder ({', '.join(IMAGE_SUFFIXES)})")
    return found


def _is_inside(path: Path, folder: Path) -> bool:
    """Whether a file is one of the folder's own: a link may lead elsewhere."""
    return Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder))


def _pair(name: str, truth: Path, coloured: Path, side: int) -> Pair:
    sizes = [_upright_size(truth), _upright_size(coloured)]
    (width, height), (other_width, other_height) = sizes
    if abs(width * other_height / (height * other_width) - 1) > _SHAPE_TOLERANCE:
        raise UserError(f"the shapes differ: {width}x{height} and {other_width}x{other_height}")
    # The smaller of the two decides: an enlarged one would be told by its blur.
    longest = min(side, *(max(size) for size in sizes))
    scale = longest / max(width, height)
    return Pair(name, truth, coloured, (max(1, round(width * scale)), max(1, round(height * scale))))


def _upright_size(path: Path) -> tuple[int, int]:
    with opened(path) as image:
        width, height = image.size
        return (height, width) if orientation_of(image) >= _SIDEWAYS else (width, height)


class Pictures:
    """Pictures as the page gets them: same size, same encoding, same number of bytes, no metadata.

    May be used by several threads. The last ones are kept.
    """

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[Path, tuple[int, int]], np.ndarray] = OrderedDict()
        self._lock = threading.Lock()

    def of_pair(self, pair: Pair) -> tuple[bytes, bytes]:
        """(truth, coloured) as PNG.

        Raises:
            UserError: one cannot be read, or the truth has no colours.
        """
        truth = self._pixels(pair.truth, pair.size)
        if float(np.ptp(truth.astype(np.int16), axis=2).mean()) < _GREY_LEVELS:
            raise UserError(f"{pair.truth}: has no colours itself")
        return encode(truth), encode(self._pixels(pair.coloured, pair.size))

    def of_check(self, pair: Pair, other: Pair) -> tuple[bytes, bytes]:
        """(truth, the truth under the colours of another photograph) as PNG.

        Raises:
            UserError: a file cannot be read, or the truth has no colours.
        """
        truth, _ = self.of_pair(pair)
        pixels = self._pixels(pair.truth, pair.size)
        colours = self._pixels(other.truth, pair.size)
        ab = fast.rgb8_to_lab(torch.from_numpy(colours).permute(2, 0, 1))[1:].numpy()
        return truth, encode(fast.lab_to_rgb8(fast.rgb8_to_lightness(pixels), ab))

    def _pixels(self, path: Path, size: tuple[int, int]) -> np.ndarray:
        """(height, width, 3) uint8, writable for nobody."""
        key = (path, size)
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        # Decoded whole, both: a JPEG read at a fraction of its size looks otherwise than a PNG made smaller.
        image = Image.fromarray(read_rgb8(path))
        pixels = np.array(image if image.size == size else image.resize(size, Image.Resampling.LANCZOS))
        with self._lock:
            self._kept[key] = pixels
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        return pixels


def encode(pixels: np.ndarray) -> bytes:
    """(H, W, 3) uint8 as an uncompressed PNG: its length tells the size of the picture and nothing else."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", compress_level=0)
    return buffer.getvalue()
