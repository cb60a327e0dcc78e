"""The entry point: light, and errors are one line and an exit code."""

import os
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from gan_colorize import __version__
from gan_colorize.cli import main as entry
from gan_colorize.errors import UserError


def python(*arguments):
    environment = os.environ | {"PYTHONPATH": str(Path(entry.__file__).parents[2])}
    return subprocess.run([sys.executable, *arguments], env=environment, capture_output=True, text=True)


def test_help_lists_every_verb_and_imports_none():
    code = (
        "import sys; from gan_colorize.cli.main import main; main(['--help'], standalone_mode=False); "
        "print([m for m in ('torch', 'numpy', 'PIL', 'omegaconf') if m in sys.modules])"
    )
    lines = python("-c", code).stdout.splitlines()
    assert lines[-1] == "[]"
    for verb in ("colorize", "train", "evaluate"):
        assert any(line.split()[:1] == [verb] for line in lines)


def test_importing_the_package_is_light():
    code = "import sys, gan_colorize; print([m for m in ('torch', 'numpy', 'PIL') if m in sys.modules])"
    assert python("-c", code).stdout.strip() == "[]"


def test_help_of_a_verb_does_not_import_torch():
    code = (
        "import sys; from gan_colorize.cli.main import main; "
        "main(['colorize', '--help'], standalone_mode=False); print('torch' in sys.modules)"
    )
    assert python("-c", code).stdout.splitlines()[-1] == "False"


def test_module_and_version():
    done = python("-m", "gan_colorize", "--version")
    assert done.stdout.strip() == f"gan-colorize, version {__version__}"
    assert done.returncode == 0


def test_unknown_verb_is_a_usage_error(run):
    result = run("colourise")
    assert result.exit_code == 2
    assert "No such command 'colourise'" in result.stderr


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (UserError("x.jpg: is a pickle"), 1, "Error: x.jpg: is a pickle"),
        (KeyboardInterrupt(), 130, "interrupted"),
    ],
)
def test_errors_of_a_verb(error, code, line, monkeypatch, tmp_path):
    (tmp_path / "failing_verb.py").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path))
    import failing_verb

    @click.command()
    def command():
        raise error

    failing_verb.command = command
    monkeypatch.setitem(entry.COMMANDS, "fail", ("failing_verb", "Fails."))
    result = CliRunner().invoke(entry.main, ["fail"])
    assert result.exit_code == code
    assert result.stderr.strip() == line
    assert result.stdout == ""
