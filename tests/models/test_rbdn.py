"""RBDN: the published size, the layers worked out a second time, and what each kind of output is."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from gan_colorize.color.yuv import rgb_to_uv
from gan_colorize.errors import UserError
from gan_colorize.models import create_model
from gan_colorize.models.rbdn import unpool

# Convolutions of the published networks, (inputs, outputs, kernel); in the colouring one four branches and
# two layers that end at a quarter of the size, in the denoising one three branches and one that ends at full
# size. The ninth convolution of the trunk is the one that joins pooling and branches.
_BRANCH = [(64, 64, 3), (128, 64, 3), (64, 64, 3)]
_INNERMOST = [(64, 64, 3)] * 3
_TRUNK = [(128, 64, 3), *[(64, 64, 3)] * 8]
COLOURING = [(1, 64, 9), *_BRANCH * 3, *_INNERMOST, *_TRUNK, (64, 64, 5), (64, 313, 4)]
DENOISING = [(1, 64, 9), *_BRANCH * 2, *_INNERMOST, *_TRUNK, (64, 1, 9)]


def published_count(layers):
    """Every layer has a bias there; all but the last also a norm with scale and shift."""
    return sum(i * o * k * k + o for i, o, k in layers) + sum(2 * o for _, o, _ in layers[:-1])


@pytest.mark.parametrize(
    ("options", "layers", "stated"),
    [({}, COLOURING, 1.36e6), ({"output": "lightness", "branches": 3}, DENOISING, 788e3)],
)
def test_as_many_parameters_as_published(options, layers, stated):
    model = create_model("rbdn", options)
    count = sum(p.numel() for p in model.parameters())
    # A bias before a norm does nothing: we leave it out.
    assert count + sum(o for _, o, _ in layers[:-1]) == published_count(layers)
    assert abs(count / stated - 1) < 0.01 and abs(published_count(layers) / stated - 1) < 0.01


def tiny(**options):
    torch.manual_seed(0)
    model = create_model("rbdn", {"width": 4, "trunk": 3, "kernel": 5} | options).eval()
    for layer in model.modules():
        if isinstance(layer, nn.BatchNorm2d):  # else every norm is an identity
            nn.init.uniform_(layer.running_mean, -0.1, 0.1)
            nn.init.uniform_(layer.running_var, 0.2, 0.5)
            nn.init.uniform_(layer.weight, 0.5, 1.5)
            nn.init.uniform_(layer.bias, -0.2, 0.2)
    return model


class Again:
    """The same network from its tensors alone, in float64, the deconvolutions as deconvolutions."""

    def __init__(self, model):
        self.tensors = {key: value.double() for key, value in model.state_dict().items()}

    def layer(self, name, x, transposed=False):
        weight = self.tensors[f"{name}.0.weight"]
        half = weight.shape[-1] // 2
        if transposed:
            x = F.conv_transpose2d(x, weight.flip(-1, -2).transpose(0, 1), padding=half)
        else:
            x = F.conv2d(x, weight, padding=half)
        mean, var, scale, shift = (
            self.tensors[f"{name}.1.{key}"][:, None, None]
            for key in ("running_mean", "running_var", "weight", "bias")
        )
        return ((x - mean) / (var + 1e-5).sqrt() * scale + shift).clamp(min=0)

    def pool(self, x):
        n, c, h, w = x.shape
        cells = x.reshape(n, c, h // 2, 2, w // 2, 2).transpose(3, 4).reshape(n, c, h // 2, w // 2, 4)
        return cells.max(-1)

    def unpool(self, x, places):
        n, c, h, w = x.shape
        cells = torch.zeros(n, c, h, w, 4, dtype=x.dtype)
        for place in range(4):
            cells[..., place] = torch.where(places == place, x, 0.0)
        return cells.reshape(n, c, h, w, 2, 2).transpose(3, 4).reshape(n, c, 2 * h, 2 * w)

    def branch(self, name, x, deeper):
        small, places = self.pool(self.layer(f"{name}.enter", x))
        if deeper:
            small = torch.cat([small, self.branch(f"{name}.inner", small, deeper - 1)], 1)
        return self.layer(f"{name}.leave", self.unpool(self.layer(f"{name}.join", small), places), True)

    def __call__(self, lightness, branches, trunk, output):
        x, places = self.pool(self.layer("first", lightness.double() / 50 - 1))
        x = self.layer("join", torch.cat([x, self.branch("branches", x, branches - 1)], 1))
        for number in range(trunk - 1):
            x = self.layer(f"trunk.{number}", x)
        weight, bias = self.tensors["head.weight"], self.tensors["head.bias"]
        if output == "distribution":
            return F.conv2d(self.layer("widen", x, True), weight, bias, 2, 1)
        return F.conv_transpose2d(self.unpool(x, places), weight, bias, 1, weight.shape[-1] // 2)


@pytest.mark.parametrize("output", ["distribution", "lightness", "ycbcr"])
@pytest.mark.parametrize("branches", [1, 3])
def test_forward_is_what_its_layers_say(output, branches):
    model = tiny(output=output, branches=branches)
    lightness = torch.rand(2, 1, 32, 48) * 100
    with torch.no_grad():
        prediction = model(lightness)
    expected = Again(model)(lightness, branches, 3, output)
    if output == "lightness":
        expected, found = 50 * (expected + 1), prediction.lightness
    elif output == "ycbcr":
        expected[:, 0] *= 0.492 / 0.564  # Cb = 0.564 (B - Y), U = 0.492 (B - Y)
        expected[:, 1] *= 0.877 / 0.713
        found = prediction.uv
    else:
        found = prediction.logits
    torch.testing.assert_close(found, expected.float(), rtol=1e-4, atol=1e-4)


def test_chroma_is_cb_and_cr_of_the_picture():
    """A head that says the Cb and Cr of one colour paints that colour, at its own lightness."""
    rgb = torch.tensor([0.7, 0.4, 0.3])
    luma = 0.299 * rgb[0] + 0.587 * rgb[1] + 0.114 * rgb[2]
    model = tiny(output="ycbcr", branches=1)
    nn.init.zeros_(model.head.weight)
    model.head.bias.data = torch.stack([0.564 * (rgb[2] - luma), 0.713 * (rgb[0] - luma)])
    # L, a, b of sRGB (0.7, 0.4, 0.3), by scikit-image 0.26 rgb2lab
    with torch.no_grad():
        prediction = model(torch.full((1, 1, 4, 4), 51.3340))
    truth = rgb_to_uv(rgb[None, :, None, None]).expand(-1, -1, 4, 4)
    torch.testing.assert_close(prediction.uv, truth, rtol=0, atol=1e-5)
    ab = torch.tensor([28.192, 27.671])[None, :, None, None].expand(1, 2, 4, 4)
    torch.testing.assert_close(prediction.ab, ab, rtol=0, atol=0.05)


def test_values_return_to_where_the_maxima_were():
    picture = torch.tensor([[1.0, 5.0, 0.0, 0.0], [2.0, 3.0, 0.0, 7.0]]).view(1, 1, 2, 4)
    small, places = F.max_pool2d(picture, 2, return_indices=True)
    assert small.flatten().tolist() == [5.0, 7.0]
    expected = torch.tensor([[0.0, 50.0, 0.0, 0.0], [0.0, 0.0, 0.0, 70.0]]).view(1, 1, 2, 4)
    assert torch.equal(unpool(10 * small, places), expected)
    with torch.autocast("cpu", torch.bfloat16):
        assert unpool(small.bfloat16(), places).dtype == torch.bfloat16


@pytest.mark.parametrize("branches", [1, 2, 3, 4])
def test_each_branch_doubles_the_size_divisor(branches):
    model = tiny(branches=branches)
    assert model.contract.size_divisor == 2 ** (branches + 1)
    seen = []
    for name, layer in model.named_modules():
        if name.endswith("join"):
            layer.register_forward_hook(lambda _, __, out: seen.append(out.shape[-1]))
    model(torch.zeros(1, 1, 64, 64))
    assert seen == [64 // 2**k for k in range(branches + 1, 0, -1)]


def test_half_precision_restores_nearly_the_same():
    model = tiny(output="lightness", branches=3)
    lightness = torch.rand(1, 1, 64, 64) * 100
    with torch.no_grad():
        exact = model(lightness).lightness
        with torch.autocast("cpu", torch.bfloat16):
            half = model(lightness).lightness
    assert half.dtype == torch.float32
    assert (half - exact).abs().mean() < 0.5


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({"output": "rgb"}, r"model\.options\.output: 'rgb' must be one of distribution, ycbcr, lightness"),
        ({"branches": 5}, r"model\.options\.branches: 5 must be at most 4"),
        ({"branches": 0}, r"model\.options\.branches: 0 must be at least 1"),
        ({"trunk": 0}, r"model\.options\.trunk: 0 must be at least 1"),
        ({"kernel": 4}, r"model\.options\.kernel: 4 must be odd"),
    ],
)
def test_impossible_options_are_refused_in_one_line(options, line):
    with pytest.raises(UserError, match=line) as caught:
        create_model("rbdn", options)
    assert "\n" not in str(caught.value)
