"""Everything that meets on a card is on the card: all the ways through the code, on one that is pretended.

The values are the CPU's, so the numbers must be the CPU's as well.
"""

from dataclasses import fields

import numpy as np
import pytest
import torch
from PIL import Image
from pretended_card import CARD, OnCard, pretended_card

from gan_colorize.color.bins import NUM_BINS
from gan_colorize.color.grid import GRID_CLASSES, GridEncoder
from gan_colorize.color.targets import SoftEncoder
from gan_colorize.config import Data, Loss
from gan_colorize.data.folder import open_source
from gan_colorize.data.loader import RawBatch
from gan_colorize.evaluation.protocol import Settings as Protocol
from gan_colorize.evaluation.runner import evaluate
from gan_colorize.inference.predictor import Predictor, Settings
from gan_colorize.inference.upsample import render
from gan_colorize.models import create_discriminator, create_model
from gan_colorize.training.batch import BatchMaker, Prepare
from gan_colorize.training.denoise_task import DenoiseStep, NoiseMaker
from gan_colorize.training.ema import Average
from gan_colorize.training.gan_step import GanStep, Networks
from gan_colorize.training.optim import Precision, adamw
from gan_colorize.training.validate import Validator

CPU = torch.device("cpu")
UNET = {
    "encoder_widths": [8] * 5,
    "decoder_widths": [8] * 4,
    "encoder_blocks": [0] * 5,
    "decoder_blocks": [0, 0, 0, 1],
}
STEERED = UNET | {"steering": True, "attention_heads": 2}
ALL_WISHES = Data(hints=1.0, statistics=1.0, palettes=1.0, grey_simulation=1.0)
GAME = {"r1": 1.0, "feature_matching": 0.5, "smooth_l1": 1.0, "l1": 1.0, "mse": 1.0, "mse_blurs": [3, 5]}


@pytest.fixture
def card(monkeypatch):
    with pretended_card(monkeypatch) as device:
        yield device


@pytest.fixture(scope="module")
def rgb():
    chance = torch.Generator().manual_seed(0)
    smooth = torch.rand(4, 3, 6, 6, generator=chance)
    enlarged = torch.nn.functional.interpolate(smooth, (64, 64), mode="bicubic").clamp(0, 1)
    return (enlarged * 255).byte()


def players(generator, place, discriminator="patchgan"):
    torch.manual_seed(0)
    network = create_model(*generator).to(place)
    judge = create_discriminator(discriminator, {"width": 4}).to(place)
    betas = [0.9, 0.99]
    return Networks(network, judge, adamw(network, 1e-3, betas, 0.01), adamw(judge, 1e-3, betas, 0.0))


def encoder_of(contract, place):
    grid = contract.classes == "grid"
    weights = torch.ones(GRID_CLASSES if grid else NUM_BINS).to(place)
    return (GridEncoder() if grid else SoftEncoder()).to(place), weights


def numbers(terms):
    return {name: float(value) for name, value in terms.items()}


def learn(generator, place, rgb, train, loss, micro_batch=0):
    """Two steps and what validation says of the average."""
    game = players(generator, place)
    contract = game.generator.contract
    maker = BatchMaker(contract, *encoder_of(contract, place), ALL_WISHES, seed=1)
    prepare, precision = Prepare(maker, place), Precision(place, torch.float32)
    step = GanStep(game, Loss(**loss), precision, 1.0, None, micro_batch)
    average = Average(game.generator, 100)
    found = []
    for position in (4, 8):
        batch = prepare.in_loop(RawBatch(rgb, torch.arange(position - 4, position), position))
        for field in fields(batch):
            value = getattr(batch, field.name)
            assert not isinstance(value, torch.Tensor) or value.device == place, field.name
        found.append(numbers(step(batch, train)))
        average.update(game.generator, 4, position)
    validator = Validator(rgb, maker, Loss(**loss), 0.5, None)
    metrics, pictures = validator(average.model, precision)
    assert pictures.device == CPU
    return found, metrics


@pytest.mark.parametrize(
    ("generator", "train", "loss", "micro_batch"),
    [
        (("unet", STEERED), "both", GAME, 0),
        (("unet", STEERED), "discriminator", {"adversarial_kind": "non_saturating"}, 2),
        (("unet", UNET | {"output": "ab"}), "both", {"smooth_l1": 1.0, "classification": 0.0}, 2),
        (("user_guided", {"width": 4}), "generator", {"smooth_l1": 1.0}, 0),
        (("cic", {"width": 8}), "generator", {}, 0),
        (("rbdn", {}), "generator", {"smooth_l1": 1.0}, 0),
    ],
)
def test_a_step_and_a_validation(card, rgb, generator, train, loss, micro_batch):
    steps, metrics = learn(generator, card, rgb, train, loss, micro_batch)
    expected_steps, expected_metrics = learn(generator, CPU, rgb, train, loss, micro_batch)
    for step, expected in zip(steps, expected_steps, strict=True):
        assert step == pytest.approx(expected, rel=1e-3, abs=1e-5)
    assert metrics == pytest.approx(expected_metrics, rel=1e-3, abs=1e-4)


def test_a_step_that_restores(card, rgb):
    found = []
    for place in (card, CPU):
        torch.manual_seed(0)
        network = create_model("rbdn", {"output": "lightness"}).to(place)
        game = Networks(network, None, adamw(network, 1e-3, [0.9, 0.99], 0.0), None)
        maker = Prepare(NoiseMaker((8.0, 50.0), 1), place)
        precision = Precision(place, torch.float32)
        step = DenoiseStep(game, Loss(classification=0.0, mse=1.0), precision, 1.0)
        found.append(numbers(step(maker.in_loop(RawBatch(rgb, torch.arange(4), 4)), "generator")))
    assert found[0] == pytest.approx(found[1], rel=1e-4)


def coloured(network, place, settings, views):
    predictor = Predictor(network, str(place), "fp32", views)
    plane = np.random.default_rng(0).uniform(0, 100, (70, 90)).astype(np.float32)
    seen = [predictor.see(plane)]
    (chroma,) = predictor.decode(predictor.predict(seen), seen, settings)
    pictures = [render(plane, ab, chroma.extent, seen=chroma.seen) for ab in chroma.ab]
    return np.stack(pictures), chroma.confidence


@pytest.mark.parametrize("settings", [Settings(), Settings(samples=2, confidence=True)])
@pytest.mark.parametrize("views", [1, 4])
def test_a_photograph(card, settings, views):
    torch.manual_seed(0)
    network = create_model("unet", UNET).eval()
    torch.nn.init.normal_(network.head.weight, std=1.0)
    network.metadata = {"working_size": "64", "temperature": "0.4"}
    found, sure = coloured(network, CARD, settings, views)
    expected, expected_sure = coloured(network, CPU, settings, views)
    assert np.abs(found.astype(int) - expected).max() <= 1
    if sure is not None:
        np.testing.assert_allclose(sure, expected_sure, atol=1e-4)


def test_an_evaluation(card, rgb, tmp_path):
    for number, picture in enumerate(rgb):
        Image.fromarray(picture.permute(1, 2, 0).numpy()).save(tmp_path / f"{number}.png")
    torch.manual_seed(0)
    network = create_model("unet", UNET).eval()
    network.metadata = {"working_size": "32", "temperature": "0.5"}
    rows = [
        evaluate(network, open_source(tmp_path), Protocol(size=48), str(place))[0]["rows"]
        for place in (CARD, CPU)
    ]
    for row, values in rows[1].items():
        for key, value in values.items():
            if key != "ci95":
                assert rows[0][row][key] == pytest.approx(value, rel=1e-3, abs=1e-3), (row, key)


def test_the_pretended_card_notices(card):
    here, there = torch.ones(3), torch.ones(3).to(card)
    assert isinstance(there, OnCard) and there.device == card and there.cpu().device == CPU
    for wrong in (
        lambda: here + there,
        lambda: torch.where(here > 0, there, there),
        lambda: there.scatter_add(0, torch.zeros(3, dtype=torch.long), there),
        lambda: here[torch.zeros(1, dtype=torch.long).to(card)],
        lambda: torch.cat([here, there]),
    ):
        with pytest.raises(RuntimeError, match="card"):
            wrong()
    with pytest.raises(TypeError, match="cpu"):
        np.asarray(there)
    # as on a card: numbers, and indices that wait on the CPU
    assert float((there * torch.tensor(2.0)).sum()) == 6.0
    assert there[torch.tensor([True, False, True])].shape == (2,)
