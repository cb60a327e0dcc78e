"""colorize and denoise by two processes: one process's results, one manifest, one report, one voice."""

import hashlib
import json
import os
import signal
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty folder, and the current one."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def make_photographs(count, side=60):
    """Grey pictures of several sizes in two folders -> their names."""
    names = [f"in/{'deep/' if index % 3 else ''}{index:03d}.png" for index in range(count)]
    Path("in/deep").mkdir(parents=True, exist_ok=True)
    for index, name in enumerate(names):
        coarse = np.random.default_rng(index).integers(0, 256, (5, 7), dtype=np.uint8)
        size = (side + 40 * (index % 3), side)
        Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC).save(name)
    return names


def command(verb, weights, *more, output="out"):
    return [
        verb,
        "in",
        "--output",
        output,
        "--model",
        weights,
        "--device",
        "cpu",
        "--precision",
        "fp32",
        *more,
    ]


def events(output="out", verb="colorize"):
    content = Path(output, f"{verb}-manifest.jsonl").read_bytes()
    assert content.endswith(b"\n")
    return [json.loads(line) for line in content.splitlines()]


def report(output="out"):
    return json.loads(Path(output, "colorize-report.json").read_bytes())


def pictures(output="out"):
    """What the results show; their words tell when they were made."""
    shown = {}
    for path in Path(output).rglob("*.png"):
        with Image.open(path) as image:
            shown[path.relative_to(output)] = (
                image.mode,
                image.size,
                hashlib.sha256(image.tobytes()).digest(),
            )
    return shown


def made(output="out"):
    """How often each input was finished with a result."""
    return Counter(line["input"] for line in events(output) if line["event"] == "file" and "outputs" in line)


def lasting(entries):
    """Entries of a report without what differs between any two runs."""
    return [
        {key: value for key, value in entry.items() if key not in ("time", "seconds")} for entry in entries
    ]


def file_lines(output="out"):
    path = Path(output, "colorize-manifest.jsonl")
    return path.read_bytes().count(b'"event":"file"') if path.is_file() else 0


def run_until_some_are_done(started, count=6):
    while file_lines() < count and started.poll() is None:
        time.sleep(0.005)
    assert started.poll() is None, started.communicate()


def test_two_processes_are_as_one(torchrun, run, folder, weights):
    names = make_photographs(14)
    Path("in/bad.png").write_text("no picture")
    alone = run(*command("colorize", weights, "--batch-size", 1, output="alone"))
    done = torchrun(command("colorize", weights, "--batch-size", 1))
    assert alone.exit_code == 1 and done.returncode == 1
    assert pictures() == pictures("alone") and len(pictures()) == 14
    assert done.stderr.count("bad.png") == 1 and alone.stderr.strip() in done.stderr
    assert done.stdout.count("14 coloured, 0 skipped, 1 failed") == 1
    assert lasting(report()["files"]) == lasting(report("alone")["files"])
    assert report()["settings"] == report("alone")["settings"] and not report()["interrupted"]
    counts = Counter(line["event"] for line in events())
    assert counts == {"run": 1, "placed": 14, "file": 15, "end": 1}
    assert made() == dict.fromkeys(names, 1)
    # a single process goes on where two have been: with what failed
    Path("in/bad.png").unlink()
    assert "0 coloured, 14 skipped, 0 failed" in run(*command("colorize", weights, "--resume")).stdout


def test_a_killed_process_ends_the_job_with_its_reason_and_resume_finishes(
    torchrun_job, run, folder, weights
):
    names = make_photographs(100, side=240)
    assert run(*command("colorize", weights, "--batch-size", 1, output="whole")).exit_code == 0
    with torchrun_job(command("colorize", weights, "--batch-size", 1)) as (started, members):
        run_until_some_are_done(started)
        # the processes of one run share the folder; two runs do not
        refused = run(*command("colorize", weights))
        assert refused.exit_code == 1 and "another run writes there" in refused.stderr
        os.kill(members()[1], signal.SIGKILL)
        out, err = started.communicate(timeout=60)
    assert started.returncode
    assert err.count("Error: process 1 of this job ended before the work was done\n") == 1
    assert "to go on: torchrun ... -m gan_colorize colorize --resume" in out
    assert report()["interrupted"] and 6 <= report()["counts"]["coloured"] < 100
    # an end would say that no temporary file was left
    assert [line for line in events() if line["event"] == "end"] == []

    result = run(*command("colorize", weights, "--batch-size", 1, "--resume"))
    assert result.exit_code == 0 and result.stderr == ""
    assert pictures() == pictures("whole")
    assert made() == dict.fromkeys(names, 1)
    assert not list(Path("out").rglob(".part-*"))


def test_started_anew_by_torchrun_a_job_goes_on(torchrun_job, folder, weights):
    """The main process is the one that is killed: it had the manifest."""
    names = make_photographs(100, side=240)
    with torchrun_job(command("colorize", weights), launcher=["--max-restarts", "1"]) as (started, members):
        run_until_some_are_done(started)
        os.kill(members()[0], signal.SIGKILL)
        _, err = started.communicate(timeout=90)
    assert started.returncode == 0, err
    assert made() == dict.fromkeys(names, 1)
    assert len(pictures()) == 100 and not list(Path("out").rglob(".part-*"))
    assert Counter(line["event"] for line in events())["run"] == 2
    assert not report()["interrupted"]


def test_a_signal_to_the_job_is_a_signal_to_all(torchrun_job, run, folder, weights):
    names = make_photographs(100, side=240)
    with torchrun_job(command("colorize", weights)) as (started, _):
        run_until_some_are_done(started)
        started.send_signal(signal.SIGTERM)
        out, err = started.communicate(timeout=60)
    assert err.count("interrupted\n") == 1 and "to go on: torchrun" in out
    assert report()["interrupted"]
    assert not list(Path("out").rglob(".part-*"))  # what was being written was finished
    placed = {line["path"] for line in events() if line["event"] == "placed"}
    told = {output["path"] for line in events() for output in line.get("outputs", ())}
    assert placed == told and 6 <= len(told) < 100
    assert run(*command("colorize", weights, "--resume")).exit_code == 0
    assert made() == dict.fromkeys(names, 1)


def test_denoise_is_shared_as_well(torchrun, run, folder, ten_darker):
    make_photographs(6)
    assert run(*command("denoise", ten_darker, output="alone")).exit_code == 0
    done = torchrun(command("denoise", ten_darker))
    assert done.returncode == 0, done.stderr
    assert pictures() == pictures("alone") and len(pictures()) == 6
    assert done.stdout.count("6 restored, 0 skipped, 0 failed") == 1
    assert Counter(line["event"] for line in events(verb="denoise"))["file"] == 6


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["colorize", "in", "--output", "out", "--model", "absent.safetensors"], "absent.safetensors"),
        (["colorize", "in"], "Missing option '--output'"),
        (["palette", "autumn"], "palette: runs in one process, and this job has 2"),
    ],
)
def test_what_is_wrong_for_all_is_said_once(torchrun, folder, arguments, line):
    make_photographs(2)
    done = torchrun(arguments)
    assert done.returncode
    said = [text for text in done.stderr.splitlines() if text.startswith("Error: ")]
    assert len(said) == 1 and line in said[0], done.stderr
    assert not Path("out").exists()
