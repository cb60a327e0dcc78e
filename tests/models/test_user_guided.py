"""The user-guided network's own facts; its layers are recomputed in tests/zoo/test_published.py."""

import pytest
import torch

from gan_colorize.models import Conditions, create_model


def build(**options):
    torch.manual_seed(0)
    return create_model("user_guided", {"width": 4, **options})


def test_it_has_as_many_parameters_as_published():
    with torch.device("meta"):
        plain, steered = create_model("user_guided"), create_model("user_guided", {"global_hints": True})
    count = sum(p.numel() for p in plain.parameters())
    assert round(count / 1e6, 2) == 34.19
    # Four 1x1 convolutions to 512 channels, from 313 + 1 numbers of a histogram and 1 + 1 of saturation.
    branch = (316 + 1) * 512 + 3 * (512 + 1) * 512
    assert sum(p.numel() for p in steered.parameters()) == count + branch


def test_the_side_head_can_be_kept_from_the_shared_features():
    model, lightness = build(), torch.rand(2, 1, 16, 16) * 100
    model.detach_classes = True
    model(lightness).logits.sum().backward()
    assert {n for n, p in model.named_parameters() if p.grad is not None} == {
        "model_class.0.weight",
        "model_class.0.bias",
    }
    model.detach_classes = False
    model(lightness).logits.sum().backward()
    assert model.model1[0].weight.grad is not None


def test_the_network_without_the_branch_listens_to_hints_alone():
    assert build().contract.takes == {"hints"}
    assert build(global_hints=True).contract.takes == {"hints", "histogram", "saturation"}


@pytest.mark.parametrize("size", [(16, 16), (24, 40)])
@torch.no_grad()
def test_a_whole_pictures_wish_reaches_every_pixel(size):
    model = build(global_hints=True).eval()
    lightness = torch.full((1, 1, *size), 50.0)
    torch.nn.init.normal_(model.model_out[0].weight)
    plain = model(lightness).ab
    histogram = torch.zeros(1, 313)
    histogram[0, 200] = 1.0
    for wish in (Conditions(histogram=histogram), Conditions(saturation=torch.tensor([[0.0]]))):
        assert ((model(lightness, wish).ab - plain).abs().sum(1) > 0).float().mean() > 0.95


@torch.no_grad()
def test_a_grey_picture_is_another_wish_than_none():
    """Saturation 0 and a missing one differ by their indicator alone."""
    model = build(global_hints=True).eval()
    asked = model.model_global[0].weight.new_zeros(316)
    model.model_global[0].weight.zero_()
    model.model_global[0].weight[:, 315] = 1.0
    torch.nn.init.normal_(model.model_out[0].weight)
    lightness = torch.rand(1, 1, 16, 16) * 100
    none, zero, full = (
        model(lightness, Conditions(saturation=torch.tensor([[value]]))).ab for value in (-1.0, 0.0, 0.7)
    )
    assert not torch.equal(none, zero) and torch.equal(zero, full) and not asked.any()
