"""Colorful Image Colorization's own facts; its layers are recomputed in tests/zoo/test_published.py."""

import math

import pytest
import torch

from gan_colorize.color.bins import bin_centres
from gan_colorize.errors import UserError
from gan_colorize.models import create_model


def test_it_has_as_many_parameters_as_published():
    """32.2360 million in the model zoo of OpenVINO, which counts the decoding layer."""
    with torch.device("meta"):
        model = create_model("cic")
    assert sum(p.numel() for p in model.parameters()) == 32_236_011


def test_the_decoding_layer_holds_the_bins_and_never_learns():
    model = create_model("cic", {"width": 2})
    torch.testing.assert_close(110 * model.model_out.weight[:, :, 0, 0].T, bin_centres())
    assert [name for name, p in model.named_parameters() if not p.requires_grad] == ["model_out.weight"]


def test_a_new_network_is_undecided():
    torch.manual_seed(0)
    model = create_model("cic", {"width": 8})
    shares = model(torch.rand(2, 1, 32, 32) * 100).logits.log_softmax(1)
    assert shares.mean().item() == pytest.approx(-math.log(313), abs=0.2)


def test_blocks_five_and_six_look_far():
    """Each of their six layers is dilated twice (section 2.1: the field grows, the size does not shrink)."""
    model = create_model("cic", {"width": 2})
    layers = [*model.model5, *model.model6]
    assert [x.dilation for x in layers if isinstance(x, torch.nn.Conv2d)] == [(2, 2)] * 6


def test_width_must_be_positive():
    with pytest.raises(UserError, match=r"model.options.width: 0"):
        create_model("cic", {"width": 0})
