"""The pool does everything once, survives the death of its processes and leaves none behind."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pool_work
import pytest

from gan_colorize.data.scan_pool import run_chunks


def test_pool_does_everything_once() -> None:
    chunks = [list(range(start, start + 3)) for start in range(0, 30, 3)]
    for workers in (0, 2):
        done = {tuple(c): r for c, r in run_chunks(pool_work.squares, 5, chunks, workers)}
        assert done == {tuple(c): [5 + i * i for i in c] for c in chunks}


def test_pool_survives_a_crash_and_names_the_item() -> None:
    chunks = [list(range(start, start + 3)) for start in range(0, 24, 3)]
    done, crashed = [], []
    for chunk, result in run_chunks(pool_work.die_at_context, 13, chunks, 2):
        (crashed if result is None else done).extend(chunk)
    assert crashed == [13]
    assert sorted(done) == [i for i in range(24) if i != 13]


def test_pool_survives_a_kill(tmp_path: Path) -> None:
    chunks = [[0, 1], [2, 3], [4, 5], [6]]
    done = [i for c, r in run_chunks(pool_work.killed_once, str(tmp_path / "killed"), chunks, 2) for i in r]
    assert sorted(done) == list(range(7))


@pytest.mark.skipif(sys.platform == "win32", reason="process groups and SIGINT")
def test_interrupt_ends_everything_at_once() -> None:
    """Ctrl-C goes to the whole group; the workers, a minute from done, must neither go on nor print."""
    code = "import signal, pool_work as w; from gan_colorize.data.scan_pool import run_chunks as r\n"
    # A shell's background job starts with SIGINT ignored, and its children inherit that.
    code += "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
    code += (
        "if __name__ == '__main__':\n    print('go', flush=True)\n    list(r(w.slow, None, [[0], [1]], 2))"
    )
    here = Path(__file__).resolve()
    with subprocess.Popen(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(here.parent), str(here.parents[2])])},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stdout.readline() == "go\n"
        time.sleep(3)
        os.killpg(process.pid, signal.SIGINT)
        # Ends when the last process that holds the pipe has ended.
        _, errors = process.communicate(timeout=30)
    assert process.returncode != 0
    assert errors.count("Traceback") <= 1 and errors.strip().endswith("KeyboardInterrupt")


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
@pytest.mark.parametrize("number", ["SIGTERM", "SIGKILL"])
def test_workers_end_with_a_parent_that_is_killed(tmp_path: Path, number: str) -> None:
    """Only the parent gets the signal, as from a batch system; the workers are a minute from done."""
    here = Path(__file__).resolve()
    code = "import sys, pool_work as w; from gan_colorize.data.scan_pool import run_chunks as r\n"
    code += "if __name__ == '__main__':\n    list(r(w.slow_and_known, sys.argv[1], [[0], [1]], 2))"
    with subprocess.Popen(
        [sys.executable, "-c", code, tmp_path],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(here.parent), str(here.parents[2])])},
        stdout=subprocess.PIPE,
    ) as process:
        deadline = time.monotonic() + 60
        while len(list(tmp_path.iterdir())) < 2 and time.monotonic() < deadline:
            time.sleep(0.1)
        workers = [int(path.name) for path in tmp_path.iterdir()]
        process.send_signal(getattr(signal, number))
        try:
            process.communicate(timeout=20)  # ends when the last process that holds the pipe has ended
            ended = True
        except subprocess.TimeoutExpired:
            ended = False
            for worker in workers:
                os.kill(worker, signal.SIGKILL)
    assert len(workers) == 2 and process.returncode == -getattr(signal, number)
    assert ended, "the workers went on without their parent"
