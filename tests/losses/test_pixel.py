import pytest
import torch
import torch.nn.functional as F

from gan_colorize.losses.pixel import gaussian_blur, l1, mse, smooth_l1


def test_huber_has_its_knee_at_110_ab_units():
    truth = torch.zeros(1, 2, 1, 3)
    prediction = torch.tensor([55.0, 110.0, 220.0]).reshape(1, 1, 1, 3) * torch.tensor([1.0, 0.0]).reshape(
        1, 2, 1, 1
    )
    expected = torch.tensor([0.5 * 0.25, 0.5, 2.0 - 0.5]).reshape(1, 1, 1, 3)
    torch.testing.assert_close(smooth_l1(prediction / 110.0, truth), expected)


def test_huber_with_its_knee_at_one_unit_of_ab_is_all_but_the_absolute_error():
    """The 2017 paper's delta; divided by it, each channel is half a delta below the absolute error."""
    truth = torch.zeros(1, 2, 1, 2)
    guess = torch.tensor([0.5, -3.0, 40.0, 0.0]).view(1, 2, 1, 2)
    expected = torch.tensor([0.5 * 0.25 + 39.5, 2.5]).view(1, 1, 1, 2)
    torch.testing.assert_close(110.0 * smooth_l1(guess / 110.0, truth, 1 / 110), expected)


def test_absolute_and_squared_errors_by_hand():
    truth = torch.zeros(1, 2, 1, 1)
    guess = torch.tensor([0.5, -0.2]).view(1, 2, 1, 1)
    assert l1(guess, truth).item() == pytest.approx(0.7)
    assert mse(guess, truth).item() == pytest.approx(0.29)


def test_the_blur_is_that_of_kornia():
    """OpenCV's default sigma for a width, against an independent Gaussian."""
    from kornia.filters import gaussian_blur2d

    maps = torch.rand(2, 2, 9, 12)
    for width, sigma in ((3, 0.8), (5, 1.1)):
        wanted = gaussian_blur2d(maps, (width, width), (sigma, sigma), border_type="reflect")
        torch.testing.assert_close(gaussian_blur(maps, width), wanted, atol=1e-6, rtol=1e-5)


def test_a_colour_next_door_counts_less_when_blurred_maps_are_compared():
    truth, near, far = (torch.zeros(1, 2, 9, 9) for _ in range(3))
    truth[..., 4, 4], near[..., 4, 5], far[..., 0, 0] = 1.0, 1.0, 1.0
    plain = [mse(x, truth).sum().item() for x in (near, far)]
    assert plain[0] == pytest.approx(plain[1])
    blurred = [mse(x, truth, (3, 5)).sum().item() for x in (near, far)]
    assert blurred[0] < blurred[1]
    by_hand = [F.mse_loss(gaussian_blur(far, w), gaussian_blur(truth, w), reduction="sum") for w in (3, 5)]
    assert blurred[1] == pytest.approx((plain[1] + float(sum(by_hand))) / 3, rel=1e-5)
