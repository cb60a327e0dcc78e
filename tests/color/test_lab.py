"""Exact conversion against scikit-image, kornia and closed forms."""

import numpy as np
import pytest
import torch

from gan_colorize.color.lab import (
    grey_to_lightness,
    lab_to_rgb,
    lightness_to_grey,
    rgb_to_lab,
    srgb_to_linear,
)


@pytest.fixture(scope="module")
def rgb() -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    random = torch.rand(3, 40, 40, generator=generator, dtype=torch.float64)
    corners = torch.tensor([[r, g, b] for r in (0, 1) for g in (0, 1) for b in (0, 1)], dtype=torch.float64)
    random[:, 0, :8] = corners.T
    random[:, 1] *= 0.03  # the linear toes of sRGB and Lab
    return random


def test_scikit_image_there(rgb):
    color = pytest.importorskip("skimage.color")
    expected = color.rgb2lab(rgb.permute(1, 2, 0).numpy())
    np.testing.assert_allclose(rgb_to_lab(rgb).permute(1, 2, 0).numpy(), expected, atol=1e-9)
    np.testing.assert_allclose(rgb_to_lab(rgb.float()).permute(1, 2, 0).numpy(), expected, atol=3e-4)


def test_scikit_image_back(rgb):
    color = pytest.importorskip("skimage.color")
    lab = rgb_to_lab(rgb)
    lab[1:] *= 1.1  # some leave the gamut and are clipped
    expected = color.lab2rgb(lab.permute(1, 2, 0).numpy())
    # scikit-image inverts its matrix in its own way: the eighth digit differs.
    np.testing.assert_allclose(lab_to_rgb(lab).permute(1, 2, 0).numpy(), expected, atol=1e-6)


def test_kornia(rgb):
    kornia = pytest.importorskip("kornia")
    pictures = rgb.float().expand(2, -1, -1, -1)
    torch.testing.assert_close(rgb_to_lab(pictures), kornia.color.rgb_to_lab(pictures), atol=5e-4, rtol=0)
    lab = rgb_to_lab(pictures)
    torch.testing.assert_close(lab_to_rgb(lab), kornia.color.lab_to_rgb(lab), atol=1e-4, rtol=0)


@pytest.mark.parametrize(
    ("srgb", "lab"),
    # The commonly published Lab values of the sRGB primaries under D65, to two decimals.
    [
        ((1, 1, 1), (100.0, 0.0, 0.0)),
        ((0, 0, 0), (0.0, 0.0, 0.0)),
        ((1, 0, 0), (53.24, 80.09, 67.20)),
        ((0, 1, 0), (87.73, -86.18, 83.18)),
        ((0, 0, 1), (32.30, 79.19, -107.86)),
    ],
)
def test_primaries(srgb, lab):
    got = rgb_to_lab(torch.tensor(srgb, dtype=torch.float64).view(3, 1, 1)).flatten()
    np.testing.assert_allclose(got.numpy(), lab, atol=0.02)


def test_there_and_back(rgb):
    torch.testing.assert_close(lab_to_rgb(rgb_to_lab(rgb), clip=False), rgb, atol=2e-6, rtol=0)
    torch.testing.assert_close(lab_to_rgb(rgb_to_lab(rgb.float())), rgb.float(), atol=2e-5, rtol=0)


def test_grey_to_lightness_is_l_of_grey():
    grey = torch.linspace(0, 1, 300, dtype=torch.float64)
    lab = rgb_to_lab(grey.expand(3, 1, -1))
    torch.testing.assert_close(grey_to_lightness(grey), lab[0, 0], atol=1e-9, rtol=0)
    # 18.42 % reflectance is L = 50 by definition of L*: 116 * 0.1842^(1/3) - 16.
    assert float(srgb_to_linear(torch.tensor(0.4663))) == pytest.approx(0.1842, abs=2e-4)
    assert float(grey_to_lightness(torch.tensor(0.4663))) == pytest.approx(50.0, abs=0.03)


def test_lightness_to_grey_is_the_way_back():
    grey = torch.linspace(0, 1, 300, dtype=torch.float64)
    torch.testing.assert_close(lightness_to_grey(grey_to_lightness(grey)), grey, atol=1e-5, rtol=0)


def test_gradients():
    generator = torch.Generator().manual_seed(1)
    rgb = torch.rand(3, 3, 3, generator=generator, dtype=torch.float64) * 0.9 + 0.06
    assert torch.autograd.gradcheck(rgb_to_lab, rgb.requires_grad_())
    lab = rgb_to_lab(rgb.detach()).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: lab_to_rgb(x, clip=False), lab)


def test_gradient_is_finite_and_alive_outside_the_gamut():
    grid = torch.linspace(-110, 110, 23)
    a, b = torch.meshgrid(grid, grid, indexing="ij")
    for lightness in (0.0, 3.0, 50.0, 100.0):
        lab = torch.stack((torch.full_like(a, lightness), a, b)).requires_grad_()
        lab_to_rgb(lab, clip=False).sum().backward()
        assert torch.isfinite(lab.grad).all()
        assert (lab.grad[1:].abs().sum(dim=0) > 0).all()
    black = torch.zeros(3, 2, 2, requires_grad=True)
    rgb_to_lab(black).sum().backward()
    assert torch.isfinite(black.grad).all()


@pytest.mark.parametrize("convert", [rgb_to_lab, lab_to_rgb])
def test_autocast_does_not_touch_it(convert, rgb):
    picture = rgb.float() if convert is rgb_to_lab else rgb_to_lab(rgb.float())
    expected = convert(picture)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        got = convert(picture)
        assert convert(picture.bfloat16()).dtype == torch.float32
    assert got.dtype == torch.float32
    torch.testing.assert_close(got, expected, atol=0, rtol=0)


@pytest.mark.parametrize(
    ("picture", "error", "says"),
    [
        (torch.zeros(3, 4, 4, dtype=torch.uint8), TypeError, "floating point"),
        (torch.full((3, 4, 4), 255.0), ValueError, "255"),
        (torch.zeros(4, 4), ValueError, "shape"),
        (torch.zeros(1, 4, 4), ValueError, "shape"),
        (np.zeros((3, 4, 4)), TypeError, "tensor"),
    ],
)
def test_exceptions(picture, error, says):
    with pytest.raises(error, match=says):
        rgb_to_lab(picture)


def test_shapes():
    assert rgb_to_lab(torch.zeros(2, 5, 3, 4, 6)).shape == (2, 5, 3, 4, 6)
    assert rgb_to_lab(torch.zeros(0, 3, 4, 6)).shape == (0, 3, 4, 6)
    assert lab_to_rgb(torch.zeros(3, 1, 1)).shape == (3, 1, 1)
