"""The flagship's option ``steering``: silent at first, heard once it has learned, and blind to order."""

import pytest
import torch
from tiny import TINY_UNET

from gan_colorize.models import create_model
from gan_colorize.models.contract import Conditions

SIZE = 64


def wishes():
    hints, mask = torch.zeros(2, 2, SIZE, SIZE), torch.zeros(2, 1, SIZE, SIZE)
    hints[:, 0, 20:23, 33], hints[:, 1, 20:23, 33], mask[:, :, 20:23, 33] = 60.0, -40.0, 1.0
    histogram = torch.zeros(2, 313)
    histogram[:, 200] = 1.0
    palette = torch.rand(2, 5, 3, generator=torch.Generator().manual_seed(2)) * 60
    return {
        "hints": {"hints": hints, "mask": mask},
        "palette": {"palette": palette},
        "histogram": {"histogram": histogram},
        "saturation": {"saturation": torch.tensor([[0.2], [0.9]])},
    }


@pytest.fixture(scope="module")
def networks():
    """The same weights without the option and with it; the old branches have learned something."""
    torch.manual_seed(0)
    plain = create_model("unet", TINY_UNET).eval()
    for layer in (plain.hint_encoder, plain.hint_decoder, plain.histogram[-1], plain.saturation[-1]):
        torch.nn.init.normal_(layer.weight, std=0.1)
    torch.nn.init.normal_(plain.head.weight, std=0.5)
    steered = create_model("unet", TINY_UNET | {"steering": True}).eval()
    missing, surplus = steered.load_state_dict(plain.state_dict(), strict=False)
    assert missing and all(name.startswith("steering.") for name in missing) and not surplus
    return plain, steered


@pytest.fixture(scope="module")
def learned(networks):
    """The one with the option, its layers no longer silent."""
    torch.manual_seed(1)
    model = create_model("unet", TINY_UNET | {"steering": True}).eval()
    model.load_state_dict(networks[1].state_dict())
    for layer in (*model.steering.hints, model.steering.mixed, model.steering.again):
        torch.nn.init.normal_(layer.weight, std=0.1)
    return model


@pytest.fixture(scope="module")
def lightness():
    return torch.rand(2, 1, SIZE, SIZE, generator=torch.Generator().manual_seed(7)) * 100


@torch.no_grad()
def logits(model, lightness, *named):
    given = {key: value for name in named for key, value in wishes()[name].items()}
    return model(lightness, Conditions(**given)).logits


def test_what_the_option_makes_the_network_listen_to(networks):
    assert [model.contract.takes for model in networks] == [
        {"hints", "histogram", "saturation"},
        {"hints", "histogram", "saturation", "palette"},
    ]
    assert all("steering" not in name for name in networks[0].state_dict())


@pytest.mark.parametrize("named", [(), ("hints",), ("histogram", "saturation"), ("hints", "histogram")])
def test_it_begins_as_nothing_at_all(networks, lightness, named):
    plain, steered = networks
    torch.testing.assert_close(
        logits(steered, lightness, *named), logits(plain, lightness, *named), rtol=0, atol=0
    )
    told = logits(steered, lightness, *named, "palette")
    torch.testing.assert_close(told, logits(plain, lightness, *named), rtol=0, atol=0)


def test_every_layer_can_learn_from_the_first_step(networks, lightness):
    """A zero between two zeros would never move."""
    _, steered = networks
    for _ in range(2):
        steered.zero_grad()
        told = {key: value for group in wishes().values() for key, value in group.items()}
        steered(lightness, Conditions(**told)).logits.square().mean().backward()
        first = [*steered.steering.hints, steered.steering.mixed, steered.steering.again]
        assert all(layer.weight.grad.abs().max() > 0 for layer in first)
    steered.zero_grad(set_to_none=True)


@pytest.mark.parametrize("name", ["hints", "palette", "histogram", "saturation"])
def test_every_wish_is_heard_through_it(networks, learned, lightness, name):
    automatic, told = logits(learned, lightness), logits(learned, lightness, name)
    assert (told - automatic).abs().max() > 1e-2
    through_others = logits(networks[1], lightness, name) - logits(networks[1], lightness)
    assert ((told - automatic) - through_others).abs().max() > 1e-2
    # without wishes it stays what it was
    torch.testing.assert_close(automatic, logits(networks[0], lightness), rtol=0, atol=0)


@pytest.mark.parametrize("stride", [32, 16, 8])
def test_hints_are_heard_at_every_stride(networks, lightness, stride):
    model = create_model("unet", TINY_UNET | {"steering": True}).eval()
    model.load_state_dict(networks[1].state_dict())
    before = logits(model, lightness, "hints")
    layer = model.steering.hints[{32: 0, 16: 1, 8: 2}[stride]]
    torch.nn.init.normal_(layer.weight, std=0.3)
    seen = []
    layer.register_forward_hook(lambda _, given, result: seen.append(given[0]))
    assert (logits(model, lightness, "hints") - before).abs().max() > 1e-3
    (told,) = seen
    assert told.shape == (2, 3, SIZE // stride, SIZE // stride)
    row, column = 20 // stride, 33 // stride
    assert told[0, :, row, column].tolist() == pytest.approx([60 / 110, -40 / 110, 1.0], abs=1e-5)
    assert told[0, 2].sum() == (22 // stride - row + 1)


def test_the_order_of_a_palette_does_not_matter(learned, lightness):
    palette = wishes()["palette"]["palette"]
    told = learned(lightness, Conditions(palette=palette)).logits
    turned = learned(lightness, Conditions(palette=palette[:, [3, 1, 4, 0, 2]])).logits
    torch.testing.assert_close(told, turned, rtol=1e-4, atol=1e-4)
    other = learned(lightness, Conditions(palette=palette.flip(0))).logits
    assert (other - told).abs().max() > 1e-2


def test_pictures_without_a_palette_are_left_alone(learned, lightness):
    palette = wishes()["palette"]["palette"]
    palette[0] = 0.0
    told = learned(lightness, Conditions(palette=palette)).logits
    automatic = learned(lightness, None).logits
    torch.testing.assert_close(told[0], automatic[0], rtol=1e-5, atol=1e-5)
    assert (told[1] - automatic[1]).abs().max() > 1e-2
