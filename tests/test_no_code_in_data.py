"""Nothing that is read is ever run: no pickles, no unsafe YAML, no eval, no shell, by the source itself."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FORBIDDEN_CALLS = {
    *(
        f"{module}.{name}"
        for module in ("pickle", "marshal", "dill", "cloudpickle")
        for name in ("load", "loads")
    ),
    *("pickle.Unpickler", "shelve.open", "joblib.load", "numpy.lib.format.read_array"),
    *("yaml.load", "yaml.unsafe_load", "yaml.full_load", "yaml.load_all", "yaml.unsafe_load_all"),
    *("eval", "exec", "compile", "os.system", "os.popen", "torch.jit.load", "torch.package.PackageImporter"),
    *("torch.hub.load", "torch.hub.load_state_dict_from_url", "torch.hub.download_url_to_file"),
}
# What may stand all the same: (file, call) -> why.
ALLOWED = {
    # torch.distributed pickles objects that it sends; they travel between the processes of one job, which
    # torchrun started with the same rights from the same files, and are never written down.
    ("gan_colorize/distributed.py", "torch.distributed.all_gather_object"),
    ("gan_colorize/distributed.py", "torch.distributed.broadcast_object_list"),
    # The same, by a socket: only who has the key that the job's main process made and sent to its own
    # processes is heard (multiprocessing.connection's challenge and answer).
    ("gan_colorize/dealing.py", "pickle.loads"),
}
PICKLED_MESSAGES = ("all_gather_object", "broadcast_object_list", "gather_object", "scatter_object_list")
# Addresses are opened at one place for shards and published files, which asks whether it may.
OPENS_ADDRESSES = {"gan_colorize/data/transfer.py"}


def sources() -> list[Path]:
    return sorted((ROOT / "gan_colorize").rglob("*.py"))


def imported_names(tree: ast.Module) -> dict[str, str]:
    """What each imported name of a file stands for: ``np`` -> ``numpy``, ``loads`` -> ``pickle.loads``."""
    names: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                names[alias.asname or alias.name.split(".")[0]] = (
                    alias.name if alias.asname else alias.name.split(".")[0]
                )
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            for alias in node.names:
                names[alias.asname or alias.name] = f"{node.module}.{alias.name}"
    return names


def dotted(node: ast.expr, names: dict[str, str]) -> str:
    """``np.load`` -> "numpy.load"; what is no plain name, "?" in its place."""
    if isinstance(node, ast.Name):
        return names.get(node.id, node.id)
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value, names)}.{node.attr}"
    return "?"


def constant(call: ast.Call, keyword: str) -> object:
    """The value of a keyword that is written out, else None."""
    for given in call.keywords:
        if given.arg == keyword and isinstance(given.value, ast.Constant):
            return given.value.value
    return None


def complaints(source: str, where: str) -> Iterator[str]:
    """What in a file could run code that came with data."""
    tree = ast.parse(source)
    names = imported_names(tree)
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        name = dotted(node.func, names)
        short = name.rpartition(".")[2]
        bad = (
            (name in FORBIDDEN_CALLS and (where, name) not in ALLOWED)
            or (name == "torch.load" and constant(node, "weights_only") is not True)
            or (
                name in ("numpy.load", "numpy.fromfile")
                and constant(node, "allow_pickle") not in (None, False)
            )
            or any(k.arg == "shell" and constant(node, "shell") is not False for k in node.keywords)
            or (short in PICKLED_MESSAGES and (where, name) not in ALLOWED)
            or (short in ("urlopen", "urlretrieve") and where not in OPENS_ADDRESSES)
        )
        if bad:
            yield f"{where}:{node.lineno}: {name}"


def test_the_package_runs_nothing_that_it_reads() -> None:
    paths = sources()
    assert len(paths) > 150
    found = [
        line
        for path in paths
        for line in complaints(path.read_text(encoding="utf-8"), path.relative_to(ROOT).as_posix())
    ]
    assert found == []


def test_every_permission_is_still_needed() -> None:
    needed = set()
    for where in {where for where, _ in ALLOWED}:
        tree = ast.parse((ROOT / where).read_text(encoding="utf-8"))
        names = imported_names(tree)
        needed |= {
            (where, dotted(n.func, names)) for n in ast.walk(tree) if isinstance(n, ast.Call)
        } & ALLOWED
    assert needed == ALLOWED


@pytest.mark.parametrize(
    "source",
    [
        "import pickle\npickle.loads(b'')",
        "import pickle as p\np.load(f)",
        "from pickle import loads as read\nread(b'')",
        "import torch\ntorch.load(f)",
        "import torch\ntorch.load(f, weights_only=False)",
        "import torch\ntorch.load(f, weights_only=chosen)",
        "import numpy as np\nnp.load(f, allow_pickle=True)",
        "import yaml\nyaml.load(f, Loader=yaml.Loader)",
        "import subprocess\nsubprocess.run('ls', shell=True)",
        "eval('1')",
        "import os\nos.system('ls')",
        "from torch import distributed\ndistributed.all_gather_object(a, b)",
        "import urllib.request\nurllib.request.urlopen('http://x')",
    ],
)
def test_the_search_finds_what_it_looks_for(source: str) -> None:
    assert len(list(complaints(source, "somewhere.py"))) == 1


@pytest.mark.parametrize(
    "source",
    [
        "import torch\ntorch.load(f, weights_only=True)",
        "import numpy\nnumpy.load(f)",
        "model.eval()",
        "import yaml\nyaml.safe_load(f)",
        "import subprocess\nsubprocess.run(['ls'])",
        "import re\nre.compile('x')",
    ],
)
def test_and_nothing_else(source: str) -> None:
    assert list(complaints(source, "somewhere.py")) == []
