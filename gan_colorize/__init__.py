"""Colour for black-and-white photographs: distributions over colour, trained with a GAN."""

from __future__ import annotations

from typing import TYPE_CHECKING

__version__ = "0.1.0"
__all__ = ["Colorizer", "UserError", "colorize", "load_model"]

if TYPE_CHECKING:
    from .errors import UserError
    from .inference.colorizer import Colorizer, colorize
    from .zoo.checkpoint import load_model

_WHERE = {
    "Colorizer": "gan_colorize.inference.colorizer",
    "UserError": "gan_colorize.errors",
    "colorize": "gan_colorize.inference.colorizer",
    "load_model": "gan_colorize.zoo.checkpoint",
}


def __getattr__(name: str) -> object:
    """Public names are imported when they are first used: torch takes seconds, ``--help`` must not."""
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    value = getattr(importlib.import_module(_WHERE[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
