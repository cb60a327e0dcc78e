"""Progress: quiet in a script, one rewriting line in a terminal."""

import pytest

from gan_colorize.cli import progress
from gan_colorize.cli.progress import Progress


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands still unless moved."""
    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


def test_a_script_gets_a_line_every_half_minute(clock, capsys):
    counter = Progress(200)
    for _ in range(10):
        clock[0] += 4.0
        counter.step()
    assert capsys.readouterr().err == "8/200 photos, 0.2/s, 12:48 left\n"


def test_a_terminal_gets_one_line_that_rewrites_itself(clock, capsys, monkeypatch):
    monkeypatch.setattr(progress.sys.stderr, "isatty", lambda: True)
    counter = Progress(3)
    for _ in range(2):
        clock[0] += 0.5
        counter.step()
    counter.say("Error: x")
    lines = capsys.readouterr().err
    assert "\n" not in lines.split("Error")[0]
    assert "\r\x1b[K2/3 photos, 2.0/s, 0:00 left" in lines
    assert lines.endswith("\r\x1b[KError: x\n")


def test_loading_is_no_part_of_the_rate(clock, capsys):
    counter = Progress(100)
    clock[0] += 1000
    counter.start()
    clock[0] += 40
    counter.step()
    assert capsys.readouterr().err == "1/100 photos, 0.0/s, 66:00 left\n"


def test_megapixels_failures_and_the_work_that_is_left(clock, capsys):
    """Half of the photographs are a tenth of the work."""
    counter = Progress(4, work=1000.0)
    clock[0] += 20
    counter.step(megapixels=30.0, work=50.0)
    clock[0] += 20
    counter.step(work=50.0, failed=True)
    assert capsys.readouterr().err == "2/4 photos, 1 failed, 0.1/s, 0.8 MP/s, 6:00 left\n"


def test_long_times_are_told_in_hours(clock, capsys):
    counter = Progress(1001, unit="frames")
    clock[0] += 60
    counter.step()
    assert capsys.readouterr().err == "1/1,001 frames, 0.0/s, 16:40:00 left\n"


def test_lines_cannot_steer_the_terminal(capsys):
    Progress(1).say("Error: \x1b[2J.jpg")
    assert capsys.readouterr().err == "Error: \\x1b[2J.jpg\n"
