"""AuC against closed forms, hand-made classes, and its definition: thresholds one by one, bins one by one."""

from pathlib import Path

import numpy as np
import pytest
import torch

from gan_colorize.color.bins import bin_centres
from gan_colorize.data.folder import open_source
from gan_colorize.evaluation.auc import RebalancedAuc, auc, pixel_scores
from gan_colorize.evaluation.protocol import Settings
from gan_colorize.evaluation.runner import evaluate


def area_under_curve(errors: np.ndarray, weights: np.ndarray) -> float:
    """Section 3.1 word for word: share of the weight within each threshold 0..150, trapezoids, percent."""
    curve = [weights[errors <= threshold].sum() / weights.sum() for threshold in range(151)]
    return 100 * float(np.trapezoid(curve)) / 150


def dense_classes(ab: np.ndarray) -> np.ndarray:
    """Nearest bin of ab (P, 2) by its distance to all of them."""
    return ((ab[:, None] - bin_centres().numpy()[None]) ** 2).sum(2).argmin(1)


def random_ab(seed: int, *shape: int, spread: float) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed)) * spread


def flat(a: float, b: float) -> torch.Tensor:
    return torch.tensor([a, b])[None, :, None, None].expand(1, 2, 4, 6)


@pytest.mark.parametrize(
    ("error", "percent"),
    [
        (0.0, 100.0),  # within every threshold
        (7.5, 100 * (1 - 7.5 / 150)),  # half-way between thresholds the trapezoid is the exact area
        (100.5, 33.0),
        (30.0, 100 * 120.5 / 150),  # on a threshold: the step starts there, half a trapezoid early
        (149.5, 100 * 0.5 / 150),
        (150.0, 100 * 0.5 / 150),  # only the last threshold is met
        (150.5, 0.0),
        (200.0, 0.0),
    ],
)
def test_one_error_everywhere_has_a_closed_form(error: float, percent: float) -> None:
    true = flat(20.0, -40.0)
    for other in (flat(20.0 + error, -40.0), flat(20.0, -40.0 - error)):
        assert auc(pixel_scores(true, other)).tolist() == pytest.approx([percent], abs=1e-4)
    # both axes together: a 3-4-5 triangle
    both = flat(20.0 + 0.6 * 7.5, -40.0 - 0.8 * 7.5)
    assert auc(pixel_scores(true, both)).item() == pytest.approx(95.0, abs=1e-4)


def test_equals_the_curve_and_its_area_picture_by_picture() -> None:
    true, other = random_ab(1, 3, 2, 20, 17, spread=40.0), random_ab(2, 3, 2, 20, 17, spread=60.0)
    other[0, :, :5] = true[0, :, :5]  # exact pixels
    errors = (true - other).norm(dim=1).flatten(1).numpy()
    assert (errors > 150).any()
    expected = [area_under_curve(row, np.ones_like(row)) for row in errors]
    assert auc(pixel_scores(true, other)).tolist() == pytest.approx(expected, abs=1e-4)


def test_rebalanced_gives_two_classes_equal_weight() -> None:
    # three quarters are of the bin (0, 0) and exact, one quarter is of the bin (50, 50) and off by 30.5
    true, other = torch.zeros(1, 2, 4, 4), torch.zeros(1, 2, 4, 4)
    true[:, :, 0], other[:, :, 0] = 50.0, 50.0
    other[:, 0, 0] += 30.5
    scores = pixel_scores(true, other)
    balanced = RebalancedAuc(["model"])
    balanced.add("model", balanced.classes(true), scores)
    off = 100 * (1 - 30.5 / 150)
    assert auc(scores).item() == pytest.approx(0.75 * 100 + 0.25 * off, abs=1e-4)
    assert balanced.values()["model"] == pytest.approx((100 + off) / 2, abs=1e-4)


def test_rebalanced_equals_the_weighted_curve_whatever_the_batches() -> None:
    # inside the bins' outline: beyond it a look-up may take the second nearest bin of a pixel in a million
    true = random_ab(3, 5, 2, 12, 18, spread=15.0).clamp(-34, 34)
    others = {"grey": torch.zeros_like(true), "model": true + random_ab(4, 5, 2, 12, 18, spread=30.0)}
    pixels = true.permute(0, 2, 3, 1).reshape(-1, 2).numpy()
    classes = dense_classes(pixels)
    counts = np.bincount(classes, minlength=313)
    assert len(set(counts[counts > 0])) > 5  # rare classes and common ones
    weights = 1 / counts[classes]
    for batch in (1, 3, 5):
        balanced = RebalancedAuc(others)
        for part in torch.arange(5).split(batch):
            nearest = balanced.classes(true[part])
            for row, other in others.items():
                balanced.add(row, nearest, pixel_scores(true[part], other[part]))
        for row, other in others.items():
            errors = (true - other).norm(dim=1).flatten().numpy()
            assert balanced.values()[row] == pytest.approx(area_under_curve(errors, weights), abs=1e-3)


def test_every_photograph_counts_the_same_whatever_its_size() -> None:
    """Four small red pixels, off by 15.5, weigh as much in their class as a hundred exact ones."""
    balanced = RebalancedAuc(["model"])
    for side, error in ((2, 15.5), (10, 0.0)):
        true = torch.full((1, 2, side, side), 60.0)
        other = true + torch.tensor([error, 0.0])[:, None, None]
        balanced.add("model", balanced.classes(true), pixel_scores(true, other))
    assert balanced.values()["model"] == pytest.approx(100 * (1 - 15.5 / 150 / 2), abs=1e-4)


def test_different_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match="different shapes"):
        pixel_scores(torch.zeros(2, 2, 4, 4), torch.zeros(1, 2, 4, 4))


def test_reported_numbers_are_those_of_the_pictures_shown(photographs: Path, one_colour) -> None:
    """From the 8-bit pictures by scikit-image's Lab, float64, and every bin's distance."""
    color = pytest.importorskip("skimage.color")
    report, grid = evaluate(one_colour(20), open_source(photographs), Settings(size=48))
    errors: dict[str, list[np.ndarray]] = {"grey": [], "model": []}
    true_pixels = []
    for values, (truth, *pictures) in zip(report["per_image"], grid, strict=True):
        true_ab = color.rgb2lab(truth)[..., 1:].reshape(-1, 2)
        true_pixels.append(true_ab)
        for row, picture in zip(("grey", "model"), pictures, strict=True):
            error = np.linalg.norm(color.rgb2lab(picture)[..., 1:].reshape(-1, 2) - true_ab, axis=1)
            errors[row].append(error)
            expected = area_under_curve(error, np.ones_like(error))
            assert values[row]["auc"] == pytest.approx(expected, abs=0.02)
            assert "auc_rebalanced" not in values[row]  # of all photographs together only
    classes = dense_classes(np.concatenate(true_pixels))
    weights = 1 / np.bincount(classes, minlength=313)[classes]
    for row, of_photographs in errors.items():
        expected = area_under_curve(np.concatenate(of_photographs), weights)
        assert report["rows"][row]["auc_rebalanced"] == pytest.approx(expected, abs=0.1)
        assert abs(expected - report["rows"][row]["auc"]) > 1  # it is another number
    assert report["rows"]["truth_through_bins"]["auc"] > 90
    assert "auc" not in report["rows"]["truth"] and "auc" in report["rows"]["model"]["ci95"]
