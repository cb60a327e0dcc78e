"""Discriminators at several scales, by numbers worked out by hand."""

import pytest
import torch
from tiny import TINY_UNET

from gan_colorize.color.bins import NUM_BINS
from gan_colorize.color.targets import SoftEncoder
from gan_colorize.config import Data, Loss, load_config
from gan_colorize.errors import UserError
from gan_colorize.models import create_discriminator, create_model
from gan_colorize.training.batch import BatchMaker
from gan_colorize.training.gan_step import GanStep, Networks, enlarge
from gan_colorize.training.optim import Precision, adamw
from gan_colorize.training.task import check_run

PLAIN = {"width": 4, "layers": 1, "norm": "none"}


def constant(model, values):
    """Scale n scores every patch with values[n], whatever it shows."""
    for scale, value in zip(model.scales, values, strict=True):
        torch.nn.init.zeros_(scale.layers[-1].weight)
        torch.nn.init.constant_(scale.layers[-1].bias, value)


def game(discriminator, **loss):
    torch.manual_seed(0)
    generator = create_model("unet", TINY_UNET | {"output": "ab"})
    players = Networks(
        generator,
        discriminator,
        adamw(generator, 1e-3, [0.9, 0.99], 0.0),
        adamw(discriminator, 1e-3, [0.0, 0.99], 0.0),
    )
    settings = Loss(classification=0.0, adversarial_kind="least_squares", **loss)
    maker = BatchMaker(generator.contract, SoftEncoder(), torch.ones(NUM_BINS), Data(), seed=0)
    rgb = torch.randint(0, 256, (2, 3, 64, 64), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    step = GanStep(players, settings, Precision(torch.device("cpu"), torch.float32), 1.0, None)
    return step, maker.training(rgb, torch.arange(len(rgb)) + 2, 2)


def test_every_scale_sees_half_of_the_one_before():
    model = create_discriminator("multiscale", {"width": 4})
    lightness, ab = torch.rand(2, 1, 128, 96) * 100, torch.rand(2, 2, 128, 96) * 50
    scores, features = model.judge(lightness, ab)
    # three halvings, then twice one pixel less: 128 -> 16 -> 14, 64 -> 8 -> 6, 32 -> 4 -> 2
    assert [tuple(s.shape) for s in scores] == [(2, 1, 14, 10), (2, 1, 6, 4), (2, 1, 2, 1)]
    assert len(features) == 3 * 4
    assert len(model(lightness, ab)) == 3
    assert any("parametrizations" in name for name, _ in model.named_parameters())  # spectral norm


def test_a_coarse_scale_judges_means_of_blocks():
    torch.manual_seed(0)
    model = create_discriminator("multiscale", PLAIN)
    lightness, ab = torch.rand(1, 1, 64, 64) * 100, torch.rand(1, 2, 64, 64) * 50
    blocks = [x.reshape(1, -1, 16, 4, 16, 4).mean(dim=(3, 5)) for x in (lightness, ab)]
    torch.testing.assert_close(model(lightness, ab)[2], model.scales[2](*blocks), rtol=1e-4, atol=1e-5)


def test_terms_are_means_over_the_scales():
    discriminator = create_discriminator("multiscale", PLAIN)
    constant(discriminator, (0.0, 0.5, 2.0))
    step, batch = game(discriminator, adversarial=1.0, l1=1.0)
    terms = step(batch, "discriminator")
    # least squares of truth and guess: (1 + 0), (0.25 + 0.25), (1 + 4)
    assert terms["discriminator"].item() == pytest.approx((1 + 0.5 + 5) / 3)
    assert terms["discriminator_real"].item() == pytest.approx(2.5 / 3)
    constant(discriminator, (0.0, 0.5, 2.0))
    _, terms = step._generator(batch, None, "both")
    assert terms["adversarial"].item() == pytest.approx((1 + 0.25 + 1) / 3)  # 0.33 for each scale


def test_feature_distance_is_zero_for_the_truth_and_else_the_mean_over_all_maps():
    discriminator = create_discriminator("multiscale", PLAIN)
    step, batch = game(discriminator, adversarial=1.0, feature_matching=10.0, l1=1.0)
    prediction, ab = step._guess(batch, "both")
    _, terms = step._generator(batch, (prediction, batch.ab.clone().requires_grad_()), "both")
    assert terms["feature_matching"] == 0 and terms["l1"] == 0
    with torch.no_grad():
        maps = [discriminator.judge(batch.lightness, enlarge(ab, batch.lightness))[1]
                for ab in (batch.ab, prediction.ab)]  # fmt: skip
        expected = sum((one - two).abs().mean() for one, two in zip(*maps, strict=True)) / 6
    _, terms = step._generator(batch, (prediction, ab), "both")
    assert expected > 0
    torch.testing.assert_close(terms["feature_matching"], expected, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize(("scales", "layers", "side"), [(3, 3, 96), (3, 2, 48), (1, 3, 24), (2, 1, 12)])
def test_the_smallest_picture_has_one_patch_at_the_coarsest_scale(scales, layers, side):
    model = create_discriminator("multiscale", {"scales": scales, "layers": layers, "width": 4})
    assert model.smallest_side == side
    assert model(torch.rand(1, 1, side, side), torch.rand(1, 2, side, side))[-1].shape == (1, 1, 1, 1)


def test_crops_too_small_for_it_are_told_before_the_data_is_looked_at():
    crops = "phases=[{train: generator, crop_size: 32}, {train: both, crop_size: 64}]"
    config = load_config((), ["discriminator.name=multiscale", crops])
    with pytest.raises(UserError, match=r"phases\[1\].crop_size: 64 is too small .* multiscale .* needs 96"):
        check_run(config, "cpu", None)
    config.discriminator.options["layers"] = 2
    check_run(config, "cpu", None)


@pytest.mark.parametrize(
    ("options", "message"),
    [({"scales": 0}, "scales: 0 must be 1 to 5"), ({"norm": "batch"}, "not spectral or none")],
)
def test_impossible_options_are_named(options, message):
    with pytest.raises(UserError, match=message):
        create_discriminator("multiscale", options)
