"""The recipe reaches the loss: every knob of the config does what it says inside a real run."""

import dataclasses
import errno

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from gan_colorize.config import Loss, Phase
from gan_colorize.errors import UserError
from gan_colorize.evaluation import quick
from gan_colorize.training import colorize_task, gan_step, loop, runlog
from gan_colorize.training.curves import draw_curves
from gan_colorize.training.gan_step import GanStep, reconstruction_terms
from gan_colorize.training.guard import Guard
from gan_colorize.training.optim import descend
from gan_colorize.training.parallel import Parallel
from gan_colorize.training.setup import prepare_data
from gan_colorize.training.state import Progress


def silent(*_):
    return None


@pytest.fixture
def run(pictures, tmp_path):
    def start(config, name="run", resume=False):
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        data = prepare_data(config, [pictures], [], folder, silent, silent)
        loop.train(config, data, folder, "cpu", resume, None)
        return folder, data

    return start


@pytest.fixture
def makers(monkeypatch):
    """Every BatchMaker that a run builds."""
    built = []
    original = colorize_task.BatchMaker.__init__

    def spy(self, *arguments):
        original(self, *arguments)
        built.append(self)

    monkeypatch.setattr(colorize_task.BatchMaker, "__init__", spy)
    return built


def paper_weights(histogram, share, sigma):
    """Zhang et al. 2016, section 2.2, written out with numpy."""
    from gan_colorize.color.bins import bin_centres

    centres = bin_centres().double().numpy()
    squared = ((centres[:, None] - centres[None]) ** 2).sum(-1)
    kernel = np.exp(-squared / (2 * sigma**2))
    smooth = (kernel / kernel.sum(1, keepdims=True)).T @ histogram
    smooth /= smooth.sum()
    weights = 1 / ((1 - share) * smooth + share / 313)
    return weights / (smooth * weights).sum()


@pytest.mark.parametrize(("share", "sigma"), [(0.5, 5.0), (0.9, 8.0)])
def test_rebalancing_follows_the_counted_colours(config, run, makers, share, sigma):
    config.phases = config.phases[:1]
    config.target.uniform_share, config.target.prior_sigma = share, sigma
    _, data = run(config)
    expected = paper_weights(data.scan.histogram, share, sigma)
    np.testing.assert_allclose(makers[0].class_weights.numpy(), expected, rtol=1e-5)


def test_soft_encoding_is_the_configured_one(config, run, makers):
    config.phases = config.phases[:1]
    config.target.neighbours, config.target.sigma = 10, 7.0
    run(config)
    assert (makers[0].encoder.neighbours, makers[0].encoder.sigma) == (10, 7.0)


def test_hints_are_shown_as_often_as_asked(config, run, makers, monkeypatch):
    shown = []
    original = GanStep.__call__

    def spy(self, batch, train):
        shown.append(batch.conditions.mask.amax(dim=(1, 2, 3)))
        return original(self, batch, train)

    monkeypatch.setattr(gan_step.GanStep, "__call__", spy)
    config.phases = config.phases[:1]
    for probability in (0.0, 1.0):
        shown.clear()
        config.data.hints = probability
        run(config, f"run{probability:g}")
        # With hints wanted, no point at all is one of the numbers of points.
        assert torch.cat(shown).mean() > 0.7 if probability else torch.cat(shown).max() == 0


def test_pixel_weights_scale_the_classification_term():
    indices, shares = torch.zeros(1, 1, 2, 2, dtype=torch.long), torch.ones(1, 1, 2, 2)
    prediction = gan_step.Prediction(logits=torch.randn(1, 313, 2, 2))
    weight = torch.tensor([[[[0.0, 1.0], [2.0, 5.0]]]])
    batch = gan_step.Batch(None, None, indices, shares, weight, None)
    term = reconstruction_terms(Loss(), batch, prediction, None, None)["classification"]
    by_hand = -torch.log_softmax(prediction.logits, 1)[:, :1] * weight
    torch.testing.assert_close(term, by_hand.mean())


def test_held_out_pictures_are_not_trained_on(config, run):
    config.phases = config.phases[:1]
    _, data = run(config)
    assert len(data.validation) == 2 and len(data.train_indices) == 10
    held = set(data.scan.kept.tolist()) - set(data.train_indices.tolist())
    assert len(held) == 2


def test_saved_model_is_the_average(config, run):
    config.phases = config.phases[:1]
    folder, _ = run(config)
    state = torch.load(folder / "last" / "state.pt", weights_only=True)
    saved = load_file(folder / "last" / "model.safetensors")
    assert all(torch.equal(saved[key], state["average"][key]) for key in saved)
    assert any(not torch.equal(saved[key], state["generator"][key]) for key in saved)


def test_both_players_follow_the_schedule(config, run, monkeypatch):
    seen = []
    monkeypatch.setattr(gan_step, "set_rate", lambda optimizer, rate: seen.append(rate))
    config.optimizer.warmup_images = 0
    config.phases = [Phase("both", 32, 64, 4, learning_rate=1.0, final_rate=0.0)]
    run(config)
    settings = config.optimizer
    cosine = 0.5 * (1 + np.cos(np.pi * np.arange(0, 32, 4) / 32))
    assert np.allclose(seen[::2], settings.learning_rate * cosine)
    assert np.allclose(seen[1::2], settings.discriminator_rate * cosine)


def test_gradients_are_clipped_to_the_configured_norm():
    model = torch.nn.Linear(4, 1, bias=False)
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    scaler = torch.amp.GradScaler("cpu", enabled=False)
    before = model.weight.detach().clone()
    optimizer.param_groups[0]["fused"] = False
    losses = [lambda: (100.0 * model(torch.ones(1, 4)).sum(), {})]
    _, norm = descend(Parallel(model), optimizer, scaler, 1e-3, losses)
    assert norm.item() == pytest.approx(200.0)
    assert (model.weight - before).norm().item() == pytest.approx(1e-3, rel=1e-3)


def test_a_phase_that_was_passed_by_a_batch_is_skipped_with_and_without_resuming():
    phases = [Phase(images=10), Phase(images=4), Phase(images=18)]
    progress = Progress()
    taken = []
    for index, phase, first in loop._remaining_phases(phases, progress):
        taken.append(index)
        while progress.images < first + phase.images:
            progress.images += 8
    assert taken == [0, 2]
    assert [index for index, _, _ in loop._remaining_phases(phases, Progress(images=16))] == [2]


def test_a_resumed_run_takes_its_settings_from_the_config(config, run):
    config.phases = config.phases[:1]
    folder, _ = run(config)
    config.phases[0].images += 16
    config.optimizer.weight_decay, config.optimizer.betas = 0.0, [0.5, 0.6]
    config.optimizer.encoder_rate = 0.25
    run(config, resume=True)
    state = torch.load(folder / "last" / "state.pt", weights_only=True)
    groups = state["generator_optimizer"]["param_groups"]
    assert all(g["weight_decay"] == 0.0 and tuple(g["betas"]) == (0.5, 0.6) for g in groups)
    assert {g["scale"] for g in groups} == {0.25, 1.0}


def test_a_run_of_another_kind_of_device_resumes_here(config, run):
    """Where the optimizer was not fused: its steps were not either, and clipping takes another way."""
    config.phases = config.phases[:1]
    config.optimizer.clip_gradient = 1e-3  # every step is clipped
    folder, _ = run(config)
    path = folder / "last" / "state.pt"
    state = torch.load(path, weights_only=True)
    for group in state["generator_optimizer"]["param_groups"]:
        group["fused"] = False
    torch.save(state, path)
    config.phases[0].images += 16
    run(config, resume=True)
    groups = torch.load(path, weights_only=True)["generator_optimizer"]["param_groups"]
    assert all(group["fused"] for group in groups)


def test_regression_without_a_term_of_its_own_is_refused(config, run):
    config.model.options["output"] = "ab"
    with pytest.raises(UserError, match=r"loss.smooth_l1: 0, but unet predicts ab here"):
        run(config)
    config.loss.smooth_l1 = 1.0
    folder, _ = run(config)
    assert (folder / "model.safetensors").is_file()


def test_other_photographs_are_noticed_on_resume(config, run, pictures, capsys):
    config.phases = config.phases[:1]
    run(config)
    (pictures / "00.png").unlink()
    config.phases[0].images += 16
    run(config, resume=True)
    assert "not those of the saved run" in capsys.readouterr().err


def test_skipped_pictures_are_listed(config, run, pictures):
    from PIL import Image

    (pictures / "broken.jpg").write_bytes(b"oops")
    Image.new("L", (64, 64), 90).save(pictures / "grey.png")
    config.phases = config.phases[:1]
    folder, _ = run(config)
    listed = (folder / "skipped.txt").read_text(encoding="utf-8")
    assert "broken.jpg\t" in listed and "grey.png\ttoo little colour" in listed


def test_a_full_disk_at_the_diary_is_one_line(tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    with runlog.RunLog(tmp_path, 0, 100) as log:
        monkeypatch.setattr(runlog.Path, "open", full)
        with pytest.raises(UserError, match=r"stats\.jsonl: No space left on device"):
            log.record(images=1)


def test_lpips_as_the_measure_is_refused_before_training_starts(config, run, monkeypatch, tmp_path):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "nothing"))
    quick._lpips.cache_clear()  # what an earlier test has found with another cache
    config.run.best_by = "lpips"
    with pytest.raises(UserError, match=r"run\.best_by"):
        run(config)


def test_a_cut_trunk_is_no_measure(config, run, monkeypatch, tmp_path):
    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    (folder / "alexnet-owt-7be5be79.pth").write_bytes(b"PK\3\4 cut")
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    quick._lpips.cache_clear()
    config.run.best_by = "lpips"
    with pytest.raises(UserError, match=r"run\.best_by"):
        run(config)
    quick._lpips.cache_clear()


def test_curves_leave_out_what_is_not_a_number(tmp_path):
    records = [{"images": n, "psnr": value} for n, value in enumerate([1.0, float("nan"), 2.0, float("inf")])]
    draw_curves(records, tmp_path / "curves.png")
    assert (tmp_path / "curves.png").is_file()
    draw_curves([{"images": 1, "psnr": float("nan")}] * 3, tmp_path / "none.png")
    assert not (tmp_path / "none.png").exists()


class _Scaler:
    def __init__(self, scale):
        self.scale = scale

    def is_enabled(self):
        return True

    def get_scale(self):
        return self.scale


@pytest.mark.parametrize(("scale", "passes"), [(1024.0, True), (1.0, False)])
def test_under_fp16_an_overflow_is_normal_until_the_scale_is_gone(scale, passes):
    state = type("State", (), {"progress": Progress(), "roll_back": silent})()
    log = type("Log", (), {"record": lambda *_, **__: None, "say": silent})()
    guard = Guard(state, log, _Scaler(scale))
    assert guard.passes({"generator_gradient": float("inf")}, 0) is passes
    assert guard.passes({"classification": float("nan")}, 0) is False


def test_the_finished_model_carries_the_temperature_that_measured_best(config, run, monkeypatch):
    config.phases = config.phases[:1]
    calls = []

    def measured(self, model, precision):
        calls.append(self.temperature)
        near = abs(self.temperature - 0.8)
        return {"loss": 1.0, "colorfulness": 30 - near, "truth_colorfulness": 30.0}, None

    monkeypatch.setattr(colorize_task.Validator, "__call__", measured)
    monkeypatch.setattr(colorize_task.Validator, "save_grid", silent)
    folder, _ = run(config)
    from gan_colorize.zoo.checkpoint import read_metadata

    assert float(read_metadata(folder)["temperature"]) == 0.8
    config = dataclasses.replace(config, run=dataclasses.replace(config.run, temperature=0.55))
    folder, _ = run(config, "named")
    assert float(read_metadata(folder)["temperature"]) == 0.55
