"""The metrics on real photographs against computations that share nothing with them: LPIPS in numpy and by
its authors' package, PSNR and SSIM by scikit-image, colourfulness by hand."""

from __future__ import annotations

import io
import math
import os
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import gan_colorize
from gan_colorize.evaluation.colorfulness import colorfulness
from gan_colorize.evaluation.lpips_metric import load_lpips, signed_rgb
from gan_colorize.evaluation.psnr import IDENTICAL_DB, psnr
from gan_colorize.evaluation.ssim import ssim

EXAMPLES = Path(gan_colorize.__file__).parent / "examples" / "truth"
# Of the lpips package's README, for AlexNet, version 0.1: ex_ref.png against ex_p0.png and ex_p1.png.
PUBLISHED = {"ex_p0.png": 0.722, "ex_p1.png": 0.138}


def batch(*pictures: np.ndarray) -> torch.Tensor:
    """(H, W, 3) uint8 each -> (N, 3, H, W) uint8."""
    return torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2)


@pytest.fixture(scope="module")
def photographs() -> list[np.ndarray]:
    """The shipped examples at odd sizes, (H, W, 3) uint8."""
    pictures = []
    for path in sorted(EXAMPLES.iterdir()):
        with Image.open(path) as opened:
            picture = opened.convert("RGB")
        for side in (97, 150):
            small = picture.copy()
            small.thumbnail((side, side))
            pictures.append(np.asarray(small))
    assert len({picture.shape for picture in pictures}) >= 3
    return pictures


def as_jpeg(picture: np.ndarray) -> np.ndarray:
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "JPEG", quality=20)
    return np.asarray(Image.open(buffer))


def as_grey(picture: np.ndarray) -> np.ndarray:
    return np.asarray(Image.fromarray(picture).convert("L").convert("RGB"))


DISTORTIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "jpeg": as_jpeg,
    "grey": as_grey,
    "moved by two pixels": lambda picture: np.roll(picture, 2, axis=1),
    "negative": lambda picture: 255 - picture,
    "one value of one pixel": lambda picture: np.where(
        np.arange(picture.size).reshape(picture.shape), picture, 9
    ),
}


# LPIPS


def convolve(x: np.ndarray, weight: np.ndarray, bias: np.ndarray, stride: int, padding: int) -> np.ndarray:
    """(C, H, W) float64 -> (K, h, w)."""
    x = np.pad(x, ((0, 0), (padding, padding), (padding, padding)))
    windows = np.lib.stride_tricks.sliding_window_view(x, weight.shape[2:], axis=(1, 2))[
        :, ::stride, ::stride
    ]
    return np.tensordot(weight, windows, ((1, 2, 3), (0, 3, 4))) + bias[:, None, None]


def alexnet_layers(picture: np.ndarray, trunk: dict[str, np.ndarray]) -> list[np.ndarray]:
    """The five ReLU layers of AlexNet of one picture (H, W, 3) uint8, in float64 and numpy alone."""
    shift, scale = np.array([-0.030, -0.088, -0.188]), np.array([0.458, 0.448, 0.450])
    x = ((picture.astype(np.float64) / 127.5 - 1 - shift) / scale).transpose(2, 0, 1)
    layers = []
    for number, stride, padding in ((0, 4, 2), (3, 1, 2), (6, 1, 1), (8, 1, 1), (10, 1, 1)):
        if number in (3, 6):
            windows = np.lib.stride_tricks.sliding_window_view(x, (3, 3), axis=(1, 2))[:, ::2, ::2]
            x = windows.max((3, 4))
        weight, bias = (trunk[f"features.{number}.{part}"].astype(np.float64) for part in ("weight", "bias"))
        x = np.maximum(convolve(x, weight, bias, stride, padding), 0)
        layers.append(x)
    return layers


def lpips_in_numpy(a: np.ndarray, b: np.ndarray, trunk: Path) -> float:
    """Zhang et al. 2018, equation 1, with the heads that the authors' package ships."""
    import lpips

    def arrays(path: Path) -> dict[str, np.ndarray]:
        state = torch.load(path, map_location="cpu", weights_only=True)
        return {key: value.numpy() for key, value in state.items()}

    convolutions = arrays(trunk)
    heads = arrays(Path(lpips.__file__).parent / "weights" / "v0.1" / "alex.pth")
    total = 0.0
    layers = zip(alexnet_layers(a, convolutions), alexnet_layers(b, convolutions), strict=True)
    for number, (x, y) in enumerate(layers):
        x, y = (z / (np.sqrt((z**2).sum(0)) + 1e-10) for z in (x, y))
        weights = heads[f"lin{number}.model.1.weight"].ravel()
        total += float(np.tensordot(weights, (x - y) ** 2, 1).mean())
    return total


@pytest.mark.parametrize("name", ["jpeg", "grey", "moved by two pixels", "negative"])
def test_lpips_equals_numpy_on_photographs(random_trunk: Path, photographs: list, name: str) -> None:
    metric = load_lpips("alex", random_trunk)
    for picture in photographs[:2]:
        other = DISTORTIONS[name](picture)
        value = metric(signed_rgb(batch(picture)), signed_rgb(batch(other))).item()
        assert value == pytest.approx(lpips_in_numpy(picture, other, random_trunk), rel=1e-4)
        assert value > 1e-4


@pytest.fixture(scope="module")
def real_trunk(shared: Path) -> Path:
    """AlexNet as torchvision trained it, and all of torch's cache with it."""
    path = shared / "weights" / "torch_home" / "hub" / "checkpoints" / "alexnet-owt-7be5be79.pth"
    if not path.is_file():
        pytest.skip("no AlexNet among the development data")
    return path


def test_lpips_with_the_real_trunk_equals_numpy_and_the_authors_package(
    real_trunk: Path, photographs: list, monkeypatch: pytest.MonkeyPatch
) -> None:
    import lpips

    monkeypatch.setenv("TORCH_HOME", str(real_trunk.parents[2]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        package = lpips.LPIPS(net="alex", version="0.1", verbose=False).eval()
    metric = load_lpips("alex", real_trunk)
    values = {}
    for name in ("jpeg", "grey", "moved by two pixels", "negative"):
        for picture in photographs[:3]:
            other = DISTORTIONS[name](picture)
            value = metric(signed_rgb(batch(picture)), signed_rgb(batch(other))).item()
            with torch.no_grad():
                theirs = package(lpips.im2tensor(picture), lpips.im2tensor(other)).item()
            assert value == pytest.approx(theirs, rel=1e-4)
            assert value == pytest.approx(lpips_in_numpy(picture, other, real_trunk), rel=1e-4)
            values.setdefault(name, []).append(value)
    means = {name: np.mean(found) for name, found in values.items()}
    assert means["moved by two pixels"] < means["negative"]  # which a random trunk need not see


def test_lpips_of_the_published_example_pairs(real_trunk: Path) -> None:
    """The pictures are in the authors' repository (imgs/), in no package: who has them names the folder."""
    folder = os.environ.get("GAN_COLORIZE_LPIPS_EXAMPLES")
    if not folder:
        pytest.skip("set GAN_COLORIZE_LPIPS_EXAMPLES to the imgs folder of PerceptualSimilarity")
    metric = load_lpips("alex", real_trunk)
    pictures = {
        name: batch(np.asarray(Image.open(Path(folder, name)).convert("RGB")))
        for name in ("ex_ref.png", *PUBLISHED)
    }
    for name, distance in PUBLISHED.items():
        value = metric(signed_rgb(pictures["ex_ref.png"]), signed_rgb(pictures[name])).item()
        assert value == pytest.approx(distance, abs=0.0005)


# PSNR and SSIM


@pytest.mark.parametrize("name", DISTORTIONS)
def test_psnr_and_ssim_equal_scikit_image_on_photographs(photographs: list, name: str) -> None:
    metrics = pytest.importorskip("skimage.metrics")
    for picture in photographs:
        other = DISTORTIONS[name](picture)
        expected = metrics.structural_similarity(
            *(picture, other),
            data_range=255,
            channel_axis=-1,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
        )
        assert ssim(batch(picture), batch(other)).item() == pytest.approx(expected, abs=1e-7)
        expected = metrics.peak_signal_noise_ratio(picture, other, data_range=255)
        assert psnr(batch(picture), batch(other)).item() == pytest.approx(expected, abs=1e-6)


def test_psnr_and_ssim_at_their_edges() -> None:
    metrics = pytest.importorskip("skimage.metrics")
    rng = np.random.default_rng(5)
    noise = rng.integers(0, 256, (11, 11, 3), dtype=np.uint8)  # one window
    pairs = {
        "one window": (noise, noise[::-1].copy()),
        "a strip": (np.tile(noise, (1, 9, 1)), np.tile(noise[:, ::-1], (1, 9, 1)).copy()),
        "black and white": (np.zeros((16, 16, 3), np.uint8), np.full((16, 16, 3), 255, np.uint8)),
        "flat and noise": (np.full((11, 11, 3), 128, np.uint8), noise),
    }
    for name, (a, b) in pairs.items():
        expected = metrics.structural_similarity(
            *(a, b),
            data_range=255,
            channel_axis=-1,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
        )
        assert ssim(batch(a), batch(b)).item() == pytest.approx(expected, abs=1e-7), name
        expected = metrics.peak_signal_noise_ratio(a, b, data_range=255)
        assert psnr(batch(a), batch(b)).item() == pytest.approx(expected, abs=1e-6), name
    # black against white: 20 log10(255 / 255) = 0 dB; SSIM (0 + c1) / (1 + c1) * 1
    black, white = (batch(picture) for picture in pairs["black and white"])
    assert psnr(black, white).item() == pytest.approx(0, abs=1e-9)
    assert ssim(black, white).item() == pytest.approx(1e-4 / (1 + 1e-4), abs=1e-9)
    assert psnr(black, black).item() == IDENTICAL_DB and ssim(black, black).item() == pytest.approx(
        1, abs=1e-12
    )


# Colourfulness


def board(first: tuple[int, int, int], second: tuple[int, int, int]) -> torch.Tensor:
    """(1, 3, 8, 8) uint8: a chessboard."""
    dark = np.indices((8, 8)).sum(0) % 2 == 1
    return batch(np.where(dark[..., None], np.array(second), np.array(first)).astype(np.uint8))


@pytest.mark.parametrize(
    ("first", "second", "signed", "absolute"),
    [
        # One colour: no spread. rg = 200 - 100 = 100, yb = 150 - 50 = 100: 0.3 * sqrt(100^2 + 100^2) = 42.426
        ((200, 100, 50), (200, 100, 50), 42.4264, 42.4264),
        # One colour, rg = 40 - 120 = -80, yb = 80 - 140 = -60, signs do not matter: 0.3 * 100 = 30
        ((40, 120, 140), (40, 120, 140), 30.0, 30.0),
        # Black and white and every grey between: rg = yb = 0.
        ((0, 0, 0), (255, 255, 255), 0.0, 0.0),
        # Red and green: rg = 255 and -255, yb = 127.5 both. Signed: spreads 255 and 0, means 0 and 127.5:
        # 255 + 0.3 * 127.5 = 293.25. Absolute: rg = 255 both, no spread: 0.3 * sqrt(255^2 + 127.5^2) = 85.530
        ((255, 0, 0), (0, 255, 0), 293.25, 85.5296),
        # Yellow and blue: rg = 0, yb = 255 and -255. Signed: spread 255, mean 0: 255.
        # Absolute: no spread, mean 255: 0.3 * 255 = 76.5
        ((255, 255, 0), (0, 0, 255), 255.0, 76.5),
        # Grey and orange: rg = 0 and 100, yb = 0 and 150 - 50 = 100. Means 50 and 50, spreads 50 and 50:
        # sqrt(50^2 + 50^2) + 0.3 * sqrt(50^2 + 50^2) = 1.3 * 70.711 = 91.924; no sign is negative.
        ((90, 90, 90), (200, 100, 50), 91.9239, 91.9239),
        # Two muted colours: rg = 30 and -10, yb = 5 and -35. Signed: means 10 and -15, spreads 20 and 20:
        # 28.284 + 0.3 * 18.028 = 33.693. Absolute: 30 and 10, 5 and 35: means 20 and 20, spreads 10 and 15:
        # 18.028 + 0.3 * 28.284 = 26.513
        ((110, 80, 90), (90, 100, 130), 33.6926, 26.5131),
    ],
)
def test_colourfulness_of_chessboards(first: tuple, second: tuple, signed: float, absolute: float) -> None:
    picture = board(first, second)
    assert colorfulness(picture).item() == pytest.approx(signed, abs=1e-3)
    assert colorfulness(picture, absolute=True).item() == pytest.approx(absolute, abs=1e-3)


def test_colourfulness_of_unequal_shares() -> None:
    """A quarter red, three quarters grey: rg is 255 and 0, yb 127.5 and 0.

    Means 63.75 and 31.875; spreads 255 * sqrt(1/4 * 3/4) = 110.418 and 55.209:
    sqrt(110.418^2 + 55.209^2) + 0.3 * sqrt(63.75^2 + 31.875^2) = 123.451 + 21.382 = 144.834
    """
    picture = np.full((8, 8, 3), 77, np.uint8)
    picture[:2] = (255, 0, 0)
    assert colorfulness(batch(picture)).item() == pytest.approx(144.834, abs=1e-2)
    assert math.isclose(colorfulness(batch(picture)).item(), colorfulness(batch(picture), True).item())
