"""Schedule, average, precision, diary and curves, each against values worked out by hand."""

import json
import math

import pytest
import torch
from PIL import Image

from gan_colorize.config import Optimizer, Phase
from gan_colorize.training.curves import draw_curves
from gan_colorize.training.ema import Average
from gan_colorize.training.gan_step import enlarge
from gan_colorize.training.optim import Precision, adamw, rate_factor, set_rate
from gan_colorize.training.runlog import RunLog


def test_rate_is_a_cosine_after_a_warmup():
    optimizer, phase = Optimizer(warmup_images=100), Phase(images=1000, learning_rate=1.0, final_rate=0.1)
    assert rate_factor(optimizer, phase, 0, 0) == pytest.approx(0.01)
    assert rate_factor(optimizer, phase, 500, 500) == pytest.approx(0.55)
    assert rate_factor(optimizer, phase, 1000, 1000) == pytest.approx(0.1)
    assert rate_factor(optimizer, phase, 250, 5250) == pytest.approx(
        0.1 + 0.9 * (1 + math.cos(math.pi / 4)) / 2
    )


def test_encoder_has_its_own_rate_and_vectors_do_not_decay():
    module = torch.nn.ModuleDict({"encoder": torch.nn.Linear(2, 2), "head": torch.nn.Linear(2, 2)})
    optimizer = adamw(module, 1.0, [0.9, 0.99], 0.05, encoder_rate=0.1)
    set_rate(optimizer, 2.0)
    seen = {(g["lr"], g["weight_decay"], g["params"][0].ndim) for g in optimizer.param_groups}
    assert seen == {(0.2, 0.05, 2), (0.2, 0.0, 1), (2.0, 0.05, 2), (2.0, 0.0, 1)}


def test_average_forgets_half_in_a_half_life():
    model = torch.nn.Linear(1, 1, bias=False)
    torch.nn.init.constant_(model.weight, 0.0)
    average = Average(model, half_life=64)
    torch.nn.init.constant_(model.weight, 1.0)
    for _ in range(4):
        average.update(model, 16, images=10**6)
    assert average.model.weight.item() == pytest.approx(0.5)


def test_early_average_is_short():
    model = torch.nn.Linear(1, 1, bias=False)
    torch.nn.init.constant_(model.weight, 0.0)
    average = Average(model, half_life=10**6)
    torch.nn.init.constant_(model.weight, 1.0)
    average.update(model, 50, images=1000)  # half-life 5 % of 1000: one half-life in this batch
    assert average.model.weight.item() == pytest.approx(0.5)


def test_only_fp16_scales_its_gradients():
    cpu = torch.device("cpu")
    assert not Precision(cpu, torch.bfloat16).scaler().is_enabled()
    with Precision(cpu, torch.bfloat16).autocast():
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.bfloat16
    with Precision(cpu, torch.float32).autocast():
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.float32


def test_enlarging_is_centre_aligned():
    ab = torch.tensor([0.0, 4.0]).reshape(1, 1, 1, 2).expand(1, 2, 2, 2)
    large = enlarge(ab, torch.zeros(1, 1, 8, 8))
    torch.testing.assert_close(large[0, 0, 0], torch.tensor([0, 0, 0.5, 1.5, 2.5, 3.5, 4, 4]))


def test_diary_forgets_what_came_after_the_checkpoint(tmp_path):
    with RunLog(tmp_path, 0, 100) as log:
        for images in (10, 20, 30):
            log.record(images=images, loss=1.0 / images)
    with RunLog(tmp_path, 20, 100) as again:
        assert [line["images"] for line in again.read()] == [10, 20]


def test_records_hold_no_clock_times(tmp_path):
    with RunLog(tmp_path, 0, 100) as log:
        log.record(images=1, loss=0.5)
    assert json.loads((tmp_path / "stats.jsonl").read_text()) == {"images": 1, "loss": 0.5}


def test_curves_show_every_series(tmp_path):
    records = [{"images": i, "loss": 1.0 / (i + 1), "phase": 0} for i in range(20)]
    records += [{"images": i, "validation_psnr": 20.0 + i} for i in range(20)]
    draw_curves(records, tmp_path / "curves.png")
    with Image.open(tmp_path / "curves.png") as picture:
        colours = {colour for _, colour in picture.convert("RGB").getcolors(100_000)}
        assert (31, 98, 178) in colours
    draw_curves([{"images": 1, "loss": 1.0}], tmp_path / "none.png")
    assert not (tmp_path / "none.png").exists()
