"""What the system does to a run: folders without permission, full disks, odd names, signals."""

import errno
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import gan_colorize

ENVIRONMENT = os.environ | {"PYTHONPATH": str(Path(gan_colorize.__file__).parents[1])}


def report(folder="out"):
    return json.loads(Path(folder, "colorize-report.json").read_text(encoding="utf-8"))


def test_full_disk_stops_with_one_line(colorize, work, small_disk):
    """A disk of 64 KB: what is there under its own name is whole, JPEG included."""
    Path("in").mkdir()
    noise = np.random.default_rng(0).integers(0, 256, (120, 120), dtype=np.uint8)
    for index in range(12):
        Image.fromarray(np.roll(noise, index)).save(f"in/{index:02d}.jpg", quality=95)
    result = colorize("in", "--output", small_disk)
    assert result.exit_code == 1
    stopped = [
        line for line in result.stderr.splitlines() if line.endswith("No space left on device; stopped")
    ]
    assert len(stopped) == 1
    assert "not tried" in result.stdout and "1 failed" in result.stdout
    written = sorted(small_disk.glob("*.jpg"))
    assert f"{len(written)} coloured" in result.stdout
    for path in written:
        with Image.open(path) as image:
            image.load()  # raises for a file that was cut short
    assert not list(small_disk.glob(".part-*"))


def test_an_output_that_cannot_be_written_is_told_before_the_model_is_loaded(
    run, work, grey_files, monkeypatch
):
    def refuse(*_, dir, **__):
        raise PermissionError(errno.EACCES, "Permission denied")

    grey_files("a.png")
    monkeypatch.setattr("gan_colorize.files.tempfile.TemporaryFile", refuse)
    result = run("colorize", "a.png", "--output", "out", "--model", "absent.safetensors")
    assert result.exit_code == 1
    assert result.stderr.splitlines() == ["Error: cannot write to out: Permission denied"]
    assert not Path("out").exists()


def test_a_file_where_the_output_folder_should_be(colorize, work, grey_files):
    grey_files("a.png")
    Path("notes").write_text("mine")
    result = colorize("a.png", "--output", "notes/out")
    assert result.exit_code == 1
    assert len(result.stderr.splitlines()) == 1
    assert "notes" in result.stderr and "directory" in result.stderr.lower()


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names")
def test_names_that_are_not_unicode(work, grey_files, weights):
    grey_files("in/a.png")
    bad = b"in/caf\xe9.png"
    Path("in/a.png").rename(os.fsdecode(bad))
    Path(os.fsdecode(b"in/br\xf6.jpg")).write_text("no photograph")
    command = [sys.executable, "-m", "gan_colorize", "colorize", "in", "--output", b"out\xfc"]
    command += ["--model", str(weights), "--device", "cpu"]
    done = subprocess.run(command, env=ENVIRONMENT | {"PYTHONUTF8": "1"}, capture_output=True)
    assert done.returncode == 1
    assert b"Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) == 1 and b"in/br\\udcf6.jpg" in done.stderr
    assert b"1 coloured, 0 skipped, 1 failed" in done.stdout
    folder = os.fsdecode(b"out\xfc")
    told = {entry["status"]: os.fsencode(entry["input"]) for entry in report(folder)["files"]}
    assert told == {"coloured": bad, "failed": b"in/br\xf6.jpg"}
    assert Path(folder, Path(os.fsdecode(bad)).name).is_file()


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_terminated_runs_report_what_is_done(work, grey_files, weights):
    grey_files(*(f"in/{index:03d}.png" for index in range(400)))
    command = [sys.executable, "-m", "gan_colorize", "colorize", "in", "--output", "out"]
    command += ["--model", str(weights), "--device", "cpu"]
    running = subprocess.Popen(command, env=ENVIRONMENT, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while not list(Path("out").glob("*.png")):
        assert running.poll() is None and time.monotonic() < deadline
        time.sleep(0.01)
    running.send_signal(signal.SIGTERM)
    _, errors = running.communicate(timeout=60)
    assert running.returncode == 143
    assert errors == "interrupted\n"
    told = report()
    assert told["interrupted"] is True
    assert 0 < told["counts"]["coloured"] < 400
    assert not list(Path("out").glob(".part-*"))
