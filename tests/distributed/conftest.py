"""Several processes of the command, started by torchrun as people start them."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

import gan_colorize

_SECONDS = 120
_ENVIRONMENT = {
    "PYTHONPATH": str(Path(gan_colorize.__file__).parents[1]),
    "OMP_NUM_THREADS": "1",
    "CUDA_VISIBLE_DEVICES": "",
}


@contextmanager
def job(arguments: list[object], processes: int, launcher: list[str]) -> Iterator[subprocess.Popen]:
    """torchrun with the command in it, in a session of its own; after the block none of it is left."""
    # --standalone takes a port that is free
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    command += ["--nproc_per_node", str(processes), *launcher, "-m", "gan_colorize", *map(str, arguments)]
    started = subprocess.Popen(
        command,
        env=os.environ | _ENVIRONMENT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        yield started
    finally:
        _kill(started)
        started.wait()
        for stream in (started.stdout, started.stderr):
            stream.close()


def members(started: subprocess.Popen) -> dict[int, int]:
    """Process ids of torchrun's children by their ranks (Linux); what has no rank is under other numbers."""
    found = {}
    with suppress(OSError):
        text = Path(f"/proc/{started.pid}/task/{started.pid}/children").read_text(encoding="ascii")
        for process in map(int, text.split()):
            variables = Path(f"/proc/{process}/environ").read_bytes().split(b"\0")
            ranks = [int(one[5:]) for one in variables if one.startswith(b"RANK=")]
            found[ranks[0] if ranks else -process] = process
    return found


def _kill(started: subprocess.Popen) -> None:
    # torchrun gives each process a session of its own: those first, as long as their parent is known
    for process in [*members(started).values(), started.pid]:
        with suppress(OSError):
            os.killpg(process, signal.SIGKILL)


@pytest.fixture
def torchrun() -> Callable[..., subprocess.CompletedProcess]:
    """A function: arguments of gan-colorize -> CompletedProcess, run by ``processes`` processes of one thread
    on the CPU; ``launcher`` are torchrun's own options. Whatever hangs is killed, and fails the test."""
    if sys.platform == "win32":
        pytest.skip("torchrun's rendezvous of one machine is tried on POSIX systems")

    def start(
        arguments: list[object], processes: int = 2, launcher: list[str] | None = None
    ) -> subprocess.CompletedProcess:
        with job(arguments, processes, launcher or []) as started:
            try:
                out, err = started.communicate(timeout=_SECONDS)
            except subprocess.TimeoutExpired:
                _kill(started)
                told = "\n".join(started.communicate())
                pytest.fail(f"{' '.join(map(str, arguments))}: hung for {_SECONDS} s\n{told}")
            return subprocess.CompletedProcess(started.args, started.returncode, out, err)

    return start


@pytest.fixture
def torchrun_job() -> Callable[..., object]:
    """The context manager :func:`job`, for tests that do something to a job while it runs; and its
    :func:`members`."""
    if not Path("/proc/self/task").is_dir():
        pytest.skip("finds the processes of a job in /proc")

    @contextmanager
    def start(
        arguments: list[object], processes: int = 2, launcher: list[str] | None = None
    ) -> Iterator[tuple[subprocess.Popen, Callable[[], dict[int, int]]]]:
        with job(arguments, processes, launcher or []) as started:
            yield started, lambda: members(started)

    return start
