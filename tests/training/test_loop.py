"""The loop as a whole: what it leaves, that it resumes exactly, what it does when things go wrong."""

import errno
import json

import pytest
import torch
from safetensors.torch import load_file

from gan_colorize import files
from gan_colorize.errors import UserError
from gan_colorize.models import create_model
from gan_colorize.training import gan_step, state
from gan_colorize.training.ema import Average
from gan_colorize.training.gan_step import GanStep
from gan_colorize.training.guard import MAX_FAILURES
from gan_colorize.training.loop import train
from gan_colorize.training.optim import Precision
from gan_colorize.training.setup import prepare_data
from gan_colorize.training.task import create_networks


def silent(*_):
    return None


def run(config, pictures, folder, resume=False, init=None):
    folder.mkdir(parents=True, exist_ok=True)
    data = prepare_data(config, [pictures], [], folder, silent, silent)
    return train(config, data, folder, "cpu", resume, init)


def records(folder):
    return [json.loads(line) for line in (folder / "stats.jsonl").read_text().splitlines()]


class Crash(Exception):
    """Stands for a kill: nothing between the loop and the outside catches it."""


def crash_at(monkeypatch, images):
    original = gan_step.GanStep.__call__
    calls = {"images": 0}

    def step(self, batch, kind):
        calls["images"] += len(batch.lightness)
        if calls["images"] > images:
            raise Crash
        return original(self, batch, kind)

    monkeypatch.setattr(gan_step.GanStep, "__call__", step)


def test_a_run_leaves_what_it_promises(config, pictures, tmp_path):
    folder = tmp_path / "run"
    assert run(config, pictures, folder) is True
    for name in ("config.yaml", "train.log", "curves.png", "model.safetensors", "last/state.pt"):
        assert (folder / name).stat().st_size > 0, name
    assert len(list((folder / "samples").glob("*.jpg"))) == 4
    lines = records(folder)
    assert [line["images"] for line in lines if "rate" in line] == [8, 16, 24, 32, 40, 48, 56, 64, 72, 80]
    by_phase = {phase: [line for line in lines if line.get("phase") == phase] for phase in range(3)}
    assert all("classification" in line and "discriminator" not in line for line in by_phase[0])
    assert all("discriminator" in line and "classification" not in line for line in by_phase[1])
    assert all({"discriminator", "adversarial", "classification"} <= set(line) for line in by_phase[2])
    assert not list(folder.rglob(".part-*"))


def test_discriminator_phase_leaves_the_generator_alone(config, pictures, tmp_path):
    config.phases = [config.phases[1]]
    folder = tmp_path / "run"
    run(config, pictures, folder)
    saved = torch.load(folder / "last" / "state.pt", weights_only=True)
    torch.manual_seed(config.run.seed)
    fresh = create_model(config.model.name, config.model.options).state_dict()
    for key, value in fresh.items():
        assert torch.equal(saved["generator"][key], value), key
    assert saved["discriminator_optimizer"]["state"]


@pytest.mark.parametrize("images", [20, 38, 71])
def test_a_killed_run_resumes_bit_for_bit(config, pictures, tmp_path, monkeypatch, images):
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    run(config, pictures, whole)
    with monkeypatch.context() as patch:
        crash_at(patch, images)
        with pytest.raises(Crash):
            run(config, pictures, broken)
    with (broken / "stats.jsonl").open("a") as file:
        file.write('{"images": 7')  # a line that the kill cut short
    run(config, pictures, broken, resume=True)
    assert (broken / "stats.jsonl").read_text() == (whole / "stats.jsonl").read_text()
    ours, theirs = (load_file(f / "model.safetensors") for f in (whole, broken))
    assert all(torch.equal(ours[key], theirs[key]) for key in ours)


def test_validation_loss_falls(config, pictures, tmp_path):
    config.phases = [config.phases[0]]
    config.phases[0].images = 400
    config.optimizer.learning_rate = 3e-3
    config.run.validate_every = 100
    folder = tmp_path / "run"
    run(config, pictures, folder)
    losses = [line["validation_cross_entropy"] for line in records(folder) if "validation_loss" in line]
    assert losses[-1] < losses[0] - 0.5


def poison(monkeypatch, batches):
    """Make the classification term NaN in these calls."""
    original = gan_step.reconstruction_terms
    calls = {"count": -1}

    def terms(*arguments):
        result = original(*arguments)
        calls["count"] += torch.is_grad_enabled()
        if torch.is_grad_enabled() and calls["count"] in batches:
            result["classification"] = result["classification"] * float("nan")
        return result

    monkeypatch.setattr(gan_step, "reconstruction_terms", terms)


def test_a_nan_is_named_and_rolled_back(config, pictures, tmp_path, monkeypatch, capsys):
    config.phases = config.phases[:1]
    poison(monkeypatch, {2})
    folder = tmp_path / "run"
    assert run(config, pictures, folder) is True
    said = capsys.readouterr().err
    assert "classification is not finite in the batch that begins at image 8" in said
    assert "learning rate now x0.5" in said
    assert [line["rolled_back"] for line in records(folder) if "rolled_back" in line] == ["classification"]
    assert all(value.isfinite().all() for value in load_file(folder / "model.safetensors").values())
    saved = torch.load(folder / "last" / "state.pt", weights_only=True)
    assert saved["progress"]["rate"] == 1.0  # a whole stretch without a failure: trust has returned


def test_repeated_nans_stop_with_the_state_of_before(config, pictures, tmp_path, monkeypatch):
    config.phases[0].images = 160
    poison(monkeypatch, set(range(5, 1000)))
    folder = tmp_path / "run"
    with pytest.raises(UserError, match=f"classification is not finite.*{MAX_FAILURES + 1} times"):
        run(config, pictures, folder)
    saved = torch.load(folder / "last" / "state.pt", weights_only=True)
    assert saved["progress"]["failures"] == 3
    assert all(value.isfinite().all() for value in saved["generator"].values())


def test_a_full_disk_keeps_the_older_checkpoint(config, pictures, tmp_path, monkeypatch):
    folder = tmp_path / "run"
    original, calls = state.save_bytes, {"count": 0}

    def save(path, data, older):
        calls["count"] += 1
        if calls["count"] == 3:  # the first is of before the first step
            monkeypatch.setattr(files.os, "fsync", full)
        return original(path, data, older)

    def full(handle):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(state, "save_bytes", save)
    with pytest.raises(UserError, match=r"state.pt: No space left on device"):
        run(config, pictures, folder)
    assert torch.load(folder / "last" / "state.pt", weights_only=True)["progress"]["images"] == 16
    assert not list(folder.rglob(".part-*"))


def test_a_disk_that_is_really_full_is_told_in_one_line(config, small_disk):
    networks = create_networks(config, torch.device("cpu"), False, None)
    step = GanStep(networks, config.loss, Precision(torch.device("cpu"), torch.float32), 1.0, None)
    whole = state.RunState(networks, Average(networks.generator, 100), step, "")
    (small_disk / "state.pt").write_bytes(b"older")
    with pytest.raises(UserError, match=r"state.pt: No space left on device$"):
        whole.save(small_disk / "state.pt")
    assert (small_disk / "state.pt").read_bytes() == b"older"


def test_a_run_without_a_discriminator_goes_on_with_one(config, pictures, tmp_path):
    whole = config.phases
    config.phases = whole[:1]
    folder = tmp_path / "run"
    run(config, pictures, folder)
    before = torch.load(folder / "last" / "state.pt", weights_only=True)
    assert not [key for key in before if key.startswith("discriminator")]
    config.phases = whole
    run(config, pictures, folder, resume=True)
    after = torch.load(folder / "last" / "state.pt", weights_only=True)
    assert after["discriminator"] and after["discriminator_optimizer"]["state"]
    assert after["progress"]["images"] == 80


def test_a_run_goes_on_in_a_precision_that_scales_its_gradients(config, tmp_path):
    def whole(dtype):
        networks = create_networks(config, torch.device("cpu"), False, None)
        step = GanStep(networks, config.loss, Precision(torch.device("cpu"), dtype), 1.0, None)
        return state.RunState(networks, Average(networks.generator, 100), step, "")

    plain, scaled = whole(torch.float32), whole(torch.float16)
    plain.save(tmp_path / "plain.pt")
    scaled.save(tmp_path / "scaled.pt")
    assert scaled.load(tmp_path / "plain.pt") and scaled.step.scaler.is_enabled()
    assert plain.load(tmp_path / "scaled.pt")


@pytest.mark.parametrize("content", [b"", b"not a state", None])
def test_a_broken_state_is_refused_in_one_line(config, pictures, tmp_path, content):
    folder = tmp_path / "run"
    config.phases = config.phases[:1]
    run(config, pictures, folder)
    path = folder / "last" / "state.pt"
    path.with_name("previous.pt").unlink()
    path.write_bytes(path.read_bytes()[:-1000] if content is None else content)
    with pytest.raises(UserError, match="damaged or no training state") as caught:
        run(config, pictures, folder, resume=True)
    assert "\n" not in str(caught.value)


def test_init_starts_from_weights(config, pictures, tmp_path):
    config.phases = config.phases[:1]
    run(config, pictures, tmp_path / "first")
    config.optimizer.learning_rate = 0.0
    config.optimizer.weight_decay = 0.0
    weights = tmp_path / "first" / "model.safetensors"
    run(config, pictures, tmp_path / "second", init=weights)
    ours, theirs = load_file(weights), load_file(tmp_path / "second" / "last" / "model.safetensors")
    for key in ours:
        if "running" not in key and "num_batches" not in key:
            torch.testing.assert_close(ours[key], theirs[key])
