"""PSNR and SSIM against scikit-image, photograph by photograph."""

import numpy as np
import pytest
import torch

from gan_colorize.evaluation.psnr import IDENTICAL_DB, psnr
from gan_colorize.evaluation.ssim import ssim

metrics = pytest.importorskip("skimage.metrics")


@pytest.fixture(scope="module")
def pair() -> tuple[torch.Tensor, torch.Tensor]:
    """Two pictures (2, 3, 48, 37) uint8 with structure, and distorted ones of unequal quality."""
    rng = np.random.default_rng(3)
    coarse = torch.from_numpy(rng.random((2, 3, 6, 5))).float()
    true = torch.nn.functional.interpolate(coarse, (48, 37), mode="bilinear") * 255
    noise = (
        torch.from_numpy(rng.normal(size=(2, 3, 48, 37))).float()
        * torch.tensor([4.0, 25.0])[:, None, None, None]
    )
    return true.round().byte(), (true + noise).clamp(0, 255).round().byte()


def test_psnr_equals_scikit_image(pair: tuple[torch.Tensor, torch.Tensor]) -> None:
    expected = [
        metrics.peak_signal_noise_ratio(a.numpy(), b.numpy(), data_range=255)
        for a, b in zip(*pair, strict=True)
    ]
    assert psnr(*pair).tolist() == pytest.approx(expected, rel=1e-6)
    assert abs(expected[0] - expected[1]) > 10  # a mean over the batch would not pass


def test_psnr_of_one_level_everywhere_and_of_nothing() -> None:
    true = torch.full((1, 3, 32, 32), 100, dtype=torch.uint8)
    assert psnr(true, true + 1).item() == pytest.approx(48.1308036)  # 20 log10(255)
    assert psnr(true, true).item() == IDENTICAL_DB


def test_ssim_equals_scikit_image_gaussian(pair: tuple[torch.Tensor, torch.Tensor]) -> None:
    expected = [
        metrics.structural_similarity(
            a.numpy().astype(np.float64) / 255,
            b.numpy().astype(np.float64) / 255,
            data_range=1,
            channel_axis=0,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
        )
        for a, b in zip(*pair, strict=True)
    ]
    assert ssim(*pair).tolist() == pytest.approx(expected, abs=1e-7)


@pytest.mark.parametrize("metric", [psnr, ssim])
def test_what_would_silently_broadcast_or_overflow_is_refused(metric) -> None:
    good = torch.zeros(2, 3, 32, 32)
    for bad in (good[:, :1], good[:1], good[..., :31], good + 255, good.long(), good * float("nan")):
        with pytest.raises(ValueError):
            metric(good, bad)


def test_ssim_of_constants_is_the_luminance_term() -> None:
    # no variance: (2xy + c1) / (x^2 + y^2 + c1)
    x, y = 0.25, 0.75
    value = ssim(torch.full((1, 3, 16, 16), x), torch.full((1, 3, 16, 16), y)).item()
    assert value == pytest.approx((2 * x * y + 1e-4) / (x * x + y * y + 1e-4), abs=1e-9)


def test_ssim_refuses_pictures_smaller_than_its_window() -> None:
    with pytest.raises(ValueError, match="11 px"):
        ssim(torch.zeros(1, 3, 10, 40), torch.zeros(1, 3, 10, 40))
