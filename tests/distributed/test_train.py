"""Training by two processes: what one process would have learned, and what happens when one of them dies."""

import json
import os
import signal
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file


@pytest.fixture
def arguments(pictures, tiny_overrides):
    """Of a run that takes seconds, but for --output."""
    overrides = [word for override in tiny_overrides for word in ("--set", override)]
    return ["train", "--data", pictures, "--device", "cpu", *overrides]


def weights(folder):
    return load_file(Path(folder, "last", "model.safetensors"))


def records(folder):
    return [json.loads(line) for line in Path(folder, "stats.jsonl").read_text().splitlines()]


def said(stderr):
    """The processes' own errors; torchrun repeats the first in its table."""
    return [line for line in stderr.splitlines() if line.startswith("Error: ")]


def kill_one(rank, members, folder, started):
    """SIGKILL the process of that rank once the run has a checkpoint."""
    deadline = time.monotonic() + 90
    while not Path(folder, "last", "state.pt").exists():
        assert time.monotonic() < deadline and started.poll() is None, "no checkpoint came"
        time.sleep(0.02)
    os.kill(members()[rank], signal.SIGKILL)


def test_two_processes_learn_what_one_does(torchrun, arguments, run, tmp_path):
    alone = run(*map(str, arguments), "--output", str(tmp_path / "one"))
    assert alone.exit_code == 0, alone.stderr
    done = torchrun([*arguments, "--output", tmp_path / "two"])
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("to learn from") == 1  # one voice
    assert "2 processes" in done.stderr
    one, two = weights(tmp_path / "one"), weights(tmp_path / "two")
    assert one.keys() == two.keys()
    # Twenty steps of Adam, whose first ones magnify the rounding of sums in another order.
    for name, value in one.items():
        if value.is_floating_point():
            assert (value - two[name]).abs().max() <= 5e-3 * max(1.0, value.abs().max())
    for a, b in zip(records(tmp_path / "one"), records(tmp_path / "two"), strict=True):
        assert a.keys() == b.keys()
        assert b == pytest.approx(a, rel=5e-3, abs=5e-3)
    leftovers = {path.name for path in (tmp_path / "two").iterdir()}
    assert leftovers - {".torchrun"} == {path.name for path in (tmp_path / "one").iterdir()}


@pytest.mark.parametrize("rank", [0, 1])
def test_a_killed_process_ends_the_job_and_a_restart_resumes(
    torchrun, torchrun_job, arguments, tmp_path, rank
):
    whole = torchrun([*arguments, "--output", tmp_path / "whole"])
    assert whole.returncode == 0, whole.stderr
    folder = tmp_path / "cut"
    with torchrun_job([*arguments, "--output", folder]) as (started, members):
        kill_one(rank, members, folder, started)
        _, err = started.communicate(timeout=90)
    assert started.returncode != 0
    assert "SIGKILL" in err  # torchrun's table says who died, and how
    again = torchrun([*arguments, "--output", folder, "--resume"])
    assert again.returncode == 0, again.stderr
    for name, value in weights(tmp_path / "whole").items():
        assert torch.equal(value, weights(folder)[name]), name
    assert records(folder) == records(tmp_path / "whole")


def test_torchrun_itself_restarts_the_job_where_it_was(torchrun_job, arguments, tmp_path):
    folder = tmp_path / "run"
    elastic = ["--max-restarts", "1"]
    with torchrun_job([*arguments, "--output", folder], launcher=elastic) as (started, members):
        kill_one(1, members, folder, started)
        _, err = started.communicate(timeout=90)
    assert started.returncode == 0, err
    assert "resuming at" in err
    assert records(folder)[-1]["images"] == 80 and (folder / "model.safetensors").is_file()


def test_sigterm_saves_once_and_says_how_to_go_on(torchrun_job, torchrun, arguments, tmp_path):
    folder = tmp_path / "run"
    more = ["--set", "phases=[{train: generator, images: 100000, crop_size: 64, batch_size: 4}]"]
    with torchrun_job([*arguments, *more, "--output", folder]) as (started, _):
        deadline = time.monotonic() + 90
        while not Path(folder, "last", "state.pt").exists():
            assert time.monotonic() < deadline and started.poll() is None
            time.sleep(0.02)
        started.send_signal(signal.SIGTERM)
        _, err = started.communicate(timeout=90)
    assert "the state is saved" in err and err.count("resume with: the same torchrun command") == 1
    state = torch.load(folder / "last" / "state.pt", weights_only=True)
    assert f"stopped at {state['progress']['images']:,} images" in err


def test_a_batch_that_cannot_be_dealt_evenly_is_refused_once(torchrun, arguments, tmp_path):
    done = torchrun(
        [*arguments, "--output", tmp_path / "run", "--set", "phases[1].batch_size=5"], processes=2
    )
    assert done.returncode != 0
    reason = "phases[1].batch_size: 5 must be a multiple of 2: 2 processes"
    assert said(done.stderr) == [f"Error: {reason}"], done.stderr


def test_a_full_disk_on_the_main_process_ends_all(torchrun, arguments, small_disk):
    done = torchrun([*arguments, "--output", small_disk / "run"])
    assert done.returncode != 0
    (line,) = said(done.stderr)
    assert line.endswith("No space left on device"), done.stderr
