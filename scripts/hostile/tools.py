"""Encoders that are programs of their own, where they are installed."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np

_COMMANDS = {
    "convert": ["convert", "IN", "MORE", "OUT"],
    "gm": ["gm", "convert", "IN", "MORE", "OUT"],
    "ffmpeg": ["ffmpeg", "-nostdin", "-loglevel", "error", "-i", "IN", "MORE", "OUT"],
    "tiffcp": ["tiffcp", "MORE", "IN", "OUT"],
}


def by_tool(tool: str, source: np.ndarray | bytes, suffix: str, *options: str) -> bytes | None:
    """What a program makes of grey (H, W) uint8 or uint16, or of an encoded TIFF; None where it is not
    installed or cannot do it."""
    if shutil.which(_COMMANDS[tool][0]) is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        start = Path(folder, "in.pgm" if isinstance(source, np.ndarray) else "in.tif")
        start.write_bytes(pgm(source) if isinstance(source, np.ndarray) else source)
        out = Path(folder, f"out.{suffix}")
        words = {"IN": [str(start)], "OUT": [str(out)], "MORE": list(options)}
        command = [part for word in _COMMANDS[tool] for part in words.get(word, [word])]
        done = subprocess.run(command, capture_output=True, timeout=60)
        return out.read_bytes() if done.returncode == 0 and out.exists() else None


def pgm(grey: np.ndarray) -> bytes:
    """A binary PGM of (H, W) uint8 or uint16."""
    top = np.iinfo(grey.dtype).max
    body = grey.astype(">u2").tobytes() if top > 255 else grey.tobytes()
    return b"P5\n%d %d\n%d\n" % (grey.shape[1], grey.shape[0], top) + body
