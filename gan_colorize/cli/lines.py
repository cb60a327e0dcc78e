"""Lines for a person: whatever a file is called, it cannot steer the terminal."""

from __future__ import annotations

import re

import click

# Control characters of C0 and C1 (escape sequences begin with one, and a line has no line breaks), line
# separators, and what turns the direction of text round ("gpj.exe" that reads "exe.jpg").
_UNSAFE = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


def printable(text: str) -> str:
    """``text`` with its control characters as escapes: ``a\\x1b[2J.jpg``."""
    return _UNSAFE.sub(_escaped, text)


def tell(line: str, err: bool = False) -> None:
    """Print one line, on stderr if ``err``."""
    click.echo(printable(line), err=err)


def _escaped(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"
