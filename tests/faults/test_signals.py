"""Signals at any moment, also in the midst of a checkpoint: the run stops cleanly or dies, and what a resumed
run leaves is bit for bit what an undisturbed one leaves."""

import random
import signal
import time

import pytest
from training_faults import HoldInCheckpoint, SlowSteps
from training_runs import finish, leftovers, whole_state

STOPPED = {signal.SIGTERM: (0, 143), signal.SIGINT: (0, 130)}  # 143 and 130: before the first step


def test_signals_at_random_moments(train, tmp_path, same):
    seed = random.randrange(10**6)
    print(f"seed {seed}")  # shown when the test fails
    chance, folder = random.Random(seed), tmp_path / "run"
    for number in (signal.SIGTERM, signal.SIGKILL, signal.SIGINT, signal.SIGKILL):
        run = train(folder, "--resume", fault=SlowSteps(0.03))
        run.wait_for(lambda run=run: "to learn from" in run.said)
        time.sleep(chance.uniform(0, 0.6))
        run.send(number)
        code = run.wait()
        if number == signal.SIGKILL:
            assert code in (0, -signal.SIGKILL)
        else:
            assert code in STOPPED[number], run.said
            assert "Traceback" not in run.said and "Error" not in run.said
            assert leftovers(folder) == []
            if code == 0 and "done:" not in run.said:
                assert "the state is saved" in run.said and "resume with:" in run.said
    finish(train(folder, "--resume"))
    assert leftovers(folder) == []
    same(folder)


@pytest.mark.parametrize(
    ("place", "number"),
    [
        ("before", signal.SIGKILL),
        ("writing", signal.SIGKILL),
        ("renaming", signal.SIGKILL),
        ("writing", signal.SIGTERM),
    ],
)
def test_signals_in_the_midst_of_a_checkpoint(train, tmp_path, same, place, number):
    folder, gate = tmp_path / "run", tmp_path / "gate"
    run = train(folder, fault=HoldInCheckpoint(4, place, gate))
    run.wait_for(gate)
    run.send(number)
    if number == signal.SIGKILL:
        assert run.wait() == -signal.SIGKILL
        gate.unlink()
        whole_state(folder)  # of the second checkpoint or of the third, but whole
    else:
        gate.unlink()
        assert run.wait() == 0, run.said
        assert "stopped at 24 images" in run.said or "stopped at 28 images" in run.said
        assert leftovers(folder) == []
    finish(train(folder, "--resume"))
    assert leftovers(folder) == []
    same(folder)


def test_a_second_signal_ends_at_once_and_loses_nothing(train, tmp_path, same):
    folder, gate = tmp_path / "run", tmp_path / "gate"
    run = train(folder, fault=HoldInCheckpoint(4, "writing", gate))
    run.wait_for(gate)
    run.send(signal.SIGINT)
    time.sleep(0.1)
    run.send(signal.SIGINT)
    assert run.wait() == 130, run.said
    gate.unlink()
    assert "interrupted" in run.said and "Traceback" not in run.said
    assert leftovers(folder) == []
    assert len(whole_state(folder)) == len(whole_state(folder, "previous.pt"))
    finish(train(folder, "--resume"))
    same(folder)
