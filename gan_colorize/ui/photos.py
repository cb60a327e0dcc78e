"""The photographs that are open: a few, in memory, under names that cannot be guessed."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..inference.colorizer import Session

MOST_MEGAPIXELS = 64.0  # of one photograph; about 12 bytes a pixel are kept and as many again while exporting
MOST_PHOTOS = 16
MOST_PIXELS = 128_000_000  # of all together
IDLE_SECONDS = 2 * 3600.0
_MOST_NAME = 200


class Expired(Exception):
    """A photograph that is no longer open, or never was."""


@dataclass
class Opened:
    """An open photograph.

    session belongs to the work thread; pictures are grey ones, encoded, by their longest side.
    """

    id: str
    name: str
    session: Session
    width: int
    height: int
    warnings: list[str]
    used: float
    pictures: dict[int, bytes] = field(default_factory=dict)

    def about(self) -> dict[str, Any]:
        """What the page is told."""
        return {
            "id": self.id,
            "name": self.name,
            "width": self.width,
            "height": self.height,
            "warnings": self.warnings,
        }


class Photos:
    """Open photographs by their id. The ones used longest ago make room; idle ones expire.

    Args:
        most: photographs; most_pixels: of all together (one alone may always be open).
        idle_seconds: after which one expires.
        clock: seconds; only differences count.
    """

    def __init__(
        self,
        most: int = MOST_PHOTOS,
        most_pixels: int = MOST_PIXELS,
        idle_seconds: float = IDLE_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._most, self._most_pixels, self._idle_seconds, self._clock = (
            most,
            most_pixels,
            idle_seconds,
            clock,
        )
        self._opened: dict[str, Opened] = {}  # the one used longest ago first

    def __len__(self) -> int:
        return len(self._opened)

    def add(self, name: str, session: Session, warnings: list[str]) -> Opened:
        """Keep a photograph that was just opened."""
        height, width = session.lightness.shape
        opened = Opened(
            secrets.token_urlsafe(16), shown_name(name), session, width, height, warnings, self._clock()
        )
        self.expire()
        room = self._most_pixels - width * height
        while self._opened and (
            len(self._opened) >= self._most
            or sum(other.width * other.height for other in self._opened.values()) > room
        ):
            del self._opened[next(iter(self._opened))]
        self._opened[opened.id] = opened
        return opened

    def get(self, photo_id: str) -> Opened:
        """The photograph, which counts as used.

        Raises:
            Expired: it is not open.
        """
        self.expire()
        opened = self._opened.pop(photo_id, None)
        if opened is None:
            raise Expired
        opened.used = self._clock()
        self._opened[photo_id] = opened
        return opened

    def expire(self) -> None:
        """Close what was idle for too long."""
        before = self._clock() - self._idle_seconds
        self._opened = {key: opened for key, opened in self._opened.items() if opened.used >= before}


def shown_name(name: str) -> str:
    """A file's name from a browser, fit to be shown and to name a download; it is never used as a path."""
    last = name.replace("\\", "/").rsplit("/", 1)[-1]
    printable = "".join(letter for letter in last if letter.isprintable()).strip()
    return printable[:_MOST_NAME] or "photograph"
