"""Losses that are no numbers, and clocks that jump."""

import json

from training_faults import ClockJumps, NotANumber
from training_runs import finish, leftovers, one_line_of_reason, whole_state


def test_one_loss_that_is_no_number_is_rolled_back_and_the_run_goes_on(train, tmp_path):
    folder = tmp_path / "run"
    run = train(folder, fault=NotANumber(4, 4))
    assert run.wait() == 0, run.said
    assert "classification is not finite in the batch that begins at image 12; back to the last" in run.said
    lines = [json.loads(line) for line in (folder / "stats.jsonl").read_text().splitlines()]
    assert [line["batch"] for line in lines if "rolled_back" in line] == [12]
    whole_state(folder)
    assert leftovers(folder) == []


def test_losses_that_stay_no_numbers_stop_the_run_with_its_last_good_state(train, tmp_path):
    folder = tmp_path / "run"
    run = train(folder, fault=NotANumber(7, 10**6))
    assert run.wait() == 1, run.said
    reason = one_line_of_reason(run.said)
    assert "classification is not finite" in reason and "--resume" in reason
    assert leftovers(folder) == []
    whole_state(folder)  # not a number in it that is none
    finish(train(folder, "--resume"))
    whole_state(folder)


def test_a_clock_that_jumps_ten_years_at_every_look_changes_nothing(train, tmp_path, same):
    folder = tmp_path / "run"
    run = train(folder, fault=ClockJumps())
    assert run.wait() == 0, run.said
    assert "Traceback" not in run.said
    same(folder)
    years = {line[:4] for line in (folder / "train.log").read_text().splitlines() if line[:2] == "20"}
    assert len(years) == 2  # the fault was there
    speeds = [line.split("images/s")[0].split()[-1] for line in run.said.splitlines() if "images/s" in line]
    assert speeds and all(0 <= float(speed) < 1e5 for speed in speeds)
    # what the future wrote is no obstacle to the present
    finish(train(folder, "--resume"))
    same(folder)
