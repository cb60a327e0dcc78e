"""File names cannot steer the terminal; the report keeps what they are."""

import json
import sys
from pathlib import Path

import pytest

from gan_colorize.cli.lines import printable


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Gr\u00fc\u00dfe \u2013 \u5199\u771f.jpg", "Gr\u00fc\u00dfe \u2013 \u5199\u771f.jpg"),
        ("\x1b]0;title\x07\x1b[2J", "\\x1b]0;title\\x07\\x1b[2J"),
        ("two\nlines\r\ttab\x7f", "two\\x0alines\\x0d\\x09tab\\x7f"),
        ("\x9b31m", "\\x9b31m"),
        ("photo\u202egpj.exe\u2028", "photo\\u202egpj.exe\\u2028"),
    ],
)
def test_control_characters_are_escaped(text, expected):
    assert printable(text) == expected


@pytest.mark.skipif(sys.platform == "win32", reason="such names are refused there")
def test_names_that_would_steer_the_terminal(colorize, work, grey_files):
    evil = "in/\x1b[2J\nError: all is lost.png"
    grey_files("in/a.png")
    Path(evil).write_text("no photograph")
    result = colorize("in", "--output", "out")
    assert result.exit_code == 1
    assert "\x1b" not in result.output
    (line,) = result.stderr.splitlines()
    assert line.startswith("Error: in/\\x1b[2J\\x0aError: all is lost.png: ")
    told = json.loads(Path("out/colorize-report.json").read_bytes())
    assert evil in [entry["input"] for entry in told["files"]]
    assert "\\x1b" in colorize("in/\x1b[0m.png", "--output", "out").stderr
