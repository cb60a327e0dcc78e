"""Wallner's network: its layers counted and recomputed, and a recogniser that never learns."""

import math
from itertools import pairwise

import pytest
import torch
import torch.nn.functional as F
import torchvision
from tiny import TINY_WALLNER as TINY

from gan_colorize.color.lab import grey_to_lightness
from gan_colorize.errors import UserError
from gan_colorize.inference.ready import ready_for_inference
from gan_colorize.models import create_model
from gan_colorize.models.recogniser import Recogniser, as_torchvision_expects
from gan_colorize.training.ema import Average
from gan_colorize.training.optim import adamw


def test_layers_are_as_wide_as_the_originals():
    model = create_model("wallner")
    # 3x3 convolutions 1-64-128-128-256-256-512-512-256, 1x1 of 256 + 1000 to 256, then 256-128-64-32-16-2.
    chains = [(1, 64, 128, 128, 256, 256, 512, 512, 256), (256, 128, 64, 32, 16, 2)]
    expected = sum(9 * a * b + b for chain in chains for a, b in pairwise(chain))
    expected += (256 + 1000) * 256 + 256
    learns = sum(p.numel() for p in model.parameters() if p.requires_grad)
    assert learns == expected == 6_541_202
    assert sum(p.numel() for p in model.parameters()) - learns == 3_504_872  # torchvision's MobileNetV2
    assert model.encoder(torch.zeros(1, 1, 64, 96)).shape == (1, 256, 8, 12)


def test_fusion_is_a_convolution_over_features_and_the_repeated_vector():
    torch.manual_seed(0)
    model = create_model("wallner", TINY).eval()
    lightness = torch.rand(2, 1, 32, 48) * 100
    with torch.no_grad():
        features = model.encoder(lightness / 50 - 1)
        repeated = model.recogniser(lightness)[:, :, None, None].expand(-1, -1, 4, 6)
        both = torch.cat([features, repeated], 1)
        weight = torch.cat([model.fuse_local.weight, model.fuse_global.weight[:, :, None, None]], 1)
        fused = F.conv2d(both, weight, model.fuse_local.bias).relu()
        expected = 128 * torch.tanh(model.head(model.decoder(fused)))
        torch.testing.assert_close(model(lightness).ab, expected, rtol=1e-4, atol=1e-5)


def test_the_recogniser_sees_grey_as_torchvision_normalises_it():
    grey = torch.linspace(0, 1, 12).reshape(1, 1, 3, 4)
    normalise = torchvision.transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
    expected = normalise(grey.expand(-1, 3, -1, -1))
    torch.testing.assert_close(
        as_torchvision_expects(grey_to_lightness(grey)), expected, atol=1e-5, rtol=1e-5
    )


def test_the_recogniser_is_torchvisions_at_the_size_asked_for(shared, monkeypatch):
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(shared / "weights" / "torch_home" / "hub"))
    recogniser = Recogniser("mobilenet_v2", 64)
    recogniser.load_pretrained()
    original = torchvision.models.mobilenet_v2(weights="IMAGENET1K_V1").eval()
    lightness = torch.rand(1, 1, 64, 64) * 100  # of that size already
    with torch.no_grad():
        expected = original(as_torchvision_expects(lightness)).softmax(1)
    seen = recogniser(lightness)
    torch.testing.assert_close(seen, expected)
    assert seen.shape == (1, 1000) and seen.sum().item() == pytest.approx(1, abs=1e-5)
    assert recogniser(torch.rand(1, 1, 200, 40) * 100).shape == (1, 1000)


def test_training_leaves_the_recogniser_as_it_was():
    torch.manual_seed(0)
    model = create_model("wallner", TINY).train()
    assert model.encoder.training and not any(m.training for m in model.recogniser.modules())
    before = {key: value.clone() for key, value in model.state_dict().items()}
    optimizer = adamw(model, 1e-3, [0.9, 0.99], decay=0.5)
    average = Average(model, 1000)
    learns = {id(p) for group in optimizer.param_groups for p in group["params"]}
    assert learns == {id(p) for p in model.parameters() if p.requires_grad}
    for step in range(3):
        model(torch.rand(2, 1, 32, 32) * 100).ab.square().mean().backward()
        optimizer.step()
        average.update(model, 2, images=1000 * (step + 1))
    for state in (model.state_dict(), average.model.state_dict()):
        moved = {key for key in before if not torch.equal(before[key], state[key])}
        assert moved and not any(key.startswith("recogniser.") for key in moved)
        assert any(key.startswith("recogniser.") for key in state)  # a saved model is whole


def test_made_ready_the_recogniser_says_the_same():
    torch.manual_seed(0)
    model = create_model("wallner", TINY | {"recogniser": "mobilenet_v2"}).eval()
    for layer in model.recogniser.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            layer.running_var.uniform_(0.5, 2.0)
    ready = ready_for_inference(model, torch.device("cpu"), torch.float32)
    assert not any(isinstance(m, torch.nn.BatchNorm2d) for m in ready.recogniser.modules())
    lightness = torch.rand(1, 1, 32, 32) * 100
    torch.testing.assert_close(ready.recogniser(lightness), model.recogniser(lightness), rtol=1e-3, atol=1e-6)


def test_it_begins_near_grey():
    torch.manual_seed(0)
    chroma = create_model("wallner", TINY)(torch.rand(1, 1, 64, 64) * 100).ab
    assert math.sqrt(chroma.square().mean().item()) < 10


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"recogniser": "mobilenet"}, "no classifier 'mobilenet'; there are alexnet"),
        ({"recogniser": "densenet121"}, "no classifier 'densenet121'"),
        ({"recogniser_size": -1}, "-1 must be at least 0"),
        ({"recogniser": "alexnet", "recogniser_size": 16}, "16 does not suit alexnet"),
        ({"width": 6}, "6 must be a multiple of 4"),
    ],
)
def test_impossible_options_are_one_line(options, message):
    with pytest.raises(UserError, match=message) as caught:
        create_model("wallner", options)
    assert "\n" not in str(caught.value)
