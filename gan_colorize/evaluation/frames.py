"""How a photograph becomes the picture that is measured: one of three ways, pinned in the protocol.

Papers differ here and their numbers with them: DDColor stretches to 256x256, CT2 and L-CAD crop the centre,
others keep the native size.
"""

from __future__ import annotations

import hashlib
import os
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..data.transforms import centre_crop, stretch
from ..distributed import current
from ..errors import UserError
from .pixels import SMALLEST_SIDE

if TYPE_CHECKING:
    from ..data.folder import ImageSource

RESIZE_MODES = ("centre-crop", "stretch", "native")
RESIZE_FILTER = "Pillow bicubic, antialiased"
# The metrics need about 300 bytes a pixel; beyond this a single photograph fills a small machine.
LARGEST_NATIVE_MEGAPIXELS = 20


@dataclass(frozen=True)
class Frame:
    """One photograph, ready to be measured, or the reason why it is not.

    index:  position in the source.
    sha256: of the file's content.
    rgb8:   (H, W, 3) uint8 sRGB; None when ``reason`` says what is wrong with the file.
    shape:  rows and columns of the file's picture, before it was resized.
    """

    index: int
    name: str
    sha256: str = ""
    rgb8: np.ndarray | None = None
    reason: str | None = None
    shape: tuple[int, int] | None = None


def resize_picture(rgb8: np.ndarray, mode: str, size: int) -> np.ndarray:
    """The picture to measure.

    Args:
        rgb8: (H, W, 3) uint8 sRGB.
        mode: "centre-crop": the largest centred square, resized to size x size; "stretch": the whole picture
            to size x size, whatever its shape; "native": as it is, and ``size`` is ignored.

    Raises:
        UserError: native size too small or too large to be measured.
    """
    height, width = rgb8.shape[:2]
    if mode == "native":
        if min(height, width) < SMALLEST_SIDE:
            raise UserError(
                f"{width}x{height} is too small to be measured (both sides {SMALLEST_SIDE} px or more)"
            )
        if height * width > LARGEST_NATIVE_MEGAPIXELS * 1e6:
            raise UserError(
                f"{width}x{height} is too large for native size (over {LARGEST_NATIVE_MEGAPIXELS} MP)"
            )
        return rgb8
    return centre_crop(rgb8, size) if mode == "centre-crop" else stretch(rgb8, size)


def read_frame(source: ImageSource, index: int, mode: str, size: int) -> Frame:
    """Photograph ``index`` of ``source``; a file that cannot be used comes back with a reason."""
    from ..data.image_io import read_rgb8

    name = source.name(index)
    try:
        content = source.read(index)
        # At full size: a JPEG decoder's own reduction would change the numbers.
        whole = read_rgb8(content)
        rgb8 = resize_picture(whole, mode, size)
    except (UserError, OSError) as error:
        return Frame(index, name, reason=" ".join(str(error).split()))
    return Frame(index, name, hashlib.sha256(content).hexdigest(), rgb8, shape=whole.shape[:2])


def read_frames(source: ImageSource, indices: Iterable[int], mode: str, size: int) -> Iterator[Frame]:
    """Frames in the order of ``indices``, decoded a few ahead in threads: Pillow frees the interpreter."""
    threads = max(1, min(8, (os.cpu_count() or 1) // current().local_world))
    waiting: deque[Future[Frame]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        for index in indices:
            waiting.append(pool.submit(read_frame, source, index, mode, size))
            if len(waiting) > 2 * threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
