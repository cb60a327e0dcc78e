"""evaluate by two processes: the files of the report are those of one process, byte for byte."""

import json
import os
import signal
import time
from pathlib import Path

import numpy as np
import pytest
import torch
import torchvision
from PIL import Image


@pytest.fixture
def photographs(tmp_path):
    """Colour pictures of two sizes, one grey, one damaged."""
    folder = tmp_path / "photographs"
    folder.mkdir()
    for index in range(13):
        coarse = np.random.default_rng(index).integers(0, 256, (4, 5, 3), dtype=np.uint8)
        size = (52, 40) if index % 3 else (44, 60)
        Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC).save(folder / f"{index:02d}.png")
    Image.new("RGB", (50, 50), (90, 90, 90)).save(folder / "05-grey.png")
    (folder / "07-bad.jpg").write_text("no picture")
    return folder


@pytest.fixture
def trunk(tmp_path):
    """AlexNet's layers with random numbers, as torchvision names them."""
    torch.manual_seed(0)
    state = torchvision.models.alexnet(weights=None).features.state_dict()
    path = tmp_path / "alexnet.pth"
    torch.save({f"features.{key}": value for key, value in state.items()}, path)
    return path


def evaluate(weights, photographs, output, *more):
    given = ["evaluate", "--model", weights, "--data", photographs, "--output", output, "--device", "cpu"]
    return [*given, "--batch-size", 2, *more]


def test_the_report_of_two_processes_is_that_of_one(torchrun, run, tmp_path, weights, photographs, trunk):
    one, two = tmp_path / "one", tmp_path / "two"
    protocol = ("--resize", "native", "--lpips-trunk", trunk)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        alone = run(*evaluate(weights, photographs, one, *protocol))
    finally:
        torch.set_num_threads(threads)
    done = torchrun(evaluate(weights, photographs, two, *protocol))
    assert alone.exit_code == 1 and done.returncode == 1  # for the damaged file
    for name in ("report.json", "report.md", "grid.jpg"):
        assert (two / name).read_bytes() == (one / name).read_bytes(), name
    report = json.loads((two / "report.json").read_bytes())
    assert [Path(of["name"]).name for of in report["per_image"]] == [
        f"{index:02d}.png" for index in range(13)
    ]
    assert "lpips" in report["rows"]["model"] and "auc_rebalanced" in report["rows"]["model"]
    assert [Path(of["name"]).name for of in report["broken"]] == ["07-bad.jpg"]
    assert [Path(name).name for name in report["skipped_grey"]] == ["05-grey.png"]
    told = done.stdout.replace(str(two), str(one))
    assert told == alone.stdout
    for line in alone.stderr.splitlines():
        assert done.stderr.splitlines().count(line) == 1


def test_steering_is_measured_together(torchrun, run, tmp_path, weights, photographs):
    one, two = tmp_path / "one", tmp_path / "two"
    more = ("--guided", "--limit", 3, "--size", 32)
    (photographs / "07-bad.jpg").unlink()
    assert run(*evaluate(weights, photographs, one, *more)).exit_code == 0
    done = torchrun(evaluate(weights, photographs, two, *more))
    assert done.returncode == 0, done.stderr
    assert (two / "report.json").read_bytes() == (one / "report.json").read_bytes()
    assert json.loads((two / "report.json").read_bytes())["guided"]["photographs"] == 3
    assert (two / "guided.png").read_bytes() == (one / "guided.png").read_bytes()


def test_no_photograph_to_measure_is_said_once(torchrun, tmp_path, weights):
    folder = tmp_path / "grey"
    folder.mkdir()
    for index in range(3):
        Image.new("L", (40, 40), 60 * index).save(folder / f"{index}.png")
    done = torchrun(evaluate(weights, folder, tmp_path / "out", "--size", 32))
    assert done.returncode
    said = [line for line in done.stderr.splitlines() if line.startswith("Error: ")]
    assert said == [
        "Error: no colour photograph among 3: all are grey, and colouring is measured against true colours"
    ]
    assert not (tmp_path / "out" / "report.json").exists()


def test_a_killed_process_ends_the_job_without_a_report(torchrun_job, tmp_path, weights, photographs):
    listed = tmp_path / "often.txt"
    listed.write_text("\n".join(sorted(map(str, photographs.glob("0*.png"))) * 60))
    out = tmp_path / "out"
    arguments = evaluate(weights, listed, out, "--batch-size", 1, "--size", 256)
    with torchrun_job(arguments) as (started, members):
        while not out.is_dir() and started.poll() is None:  # made just before the first is measured
            time.sleep(0.01)
        assert started.poll() is None, started.communicate()
        time.sleep(1.0)
        os.kill(members()[1], signal.SIGKILL)
        _, err = started.communicate(timeout=60)
    assert started.returncode
    # torchrun tells of the signal; and so does the main process, if it had begun with the other one
    assert "SIGKILL" in err
    # who sees it first, whoever deals the work or the transport between them, says so
    told = ("process 1 of this job ended before the work was done", "another one has ended", "interrupted")
    assert any(reason in err for reason in told), err
    assert not (out / "report.json").exists()
