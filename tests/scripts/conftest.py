"""Scripts are not a package: their folder goes on the path for as long as a test imports one."""

import importlib
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], ModuleType]:
    """A function that imports scripts/NAME.py."""
    monkeypatch.syspath_prepend(str(SCRIPTS))
    return importlib.import_module
