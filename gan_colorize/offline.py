"""``GAN_COLORIZE_OFFLINE=1``: nothing is fetched from the network, whatever else asks for it."""

from __future__ import annotations

import os

from .errors import UserError

VARIABLE = "GAN_COLORIZE_OFFLINE"
_NO = ("", "0", "false", "no", "off")


def is_offline() -> bool:
    """Whether the variable forbids the network."""
    return os.environ.get(VARIABLE, "").strip().lower() not in _NO


def check_online(what: str) -> None:
    """To be called before a connection is made.

    Args:
        what: the address, or the option that asks for it.

    Raises:
        UserError: offline was asked for.
    """
    if is_offline():
        raise UserError(
            f"{what}: {VARIABLE} is set, so nothing is fetched from the network; unset it to allow that"
        )
