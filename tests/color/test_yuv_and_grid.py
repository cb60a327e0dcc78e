"""BT.601 chroma against its published range and a round trip through Lab; the 529 classes by hand."""

import torch

from gan_colorize.color.grid import GRID_CLASSES, GridEncoder, grid_centres
from gan_colorize.color.lab import rgb_to_lab
from gan_colorize.color.yuv import CB_PER_U, CR_PER_V, rgb_to_uv, uv_to_ab


def pixels(*colours):
    return torch.tensor(colours).T[None, :, :, None]  # (1, 3, n, 1)


def test_primaries_have_the_published_chroma():
    uv = rgb_to_uv(pixels([0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [1.0, 1.0, 0.0], [0.5, 0.5, 0.5]))[0, :, :, 0].T
    torch.testing.assert_close(uv[0], torch.tensor([0.436, -0.100]), atol=5e-4, rtol=0)
    torch.testing.assert_close(uv[1], torch.tensor([-0.147, 0.615]), atol=5e-4, rtol=0)
    torch.testing.assert_close(uv[2, 0], torch.tensor(-0.436), atol=5e-4, rtol=0)
    assert uv[3].abs().max() < 1e-6
    # Cb and Cr of pure blue and red are 1/2 by definition
    assert abs(uv[0, 0] * CB_PER_U - 0.5) < 1e-3 and abs(uv[1, 1] * CR_PER_V - 0.5) < 1e-3


def test_every_colour_comes_back():
    torch.manual_seed(0)
    rgb = torch.rand(2, 3, 40, 40).pow(2)  # many dark ones
    lab = rgb_to_lab(rgb)
    ab = uv_to_ab(lab[:, :1], rgb_to_uv(rgb))
    torch.testing.assert_close(ab, lab[:, 1:], atol=0.02, rtol=0)


def test_gradient_is_that_of_the_solution():
    torch.manual_seed(0)
    rgb = 0.2 + 0.6 * torch.rand(1, 3, 3, 3)
    lightness, uv = rgb_to_lab(rgb)[:, :1], rgb_to_uv(rgb).requires_grad_(True)
    uv_to_ab(lightness, uv)[0, 0, 1, 1].backward()
    step = 1e-3
    for channel in (0, 1):
        moved = [uv.detach().clone() for _ in range(2)]
        moved[0][0, channel, 1, 1] += step
        moved[1][0, channel, 1, 1] -= step
        up, down = (uv_to_ab(lightness, x)[0, 0, 1, 1] for x in moved)
        torch.testing.assert_close(uv.grad[0, channel, 1, 1], (up - down) / (2 * step), rtol=0.02, atol=0.5)


def test_impossible_chroma_stays_finite():
    uv = torch.tensor([0.6, -0.9]).view(1, 2, 1, 1).expand(1, 2, 1, 3)
    ab = uv_to_ab(torch.tensor([0.0, 50.0, 100.0]).view(1, 1, 1, 3), uv)
    assert ab.isfinite().all() and ab.abs().max() < 200


def test_grid_classes():
    assert GRID_CLASSES == 529 and grid_centres().shape == (529, 2)
    ab = torch.tensor([[-110.0, -110.0], [0.0, 0.0], [14.0, -26.0], [300.0, 110.0]]).T[None, :, :, None]
    indices, weights = GridEncoder()(ab)
    assert indices[0, 0, :, 0].tolist() == [0, 264, 12 * 23 + 8, 528]
    assert weights.min() == 1
    assert grid_centres()[indices[0, 0, 2, 0]].tolist() == [10.0, -30.0]
