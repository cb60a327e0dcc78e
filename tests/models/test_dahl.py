"""Dahl's network: VGG's taps, the sums from coarse to fine, and U and V."""

import types
from itertools import pairwise

import pytest
import torch
import torch.nn.functional as F
from tiny import TINY_DAHL as TINY
from torchvision.models.vgg import cfgs, make_layers

from gan_colorize.color.lab import lightness_to_grey
from gan_colorize.errors import UserError
from gan_colorize.models import create_model, dahl
from gan_colorize.models.dahl import TRUNKS, VGGTrunk
from gan_colorize.models.recogniser import as_torchvision_expects

LETTERS = {"vgg11": "A", "vgg13": "B", "vgg16": "D", "vgg19": "E"}


def published(name):
    """torchvision's features with random weights, without the classifier's 120 million."""
    features = make_layers(cfgs[LETTERS[name.removesuffix("_bn")]], batch_norm=name.endswith("_bn"))
    for layer in features:
        if isinstance(layer, torch.nn.Conv2d):
            torch.nn.init.kaiming_normal_(layer.weight)  # or hardly anything would be left to compare
    return features


@pytest.mark.parametrize("name", TRUNKS)
def test_taps_are_the_last_of_torchvisions_features_before_each_pooling(name, monkeypatch):
    torch.manual_seed(0)
    original = published(name).eval()
    monkeypatch.setattr(dahl, "torchvision_classifier", lambda name: types.SimpleNamespace(features=original))
    trunk = VGGTrunk(name, 64).eval()
    trunk.load_pretrained()
    lightness = torch.rand(1, 1, 16, 24) * 100
    x, expected = as_torchvision_expects(lightness), []
    with torch.no_grad():
        for layer in original:
            if isinstance(layer, torch.nn.MaxPool2d):
                expected.append(x)
            if len(expected) == 4:
                break
            x = layer(x.clone())  # its ReLUs work in place
        taps = trunk(lightness)
    for tap, wanted, width, stride in zip(taps, expected, (64, 128, 256, 512), (1, 2, 4, 8), strict=True):
        assert tap.shape == (1, width, 16 // stride, 24 // stride)
        torch.testing.assert_close(tap, wanted, rtol=1e-4, atol=1e-5)
        assert tap.std() > 0.05


def test_parameters_of_vgg16_up_to_conv4_3_and_of_the_decoder():
    model = create_model("dahl")
    chain = (3, 64, 64, 128, 128, 256, 256, 256, 512, 512, 512)
    trunk = sum(9 * a * b + b for a, b in pairwise(chain))
    assert sum(p.numel() for p in model.encoder.parameters()) == trunk == 7_635_264
    tap_norms = 2 * (512 + 256 + 128 + 64 + 3)
    convolutions = 512 * 256 + 9 * (256 * 128 + 128 * 64 + 64 * 3 + 3 * 3) + 2 * (256 + 128 + 64 + 3 + 3)
    last = 9 * 3 * 2 + 2
    assert sum(p.numel() for p in model.parameters()) == trunk + tap_norms + convolutions + last


def test_each_sum_is_the_enlarged_map_and_the_normalised_tap():
    torch.manual_seed(0)
    model = create_model("dahl", TINY).eval()
    for norm in model.norms:  # otherwise they would do next to nothing here
        torch.nn.init.uniform_(norm.running_mean, -0.5, 0.5)
        torch.nn.init.uniform_(norm.weight, 0.5, 2.0)
    torch.nn.init.normal_(model.head.weight)
    lightness = torch.rand(1, 1, 16, 24) * 100
    with torch.no_grad():
        one, two, three, four = model.encoder(lightness)
        one_bn, two_bn, three_bn, four_bn, grey_bn = model.norms
        to_256, to_128, to_64, to_3 = model.blocks
        x = to_256(four_bn(four))
        x = to_128(F.interpolate(x, three.shape[2:], mode="bilinear") + three_bn(three))
        x = to_64(F.interpolate(x, two.shape[2:], mode="bilinear") + two_bn(two))
        x = to_3(F.interpolate(x, one.shape[2:], mode="bilinear") + one_bn(one))
        x = model.last(x + grey_bn(lightness_to_grey(lightness).expand(-1, 3, -1, -1)))
        share = torch.sigmoid(model.head(x))
        expected = torch.stack([-0.436 + 0.872 * share[:, 0], -0.615 + 1.23 * share[:, 1]], 1)
        torch.testing.assert_close(model(lightness).uv, expected, rtol=1e-4, atol=1e-6)


def test_uv_stays_within_what_screens_show_and_its_middle_is_grey():
    torch.manual_seed(0)
    model = create_model("dahl", TINY).eval()
    lightness = torch.rand(1, 1, 16, 16) * 100
    torch.nn.init.zeros_(model.head.weight)
    for bias, wanted in ((0.0, (0.0, 0.0)), (99.0, (0.436, 0.615)), (-99.0, (-0.436, -0.615))):
        torch.nn.init.constant_(model.head.bias, bias)
        prediction = model(lightness)
        torch.testing.assert_close(prediction.uv[0, :, 3, 5], torch.tensor(wanted))
        if bias == 0.0:
            # scikit-image's matrix leaves white, and with it every grey, with 0.01 of chroma
            assert prediction.ab.abs().max() < 0.05


def test_trunk_can_be_kept_as_it_is():
    from gan_colorize.training.optim import adamw, set_rate

    torch.manual_seed(0)
    model = create_model("dahl", TINY)
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    optimizer = adamw(model, 1e-3, [0.9, 0.99], decay=0.1, encoder_rate=0.0)
    set_rate(optimizer, 1e-3)
    model(torch.rand(2, 1, 16, 16) * 100).uv.square().mean().backward()
    optimizer.step()
    moved = {name for name, p in model.named_parameters() if not torch.equal(p, before[name])}
    assert "head.weight" in moved and not any(name.startswith("encoder.") for name in moved)


def test_missing_weights_name_the_file(tmp_path, monkeypatch, no_network):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(UserError, match=r"vgg16 \(vgg16-397923af.pth\) are neither cached") as caught:
        create_model("dahl").encoder.load_pretrained()
    assert "\n" not in str(caught.value)
    with pytest.raises(UserError, match=r"weights for model.options.width 64, not 4"):
        create_model("dahl", TINY).encoder.load_pretrained()


@pytest.mark.parametrize(
    ("options", "message"),
    [({"trunk": "resnet18"}, "there are vgg11, vgg11_bn"), ({"width": 0}, "0 must be at least 1")],
)
def test_impossible_options_are_named(options, message):
    with pytest.raises(UserError, match=message):
        create_model("dahl", options)
