"""What several verbs check of their options: the folder that --output names, --download."""

from __future__ import annotations

from pathlib import Path

from ..errors import UserError
from ..files import check_writable
from ..offline import check_online


def make_output(folder: Path) -> None:
    """Make the folder that --output names, and see that files can be put into it.

    Raises:
        UserError: it is a file, or cannot be made or written to.
    """
    if folder.is_file():
        raise UserError(f"--output {folder}: is a file; name a folder")
    try:
        check_writable(folder)
        folder.mkdir(parents=True, exist_ok=True)
    except (UserError, OSError) as error:
        raise UserError(f"--output {folder}: {error}") from error


def check_download(asked: bool) -> None:
    """Raise a UserError when --download was given although the network is forbidden."""
    if asked:
        check_online("--download")
