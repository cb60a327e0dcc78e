"""The environment maker: what it refuses, when it installs again, what it says when pip fails."""

import ast
import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def venv(script: Callable[[str], ModuleType]) -> ModuleType:
    return script("_venv")


@pytest.fixture
def installed(venv: ModuleType, tmp_path: Path) -> Path:
    """A folder that looks like a finished installation with the dev extras."""
    python = venv.interpreter(tmp_path)
    python.parent.mkdir()
    python.touch()
    (tmp_path / venv.STAMP).write_text(json.dumps({**venv.wanted_stamp(), "extras": ["dev"]}))
    return tmp_path


@pytest.mark.parametrize("name", ["_venv.py", "quickstart.py", "test.py"])
def test_an_old_python_can_parse_the_script(name: str) -> None:
    ast.parse((ROOT / "scripts" / name).read_text(encoding="utf-8"), feature_version=(3, 8))


def test_old_python_is_named(venv: ModuleType) -> None:
    with pytest.raises(venv.SetupError, match=r"Python 3\.9 is too old, 3\.11 or newer"):
        venv.check_python(version=(3, 9, 18))
    venv.check_python(version=(3, 11, 0), has_module=lambda name: True)


@pytest.mark.parametrize("missing", ["venv", "ensurepip"])
def test_missing_venv_module_names_the_package(venv: ModuleType, missing: str) -> None:
    with pytest.raises(venv.SetupError, match="sudo apt install python3-venv"):
        venv.check_python(version=(3, 12, 0), has_module=lambda name: name != missing)


def test_location(venv: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("GAN_COLORIZE_VENV", raising=False)
    assert venv.location() == ROOT / ".venv"
    monkeypatch.setenv("GAN_COLORIZE_VENV", str(tmp_path / "elsewhere"))
    assert venv.location() == tmp_path / "elsewhere"


def test_finished_installation_is_used_as_it_is(
    venv: ModuleType, installed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forbidden(*args: object, **options: object) -> None:
        raise AssertionError("a process was started")

    monkeypatch.setenv("GAN_COLORIZE_VENV", str(installed))
    monkeypatch.setattr(subprocess, "run", forbidden)
    monkeypatch.setattr(subprocess, "Popen", forbidden)
    assert venv.ensure(extras=("dev",)) == venv.ensure() == venv.interpreter(installed)


@pytest.mark.parametrize("key", ["needs", "checkout", "python", "extras"])
def test_any_change_installs_again(venv: ModuleType, installed: Path, key: str) -> None:
    assert venv.is_current(installed, ("dev",))
    stamp = json.loads((installed / venv.STAMP).read_text())
    stamp[key] = [] if key == "extras" else "other"
    (installed / venv.STAMP).write_text(json.dumps(stamp))
    assert not venv.is_current(installed, ("dev",))


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"extras": 3}', "\x00"])
def test_damaged_stamp_installs_again(venv: ModuleType, installed: Path, content: str) -> None:
    (installed / venv.STAMP).write_text(content)
    assert not venv.is_current(installed, ())


def test_needs_follow_the_requirement_files(
    venv: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("setup.cfg", "pyproject.toml"):
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    before = venv.wanted_stamp()["needs"]
    monkeypatch.setattr(venv, "ROOT", tmp_path)
    assert venv.wanted_stamp()["needs"] == before
    with (tmp_path / "setup.cfg").open("a") as file:
        file.write("\n")
    assert venv.wanted_stamp()["needs"] != before


def test_a_folder_of_something_else_is_not_touched(
    venv: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    monkeypatch.setenv("GAN_COLORIZE_VENV", str(tmp_path))
    with pytest.raises(venv.SetupError, match="not a virtual environment"):
        venv.ensure()
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


@pytest.mark.parametrize(
    ("log", "line"),
    [
        ("Collecting torch\nWARNING: Retrying ... Failed to resolve 'pypi.org'\n", "network or proxy"),
        ("OSError: [Errno 28] No space left on device\nERROR: x\n", "disk is full"),
        ("ERROR: first\nhint: see above\nERROR: metadata is broken\n", "metadata is broken"),
        ("", "without a reason"),
    ],
)
def test_failure_is_one_line(venv: ModuleType, log: str, line: str) -> None:
    said = venv.failure_line(log)
    assert line in said and "\n" not in said


def test_log_is_followed_and_the_exit_code_kept(venv: ModuleType, tmp_path: Path) -> None:
    steps = []
    code = "print('Collecting torch'); print('noise'); print('Downloading torch.whl (900 MB)'); exit(3)"
    assert venv.run_logged([sys.executable, "-c", code], tmp_path / "log", steps.append) == 3
    assert steps[-1] == "Downloading torch.whl (900 MB)"
    assert "noise" in (tmp_path / "log").read_text()


@pytest.mark.skipif(not importlib.util.find_spec("ensurepip"), reason="this Python cannot make environments")
def test_without_a_network_there_is_one_line_and_no_stamp(venv: ModuleType, tmp_path: Path) -> None:
    environment = {key: value for key, value in os.environ.items() if not key.upper().startswith("PIP_")}
    environment |= {
        "GAN_COLORIZE_VENV": str(tmp_path / "venv"),
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_INDEX_URL": "http://127.0.0.1:9/simple",  # the discard port: nothing listens
    }
    result = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "test.py")], env=environment, capture_output=True, text=True
    )
    assert result.returncode == 1
    assert result.stderr.startswith("Error: installation failed: the package index cannot be reached")
    assert result.stderr.count("\n") == 1
    assert not (tmp_path / "venv" / venv.STAMP).exists()
