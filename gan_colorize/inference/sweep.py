"""What runs that were killed left behind."""

from __future__ import annotations

import os
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

from ..files import PART


def sweep(folder: Path, runs: Collection[str]) -> int:
    """Remove the temporary files of the runs with these ids below ``folder``, and no others.

    Those of another program, or of a run that writes there under another manifest, have other names. Links
    to folders are not followed.

    Returns:
        How many there were.
    """
    beginnings = tuple(f"{PART}{run}-" for run in runs)
    count = 0
    if not beginnings:
        return count
    for where, _, files in os.walk(folder):
        for name in files:
            if name.startswith(beginnings):
                with suppress(OSError):
                    Path(where, name).unlink()
                    count += 1
    return count
