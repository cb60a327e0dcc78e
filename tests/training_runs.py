"""Training runs in processes of their own, as the command line starts them, with faults put into them.

A fork server that has imported torch once starts a run in a few milliseconds; signals, exit codes, locks and
files are those of any process.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

CONTEXT = multiprocessing.get_context("forkserver" if os.name == "posix" else "spawn")
CONTEXT.set_forkserver_preload(
    [
        "gan_colorize.cli.train",
        "gan_colorize.training.loop",
        "gan_colorize.training.colorize_task",
        "gan_colorize.evaluation.quick",
        "torch._dynamo",  # what an optimizer imports when it is made
        "torch.distributed.fsdp",  # what torch's GradScaler imports
    ]
)
PATIENCE = 120.0  # seconds for what takes one; only a hanging process takes as long


def _run(arguments: list[str], words: Path, fault: Callable[[], None] | None, cache: str) -> None:
    os.setpgrp()  # a test that fails can end the run with all its workers
    handle = os.open(words, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for stream in (1, 2):
        os.dup2(handle, stream)
    sys.stdout, sys.stderr = (open(stream, "w", buffering=1, closefd=False) for stream in (1, 2))  # noqa: SIM115
    os.environ["GAN_COLORIZE_CACHE"] = cache
    os.environ["TORCH_HOME"] = cache  # no LPIPS: it takes longer than the training
    sys.argv = ["gan-colorize", *arguments]
    import torch

    # Runs are compared bit by bit, and sums of several threads depend on where in memory their parts lie.
    torch.set_num_threads(1)
    if fault is not None:
        fault()
    if os.name == "posix":  # what data workers are started by; it would be this module's
        multiprocessing.set_start_method("fork", force=True)
    os.nice = lambda step: 0  # a data worker would wait for all else that runs on this machine
    from gan_colorize.cli.main import main
    from gan_colorize.color import decode

    decode.decode_kernel = None  # as where there is no numba: loading it takes as long as the training
    main(arguments)


class Run:
    """One process of ``gan-colorize train``."""

    def __init__(self, arguments: list[str], words: Path, fault: Callable[[], None] | None = None) -> None:
        self._words, self._from = words, words.stat().st_size if words.exists() else 0
        cache = os.environ["GAN_COLORIZE_CACHE"]
        self.process = CONTEXT.Process(target=_run, args=(arguments, words, fault, cache))
        self.process.start()
        self.pid = self.process.pid

    @property
    def said(self) -> str:
        """All that it has written to stdout and stderr so far."""
        return self._words.read_text(encoding="utf-8")[self._from :] if self._words.exists() else ""

    def wait(self) -> int:
        """Its exit code; minus the signal's number where one ended it."""
        self.process.join(PATIENCE)
        assert self.process.exitcode is not None, f"still running after {PATIENCE:g} s: {self.said}"
        return self.process.exitcode

    def wait_for(self, what: Path | Callable[[], bool]) -> None:
        """Until a file is there, or a condition holds, while the run goes on."""
        holds = what.exists if isinstance(what, Path) else what
        deadline = time.monotonic() + PATIENCE
        while not holds():
            assert self.process.is_alive(), f"ended with {self.process.exitcode}: {self.said}"
            assert time.monotonic() < deadline, f"never: {self.said}"
            time.sleep(0.005)

    def send(self, number: int) -> None:
        os.kill(self.pid, number)

    def end(self) -> None:
        """Leave nothing of it behind."""
        if self.process.is_alive():
            os.killpg(self.pid, signal.SIGKILL)
        self.process.join(10)


def finish(run: Run) -> str:
    """Wait for a run that must end well -> what it said."""
    assert run.wait() == 0, run.said
    return run.said


def one_line_of_reason(said: str) -> str:
    """The one line that begins with "Error: " in what a run said; nothing of a traceback is there."""
    assert "Traceback" not in said, said
    errors = [line for line in said.splitlines() if line.startswith("Error: ")]
    assert len(errors) == 1, said
    return errors[0]


def leftovers(folder: Path) -> list[Path]:
    """Temporary files and locks that an ended run should have taken away."""
    return [*folder.rglob(".part-*"), *folder.rglob(".in-use")]


def whole_state(folder: Path, name: str = "state.pt") -> dict[str, Tensor]:
    """Every tensor of a training state by its path within it, optimizers included; all must be finite."""
    import torch

    found: dict[str, Tensor] = {}

    def walk(value: object, path: str) -> None:
        if isinstance(value, torch.Tensor):
            assert value.isfinite().all(), path
            found[path] = value
        elif isinstance(value, dict | list | tuple):
            entries = value.items() if isinstance(value, dict) else enumerate(value)
            for key, entry in entries:
                walk(entry, f"{path}/{key}")

    walk(torch.load(folder / "last" / name, weights_only=True), "")
    assert len(found) > 50
    return found


def weights_and_metadata(path: Path) -> tuple[dict[str, bytes], dict[str, str]]:
    """What a model file holds; the order of things in it is safetensors' own and differs by chance."""
    from safetensors import safe_open

    with safe_open(path, "np") as file:
        return {name: file.get_tensor(name).tobytes() for name in file.keys()}, file.metadata()  # noqa: SIM118
