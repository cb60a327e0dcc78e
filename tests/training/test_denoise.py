"""The denoising task: its noise, its exact resuming, its numbers and what it refuses."""

import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from gan_colorize.config import load_config
from gan_colorize.data.chance import Chance
from gan_colorize.data.noise import luma8, noisy8, to_levels
from gan_colorize.errors import UserError
from gan_colorize.models.contract import Prediction
from gan_colorize.training import denoise_task
from gan_colorize.training.denoise_task import SIGMAS, DenoiseValidator, NoiseMaker
from gan_colorize.training.loop import train
from gan_colorize.training.optim import Precision
from gan_colorize.training.setup import prepare_data
from gan_colorize.training.task import check_run

CPU = torch.device("cpu")
EXACT = Precision(CPU, torch.float32)
OVERRIDES = [
    "task=denoise",
    "model.name=rbdn",
    "model.options={output: lightness, branches: 2, width: 8, trunk: 3, residual: true}",
    "discriminator.options.width=4",
    "data.validation_images=3",
    "data.validation_size=64",
    "data.workers=0",
    "loss.mse=1",
    "optimizer.warmup_images=8",
    "optimizer.ema_images=16",
    "run.log_every=8",
    "run.validate_every=16",
    "run.checkpoint_every=16",
    "run.precision=fp32",
    "run.best_by=psnr",
]
PHASES = "phases=[{{train: {}, images: 32, crop_size: 64, batch_size: 4}}]"


@pytest.fixture
def config():
    return load_config((), [*OVERRIDES, PHASES.format("generator")])


def run(config, pictures, folder, resume=False):
    folder.mkdir(parents=True, exist_ok=True)
    data = prepare_data(config, [pictures], [], folder, lambda *_: None, lambda *_: None)
    return train(config, data, folder, "cpu", resume, None)


def records(folder):
    return [json.loads(line) for line in (folder / "stats.jsonl").read_text().splitlines()]


def test_grey_is_the_luma_of_bt601():
    rgb = torch.tensor([[255, 0, 0], [0, 255, 0], [0, 0, 255], [10, 20, 200]], dtype=torch.uint8)
    grey = luma8(rgb[:, :, None, None])
    assert grey.shape == (4, 1, 1, 1)
    assert grey.flatten().tolist() == [76, 150, 29, round(0.299 * 10 + 0.587 * 20 + 0.114 * 200)]


def test_noise_has_the_sigma_asked_for_and_no_bias():
    grey = torch.full((3, 1, 128, 128), 128, dtype=torch.uint8)
    noisy = noisy8(grey, torch.tensor([0.0, 8.0, 30.0]), Chance(1, range(3)))
    assert noisy.dtype == torch.uint8 and torch.equal(noisy[0], grey[0])
    difference = noisy.double() - 128
    for index, sigma in ((1, 8.0), (2, 30.0)):
        assert difference[index].std().item() == pytest.approx((sigma**2 + 1 / 12) ** 0.5, rel=0.02)
        assert abs(difference[index].mean().item()) < 4 * sigma / 128
    # white: neighbours know nothing of each other
    one, other = difference[2, 0, :, 1:].flatten(), difference[2, 0, :, :-1].flatten()
    assert abs(np.corrcoef(one, other)[0, 1]) < 0.03


def test_noise_is_cut_as_a_file_cuts_it():
    black = torch.zeros(1, 1, 64, 64, dtype=torch.uint8)
    noisy = noisy8(black, torch.tensor([50.0]), Chance(1, [0]))
    assert (noisy == 0).float().mean().item() == pytest.approx(0.5, abs=0.03)
    assert noisy8(black + 255, torch.tensor([50.0]), Chance(0, [0])).max() == 255


def test_each_picture_has_a_sigma_of_its_own_evenly_spread():
    maker = NoiseMaker((8.0, 50.0), seed=3)
    rgb = torch.full((64, 3, 32, 32), 128, dtype=torch.uint8)
    batches = [
        maker.training(rgb, torch.arange(position - len(rgb), position), position)
        for position in range(64, 64 * 9, 64)
    ]
    sigmas = torch.cat([(b.lightness - b.clean).flatten(1).std(1) for b in batches]) * 2.55
    assert 7 < sigmas.min() < 10 and 47 < sigmas.max() < 53
    assert sigmas.mean().item() == pytest.approx(29.0, abs=2.0)
    assert sigmas.std().item() == pytest.approx(42 / 12**0.5, abs=1.0)


def test_a_batch_follows_from_seed_and_position_alone():
    rgb = torch.randint(0, 256, (4, 3, 32, 32), dtype=torch.uint8)
    first = NoiseMaker((8.0, 50.0), 0).training(rgb, torch.arange(36, 40), 40)
    torch.manual_seed(99)  # the global generator has no say
    again = NoiseMaker((8.0, 50.0), 0).training(rgb, torch.arange(36, 40), 40)
    assert torch.equal(first.lightness, again.lightness) and first.position == 40
    assert torch.equal(to_levels(first.clean), luma8(rgb))
    assert first.lightness.min() >= 0 and first.lightness.max() <= 100
    for maker, position in ((NoiseMaker((8.0, 50.0), 0), 44), (NoiseMaker((8.0, 50.0), 1), 40)):
        assert not torch.equal(
            first.lightness,
            maker.training(rgb, torch.arange(position - len(rgb), position), position).lightness,
        )


class Darker(torch.nn.Module):
    """Answers with its input, 10 levels darker."""

    def forward(self, lightness):
        return Prediction(lightness=lightness - 1000 / 255)


def psnr(one, other):
    error = ((one.double() - other.double()) ** 2).mean(dim=(1, 2, 3))
    return (10 * torch.log10(255.0**2 / error)).mean().item()


def test_the_validator_says_what_can_be_worked_out_by_hand(config):
    rgb = torch.randint(0, 256, (18, 3, 32, 32), generator=torch.Generator().manual_seed(5)).byte()
    validator = DenoiseValidator(rgb, config.loss)
    clean = (rgb * torch.tensor([0.299, 0.587, 0.114])[:, None, None]).sum(1, keepdim=True).round()
    metrics, restored = validator(Darker(), EXACT)
    expected, given, losses = {}, {}, []
    for sigma in (10, 25, 50):
        every = torch.ones(len(clean), dtype=torch.bool)
        drawn = Chance(sigma, range(len(clean))).fields(every, clean.shape[1:], torch.device("cpu"))
        noise = drawn * sigma
        noisy = (clean + noise).round().clamp(0, 255)
        darker = noisy - 10
        losses.append((((darker - clean) / 255) ** 2).mean().item())
        assert torch.equal(restored[sigma], darker.clamp(min=0).byte())
        expected[sigma], given[sigma] = psnr(clean, darker.clamp(min=0)), psnr(clean, noisy)
        assert metrics[f"psnr_{sigma}"] == pytest.approx(expected[sigma], abs=1e-6)
        assert metrics[f"noisy_psnr_{sigma}"] == pytest.approx(given[sigma], abs=1e-6)
    assert metrics["psnr"] == pytest.approx(sum(expected.values()) / 3, abs=1e-6)
    assert metrics["noisy_psnr"] == pytest.approx(sum(given.values()) / 3, abs=1e-6)
    assert metrics["loss"] == pytest.approx(np.mean(losses), rel=1e-4)
    assert tuple(SIGMAS) == (10, 25, 50)


def test_a_run_leaves_what_it_promises_and_restores(config, pictures, tmp_path):
    config.phases[0].images = 400
    config.optimizer.learning_rate = 3e-3
    config.run.validate_every = 100
    folder = tmp_path / "run"
    assert run(config, pictures, folder) is True
    lines = [line for line in records(folder) if "validation_loss" in line]
    assert lines[-1]["validation_loss"] < lines[0]["validation_loss"]
    assert lines[-1]["validation_psnr"] > lines[-1]["validation_noisy_psnr"] + 2
    assert any("mse" in line and "classification" not in line for line in records(folder))
    assert len(list((folder / "samples").glob("*.jpg"))) == 4
    state = torch.load(folder / "last" / "state.pt", weights_only=True)
    assert not [key for key in state if key.startswith("discriminator")], "nothing here trains one"
    assert (folder / "model.safetensors").is_file()


def test_grey_photographs_are_learnt_from_when_colour_is_not_asked_for(config, pictures, tmp_path):
    from PIL import Image

    for path in pictures.glob("*.png"):
        Image.open(path).convert("L").save(path)
    with pytest.raises(UserError, match="min_colourfulness"):
        run(config, pictures, tmp_path / "run")
    config.data.min_colourfulness = 0.0
    assert run(config, pictures, tmp_path / "run") is True


class Crash(Exception):
    """Stands for a kill: nothing between the loop and the outside catches it."""


@pytest.mark.parametrize("calls", [5, 7])
def test_a_killed_run_resumes_bit_for_bit(config, pictures, tmp_path, monkeypatch, calls):
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    run(config, pictures, whole)
    original, count = denoise_task.DenoiseStep.__call__, iter(range(100))

    def step(self, batch, train):
        if next(count) == calls:
            raise Crash
        return original(self, batch, train)

    with monkeypatch.context() as patch:
        patch.setattr(denoise_task.DenoiseStep, "__call__", step)
        with pytest.raises(Crash):
            run(config, pictures, broken)
    run(config, pictures, broken, resume=True)
    assert (broken / "stats.jsonl").read_text() == (whole / "stats.jsonl").read_text()
    ours, theirs = (load_file(f / "model.safetensors") for f in (whole, broken))
    assert all(torch.equal(ours[key], theirs[key]) for key in ours)


@pytest.mark.parametrize(
    ("override", "line"),
    [
        (PHASES.format("both"), r"phases\[0\]\.train: both must be generator for task denoise"),
        (PHASES.format("discriminator"), r"phases\[0\]\.train: discriminator must be generator"),
        ("loss.mse=0", r"loss\.mse: 0\.0 must be above 0 for task denoise"),
        ("loss.lpips=1", r"loss\.lpips: 1\.0 must be 0 for task denoise"),
        ("data.noise=[50, 8]", r"data\.noise: \[50\.0, 8\.0\] must be two numbers in 0\.\.255"),
        ("data.noise=[8]", r"data\.noise: \[8\.0\] must be two numbers"),
        ("data.noise=[-1, 8]", r"data\.noise: \[-1\.0, 8\.0\] must be two numbers"),
    ],
)
def test_what_makes_no_sense_is_told_at_once(override, line):
    with pytest.raises(UserError, match=line) as caught:
        load_config((), [*OVERRIDES, PHASES.format("generator"), override])
    assert "\n" not in str(caught.value)


def test_task_and_network_must_suit_each_other(config, pictures, tmp_path):
    config.model.options = {"branches": 2, "width": 8}
    line = r"model\.name: rbdn with its options returns distribution; task denoise teaches .* lightness$"
    with pytest.raises(UserError, match=line):
        check_run(config, "cpu", None)
    with pytest.raises(UserError, match=line):
        run(config, pictures, tmp_path / "run")
    config.model.options |= {"output": "lightness"}
    config.task = "colorize"
    with pytest.raises(UserError, match=r"returns lightness; task colorize teaches .* ab or distribution$"):
        check_run(config, "cpu", None)
