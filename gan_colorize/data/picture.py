"""What writers write: a picture that is an array or comes in bands of rows, with its transparency."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Protocol, TypeVar

import numpy as np

T = TypeVar("T")
_LARGE = 16_000_000


class Picture(Protocol):
    """RGB of shape (H, W, 3), dtype uint8 or uint16, as bands from top to bottom.

    profile: ICC profile of the values; None is sRGB.
    """

    shape: tuple[int, int, int]
    dtype: np.dtype
    profile: bytes | None

    def bands(self) -> Iterator[np.ndarray]:
        """(rows, W, 3), one after the other."""

    def whole(self) -> np.ndarray:
        """(H, W, 3)."""


class ArrayPicture:
    """An array (H, W, 3) as a Picture, in sRGB unless there is a profile."""

    def __init__(self, pixels: np.ndarray, profile: bytes | None = None) -> None:
        self._pixels, self.shape, self.dtype = pixels, pixels.shape, pixels.dtype
        self.profile = profile

    def bands(self) -> Iterator[np.ndarray]:
        """The array as one band."""
        yield self._pixels

    def whole(self) -> np.ndarray:
        """The array."""
        return self._pixels


def as_picture(pixels: Picture | np.ndarray) -> Picture:
    """An array wrapped, a Picture as it is."""
    return ArrayPicture(pixels) if isinstance(pixels, np.ndarray) else pixels


def alpha_at(alpha: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Transparency of 8 or 16 bits at the depth of ``dtype``, full range."""
    if alpha.dtype == dtype:
        return alpha
    if dtype == np.uint16:
        return alpha.astype(np.uint16) * 257
    return ((alpha.astype(np.uint32) + 128) // 257).astype(np.uint8)


def ahead(items: Iterable[T], count: int = 2) -> Iterator[T]:
    """The items, made by another thread that is at most ``count`` of them ahead."""
    waiting: queue.Queue = queue.Queue(count)
    given_up = threading.Event()

    def put(kind: str, value: object) -> bool:
        while not given_up.is_set():
            with suppress(queue.Full):
                waiting.put((kind, value), timeout=0.1)
                return True
        return False

    def make() -> None:
        try:
            for item in items:
                if not put("item", item):
                    return
            put("end", None)
        except BaseException as error:  # it is whoever takes the items that has to know
            put("error", error)

    maker = threading.Thread(target=make, name="gan_colorize bands", daemon=True)
    maker.start()
    try:
        while True:
            kind, value = waiting.get()
            if kind == "end":
                return
            if kind == "error":
                raise value
            yield value
    finally:
        given_up.set()
        maker.join()


def strips(picture: Picture, alpha: np.ndarray | None, rows: int) -> Iterator[np.ndarray]:
    """(rows, W, 3 or 4) from top to bottom, the last with what is left; alpha (H, W) joined."""
    height, width, _ = picture.shape
    channels = 3 if alpha is None else 4
    strip = np.empty((rows, width, channels), picture.dtype)
    filled = top = 0
    # A large picture may be the only one at work: its rows are coloured on one core and packed on another.
    bands = ahead(picture.bands()) if height * width > _LARGE else picture.bands()
    for band in bands:
        at = 0
        while at < len(band):
            count = min(rows - filled, len(band) - at)
            part = strip[filled : filled + count]
            part[..., :3] = band[at : at + count]
            if alpha is not None:
                part[..., 3] = alpha_at(alpha[top : top + count], picture.dtype)
            at, filled, top = at + count, filled + count, top + count
            if filled == rows or top == height:
                yield strip[:filled]
                filled = 0
