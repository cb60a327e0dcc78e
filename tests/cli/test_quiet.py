"""What libraries print past Python, and what Python prints."""

import os
import subprocess
import sys

import pytest

_PROGRAM = """
import os, sys
from gan_colorize.cli.quiet import libraries_kept_quiet
os.write(2, b"before\\n")
with libraries_kept_quiet():
    os.write(2, b"a library\\n")
    print("Python", file=sys.stderr)
    subprocess = os.system("echo child >&2")
os.write(2, b"after\\n")
print("Python again", file=sys.stderr)
"""


def test_only_python_is_heard_within():
    done = subprocess.run([sys.executable, "-c", _PROGRAM], capture_output=True, text=True, check=True)
    assert done.stderr.split("\n") == ["before", "Python", "after", "Python again", ""]


def test_an_exception_passes_and_all_is_as_before(capfd):
    from gan_colorize.cli.quiet import libraries_kept_quiet

    before = sys.stderr
    with pytest.raises(ZeroDivisionError), libraries_kept_quiet():
        raise ZeroDivisionError
    assert sys.stderr is before
    os.write(2, b"heard")
    assert capfd.readouterr().err == "heard"


def test_without_a_file_behind_it(monkeypatch):
    from gan_colorize.cli.quiet import libraries_kept_quiet

    monkeypatch.setattr(sys, "stderr", None)
    with libraries_kept_quiet():
        assert sys.stderr is None
