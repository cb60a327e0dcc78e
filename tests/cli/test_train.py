"""``gan-colorize train``: one line for bad input, truthful exit codes, signals, kills."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image
from safetensors.numpy import load_file, save_file

from gan_colorize.cli.main import main


@pytest.fixture
def settings(tiny_overrides):
    return [argument for override in tiny_overrides for argument in ("--set", override)]


def run(*arguments):
    return CliRunner().invoke(main, ["train", *map(str, arguments)])


def one_line(result, *expected):
    assert result.exit_code in (1, 2), result.output
    assert "Traceback" not in result.output
    error = [line for line in result.output.splitlines() if line.startswith("Error: ")]
    assert len(error) == 1, result.output
    for text in expected:
        assert text in error[0]


def test_dry_run_prints_the_resolved_config():
    result = run("--dry-run", "--set", "data.min_scale=0.75")
    assert result.exit_code == 0
    assert "min_scale: 0.75" in result.output and "phases:" in result.output


def test_missing_options_are_usage_errors(tmp_path):
    assert run("--output", tmp_path / "run").exit_code == 2
    assert run("--data", tmp_path).exit_code == 2


def test_missing_path(tmp_path):
    one_line(run("--data", tmp_path / "none", "--output", tmp_path / "run"), "none")


def test_empty_folder(tmp_path):
    (tmp_path / "empty").mkdir()
    one_line(run("--data", tmp_path / "empty", "--output", tmp_path / "run"), "empty")


def test_no_colour_images(tmp_path, settings):
    folder = tmp_path / "grey"
    folder.mkdir()
    for index in range(5):
        Image.fromarray(np.full((64, 64), 40 * index, np.uint8)).save(folder / f"{index}.png")
    one_line(run("--data", folder, "--output", tmp_path / "run", *settings), "data.min_colourfulness")


def test_nothing_but_broken_files(tmp_path, settings):
    folder = tmp_path / "broken"
    folder.mkdir()
    (folder / "text.jpg").write_text("not a picture")
    (folder / "empty.jpg").write_bytes(b"")
    one_line(run("--data", folder, "--output", tmp_path / "run", *settings), "unreadable")


def test_unknown_key_and_wrong_type(pictures, tmp_path, settings):
    for override in ("data.wokers=2", "data.workers=two", "model.options.width=3"):
        result = run("--data", pictures, "--output", tmp_path / "run", *settings, "--set", override)
        one_line(result, override.split("=")[0])


def test_output_is_never_overwritten(pictures, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "notes.txt").write_text("mine")
    one_line(run("--data", pictures, "--output", tmp_path / "run"), "not empty", "--resume")
    one_line(run("--data", pictures, "--output", tmp_path / "run" / "notes.txt"), "is a file")
    assert (tmp_path / "run" / "notes.txt").read_text() == "mine"


def test_resume_starts_nothing_over_what_it_cannot_continue(pictures, tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    for name in ("model.safetensors", "holiday.jpg", "best"):
        (folder / name).write_text("mine")
        one_line(run("--data", pictures, "--output", folder, "--resume"), name, "no training state")
        assert (folder / name).read_text() == "mine"
        (folder / name).unlink()
    assert not list(folder.iterdir())


def test_a_wrong_network_is_told_before_the_photographs_are_read(pictures, tmp_path, monkeypatch):
    from gan_colorize.training.colorize_task import ColorizeTask

    monkeypatch.setattr(ColorizeTask, "prepare", lambda *arguments: pytest.fail("looked at the data"))
    start = ["--data", pictures, "--output", tmp_path / "run", "--device", "cpu"]
    one_line(run(*start, "--set", "model.options.encoder=mobilnet"), "mobilnet")
    one_line(run(*start, "--set", "discriminator.name=patchgun"), "patchgun", "patchgan")
    one_line(run(*start, "--set", "run.precision=fp16"), "fp16")
    one_line(run(*start, "--set", "model.name=unet2", "--init", "default"), "model.name=unet2", "--init")
    one_line(run("--dry-run", "--set", "model.options.encoder=mobilnet"), "mobilnet")
    assert not (tmp_path / "run").exists()


def test_missing_pretrained_weights_are_told_before_the_photographs_are_read(
    pictures, tmp_path, monkeypatch, no_network
):
    from gan_colorize.training.colorize_task import ColorizeTask

    monkeypatch.setattr(ColorizeTask, "prepare", lambda *arguments: pytest.fail("looked at the data"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "cache"))
    for model in (["model.options.encoder=mobilenet_v2"], ["model.name=wallner", "model.options.width=4"]):
        overrides = [*model, "model.pretrained_encoder=true"]
        chosen = [piece for override in overrides for piece in ("--set", override)]
        start = ["--data", pictures, "--output", tmp_path / "run", "--device", "cpu", *chosen]
        one_line(run(*start), "mobilenet_v2", "neither cached", "model.pretrained_encoder=false")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(("network", "warned"), [("wallner", True), ("dahl", False)])
def test_a_recogniser_of_random_numbers_is_warned_of(network, warned, tmp_path, monkeypatch):
    """Wallner's is never trained; Dahl's trunk learns with the rest."""
    options = ["--set", f"model.name={network}", "--set", "model.options.width=4"]
    result = run("--dry-run", "--device", "cpu", *options)
    line = "Warning: model.pretrained_encoder: false leaves recogniser of wallner at random "
    assert result.exit_code == 0 and (line in result.stderr) == warned
    assert ("Warning" in result.stderr) == warned
    result = run("--dry-run", "--device", "cpu", *options, "--set", "model.pretrained_encoder=true")
    assert result.exit_code == 0 and result.stderr == "", "a dry run fetches nothing"


def test_bad_device(pictures, tmp_path):
    one_line(run("--data", pictures, "--output", tmp_path / "run", "--device", "abacus"), "--device abacus")


@pytest.mark.parametrize("kind", ["pickle", "other_bins", "cut", "missing"])
def test_bad_init_weights(pictures, tmp_path, kind):
    path = tmp_path / "weights.safetensors"
    header = {"model": "unet", "options": "{}", "bins_hash": "0" * 64, "format_version": "1"}
    if kind == "pickle":
        import torch

        torch.save({"a": torch.zeros(3)}, path)
    elif kind != "missing":
        save_file({"a": np.zeros(1000, np.float32)}, path, metadata=header)
        if kind == "cut":
            path.write_bytes(path.read_bytes()[:500])
    one_line(run("--data", pictures, "--output", tmp_path / "run", "--init", path), "weights.safetensors")


def test_resuming_an_initialised_run_keeps_its_architecture(pictures, tmp_path, settings):
    """--init decides the network; the same command with --resume must not fall back to the config's."""
    short = ["--data", pictures, "--device", "cpu", "--set"]
    phase = "phases=[{train: generator, images: %d, crop_size: 64, batch_size: 4}]"
    first = run(*short, phase % 8, "--output", tmp_path / "first", *settings[:-1], phase % 8)
    assert first.exit_code == 0, first.output
    plain = [v for v in settings if "model.options" not in v and v != "--set"]
    plain = [argument for override in plain[:-1] for argument in ("--set", override)]
    again = ["--init", tmp_path / "first", "--output", tmp_path / "second", "--resume", *plain]
    for images in (8, 16):
        result = run(*short, phase % images, *again)
        assert result.exit_code == 0, result.output
    lines = (tmp_path / "second" / "stats.jsonl").read_text().splitlines()
    assert [json.loads(line)["images"] for line in lines if "rate" in line] == [8, 16]


def start(pictures, folder, settings, *extra):
    command = [sys.executable, "-m", "gan_colorize", "train", "--data", pictures, "--output", folder]
    command += [*settings, "--device", "cpu", "--set", "phases[0].images=160", *extra]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.Popen(list(map(str, command)), stderr=subprocess.PIPE, text=True, env=environment)


def wait_for(path, process, seconds=120):
    deadline = time.monotonic() + seconds
    while not path.exists():
        assert process.poll() is None and time.monotonic() < deadline, process.stderr.read()
        time.sleep(0.05)


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_terminated_saves_and_killed_resumes_as_if_nothing_had_happened(pictures, tmp_path, settings):
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    uninterrupted = start(pictures, whole, settings)
    assert uninterrupted.wait(300) == 0, uninterrupted.stderr.read()

    killed = start(pictures, broken, settings)
    wait_for(broken / "last" / "state.pt", killed)
    killed.kill()
    killed.wait(60)
    assert not (broken / "model.safetensors").exists()

    stopped = start(pictures, broken, settings, "--resume")
    wait_for(broken / "samples" / "000000096.jpg", stopped)
    stopped.send_signal(signal.SIGTERM)
    _, errors = stopped.communicate(timeout=120)
    assert stopped.returncode == 0, errors
    assert "resume with: gan-colorize train" in errors and "--resume" in errors

    finished = start(pictures, broken, settings, "--resume")
    assert finished.wait(300) == 0, finished.stderr.read()
    assert (broken / "stats.jsonl").read_bytes() == (whole / "stats.jsonl").read_bytes()
    ours, theirs = (load_file(folder / "model.safetensors") for folder in (whole, broken))
    assert all(np.array_equal(ours[key], theirs[key]) for key in ours)
    assert json.loads((whole / "stats.jsonl").read_text().splitlines()[-1])["images"] == 208
