"""Two processes never train into one folder."""

import signal

from training_faults import HoldAtStep
from training_runs import leftovers, one_line_of_reason


def test_a_second_process_is_refused_and_the_first_is_not_disturbed(train, tmp_path, same):
    folder, gate = tmp_path / "run", tmp_path / "gate"
    first = train(folder, fault=HoldAtStep(4, gate))
    first.wait_for(gate)
    for extra in ((), ("--resume",)):
        second = train(folder, *extra)
        assert second.wait() == 1, second.said
        assert "another process is training into it" in one_line_of_reason(second.said)
    gate.unlink()
    assert first.wait() == 0, first.said
    same(folder)
    assert leftovers(folder) == []


def test_a_killed_run_leaves_its_folder_free_though_its_workers_live_on(train, tmp_path, same):
    folder, gate = tmp_path / "run", tmp_path / "gate"
    first = train(folder, data__workers="1", fault=HoldAtStep(4, gate))
    first.wait_for(gate)
    first.send(signal.SIGKILL)
    assert first.wait() == -signal.SIGKILL
    gate.unlink()
    assert (folder / ".in-use").exists()
    second = train(folder, "--resume", data__workers="1")
    assert second.wait() == 0, second.said
    same(folder)
    assert leftovers(folder) == []
