"""Steering measured on networks whose answers are known."""

import json

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from gan_colorize.color.bins import bin_centres
from gan_colorize.data.folder import open_source
from gan_colorize.errors import UserError
from gan_colorize.evaluation.guided import PATCH, POINTS, RINGS, evaluate_guided, revealed
from gan_colorize.evaluation.guided_report import draw_guided, guided_markdown
from gan_colorize.evaluation.protocol import Settings
from gan_colorize.models.contract import Contract, Prediction


class Deaf(nn.Module):
    """Says grey whatever it is told: all that hints bring is the correction's."""

    name = "deaf"
    contract = Contract(frozenset({"hints", "histogram"}), "distribution", 4, 32, classes="gamut")

    def __init__(self):
        super().__init__()
        self.metadata = {"working_size": "64"}
        self.register_buffer("grey", bin_centres().norm(dim=1).argmin())

    def forward(self, lightness, conditions=None):
        n, _, h, w = lightness.shape
        logits = torch.full((n, 313, h // 4, w // 4), -50.0)
        logits[:, self.grey] = 50.0
        return Prediction(logits=logits)


@pytest.fixture
def photographs(tmp_path):
    folder = tmp_path / "photographs"
    folder.mkdir()
    chance = np.random.default_rng(0)
    for index in range(2):
        small = chance.integers(0, 256, (3, 3, 3), dtype=np.uint8)
        Image.fromarray(small).resize((80, 64), Image.Resampling.BICUBIC).save(folder / f"{index}.png")
    return open_source(folder)


@pytest.fixture
def guided(photographs):
    return evaluate_guided(Deaf(), photographs, Settings(size=64))


def test_more_points_are_better_and_a_deaf_network_alone_gains_nothing(guided):
    assert guided["points"] == list(POINTS) and guided["photographs"] == 2
    assert guided["psnr"] == sorted(guided["psnr"])
    assert guided["psnr"][-1] > guided["psnr"][0] + 6
    assert guided["network_alone"] == [guided["psnr"][0]] * len(POINTS)


def test_what_it_is_not_told_it_does_not_know(guided):
    assert set(guided["overall"]) == {"nothing", "histogram and saturation"}  # no palette: it takes none
    assert guided["overall"]["histogram and saturation"] == guided["overall"]["nothing"] == guided["psnr"][0]


def test_a_wrong_hint_is_met_and_falls_off(guided):
    change = guided["one_hint"]["change_of_ab"]
    assert len(change) == len(RINGS) + 1
    assert change[0] == pytest.approx(40, rel=0.05)  # what it was asked to change by
    assert change[0] > change[2] > change[4] > change[6]


def test_patches_reveal_their_mean():
    ab = np.zeros((2, 40, 50), np.float32)
    ab[0] = np.arange(50)
    hints = revealed(ab, 30, np.random.default_rng(1))
    assert len(hints) == 30 and len({hint.points for hint in hints}) > 20
    for hint in hints:
        (x, y), (a, b) = hint.points[0], hint.ab
        assert PATCH / 2 <= x <= 50 - PATCH / 2 and PATCH / 2 <= y <= 40 - PATCH / 2
        assert a == pytest.approx(x - 0.5) and b == 0  # a ramp's mean is its value at the centre
    assert revealed(ab, 5, np.random.default_rng(1)) == hints[:5]


def test_a_network_without_hints_is_refused(photographs):
    deaf = Deaf()
    deaf.contract = Contract(frozenset(), "distribution", 4, 32, classes="gamut")
    with pytest.raises(UserError, match=r"--guided: this model \(deaf\) does not listen to hints"):
        evaluate_guided(deaf, photographs, Settings(size=64))


def test_page_and_curve(guided, tmp_path):
    page = "\n".join(guided_markdown(guided))
    assert f"| this model | {guided['psnr'][0]:.2f} |" in page and "| 24.43 |" in page
    draw_guided(json.loads(json.dumps(guided)), tmp_path / "guided.png")
    with Image.open(tmp_path / "guided.png") as picture:
        colours = {colour for _, colour in picture.convert("RGB").getcolors(1 << 20)}
    assert {(31, 98, 178), (190, 120, 40)} <= colours  # the model's line and the published one
