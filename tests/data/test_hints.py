"""Simulated hints against the numbers of the paper, statistics against brute force."""

import colorsys

import numpy as np
import pytest
import torch
from skimage.measure import label

from gan_colorize.color.bins import bin_centres
from gan_colorize.color.fast import rgb8_to_lab
from gan_colorize.data import hints as data_hints
from gan_colorize.data.chance import Chance
from gan_colorize.data.hints import global_statistics, simulate_hints


def chance(pictures: torch.Tensor, seed: int = 0) -> Chance:
    return Chance(seed, range(len(pictures)))


@pytest.fixture
def ab() -> torch.Tensor:
    return torch.randn(16, 2, 64, 48, generator=torch.Generator().manual_seed(3)) * 30


def test_shapes_and_values(ab: torch.Tensor) -> None:
    hints, mask = simulate_hints(ab, chance(ab), 1.0)
    assert hints.shape == ab.shape and mask.shape == (16, 1, 64, 48)
    assert hints.dtype == mask.dtype == torch.float32
    assert set(mask.unique().tolist()) <= {0.0, 1.0}
    assert (hints[mask.expand_as(hints) == 0] == 0).all()
    again = simulate_hints(ab, chance(ab), 1.0)
    assert torch.equal(hints, again[0]) and torch.equal(mask, again[1])


def test_share_of_pictures_with_hints() -> None:
    ab = torch.ones(4000, 2, 12, 12)
    for probability in (0.0, 0.4, 1.0):
        _, mask = simulate_hints(ab, chance(ab), probability)
        # Of those that get hints one in eight draws no point at all; one in a hundred is revealed whole.
        expected = probability * (0.01 + 0.99 * 7 / 8)
        assert mask.amax((1, 2, 3)).mean() == pytest.approx(expected, abs=0.03)
        assert mask.amin((1, 2, 3)).mean() == pytest.approx(0.01 * probability, abs=0.01)


def test_revealed_whole_is_the_truth() -> None:
    ab = torch.randn(600, 2, 40, 40, generator=torch.Generator().manual_seed(1))
    hints, mask = simulate_hints(ab, chance(ab), 1.0)
    whole = mask.amin((1, 2, 3)) == 1
    assert 0 < whole.sum() < 20
    assert torch.equal(hints[whole], ab[whole])


def test_a_patch_shows_its_own_mean() -> None:
    """Pictures with one patch: a filled square of at most 9x9 in the mean colour of its place."""
    ab = torch.randn(400, 2, 64, 64, generator=torch.Generator().manual_seed(2)) * 30
    hints, mask = simulate_hints(ab, chance(ab), 1.0)
    sizes = []
    for one_ab, one_hints, one_mask in zip(ab, hints, mask[:, 0], strict=True):
        rows, columns = one_mask.nonzero(as_tuple=True)
        if len(rows) == 0 or label(one_mask.numpy() > 0).max() > 1:
            continue
        box = (slice(int(rows.min()), int(rows.max()) + 1), slice(int(columns.min()), int(columns.max()) + 1))
        inside = one_hints[:, *box]
        if (
            inside.shape[1] != inside.shape[2]
            or not one_mask[box].all()
            or len(inside.flatten(1).unique(dim=1).T) > 1
        ):
            continue  # overlapping patches
        sizes.append(inside.shape[1])
        assert torch.allclose(inside[:, 0, 0], one_ab[:, *box].mean((1, 2)), atol=1e-4)
    assert len(sizes) > 20 and set(sizes) <= set(range(1, 10)) and len(set(sizes)) >= 7


def test_number_and_place_of_points() -> None:
    """Distinct colours count the points: mean 7 for p = 1/8 (0, 1, 2, ... points), around the centre."""
    noise = torch.randn(1500, 2, 96, 96, generator=torch.Generator().manual_seed(4)) * 30
    hints, mask = simulate_hints(noise, chance(noise), 1.0)
    whole = mask.amin((1, 2, 3)) == 1
    counts = torch.tensor(
        [len(h[0][m[0] > 0].unique()) for h, m in zip(hints[~whole], mask[~whole], strict=True)]
    )
    # Few patches of at most 9 pixels a side are hidden wholly by a later one.
    assert counts.float().mean() == pytest.approx(7, abs=0.6)
    assert (counts == 0).float().mean() == pytest.approx(1 / 8, abs=0.03)
    where = mask[~whole].mean((0, 1)).numpy()
    rows = np.arange(96) + 0.5
    profile = where.sum(1) / where.sum()
    centre = (profile * rows).sum()
    assert centre == pytest.approx(48, abs=1.5)
    # Standard deviation 1/4 of the side, less what the border holds back: sigma 24 truncated at 2 sigma.
    assert np.sqrt((profile * (rows - centre) ** 2).sum()) == pytest.approx(22.5, abs=2)


def test_small_pictures() -> None:
    hints, mask = simulate_hints(torch.ones(200, 2, 3, 5), Chance(0, range(200)), 1.0)
    assert mask.max() == 1 and (hints == mask).all()


def test_statistics_against_brute_force() -> None:
    rgb8 = torch.randint(
        0, 256, (6, 3, 16, 24), generator=torch.Generator().manual_seed(5), dtype=torch.uint8
    )
    ab = rgb8_to_lab(rgb8)[:, 1:]
    histogram, saturation = global_statistics(rgb8, ab, chance(rgb8), 1.0)
    centres = bin_centres().numpy()
    for i in range(6):
        pooled = ab[i].numpy().reshape(2, 4, 4, 6, 4).mean((2, 4)).reshape(2, -1).T
        nearest = ((pooled[:, None] - centres) ** 2).sum(-1).argmin(1)
        expected = np.bincount(nearest, minlength=313) / 24
        # The nearest bin changes on lines on which the lookup table's cells end: nothing is approximate.
        np.testing.assert_allclose(histogram[i].numpy(), expected, rtol=0, atol=1e-6)
        pixels = rgb8[i].flatten(1).T.tolist()
        hsv = np.mean([colorsys.rgb_to_hsv(*(v / 255 for v in pixel))[1] for pixel in pixels])
        assert float(saturation[i, 0]) == pytest.approx(hsv, abs=1e-5)
    assert torch.allclose(histogram.sum(1), torch.ones(6))
    black = torch.zeros(1, 3, 8, 8, dtype=torch.uint8)
    assert global_statistics(black, torch.zeros(1, 2, 8, 8), chance(black), 1.0)[1].item() == 0


def test_statistics_drop_out() -> None:
    rgb8 = torch.full((3000, 3, 4, 4), 80, dtype=torch.uint8)
    histogram, saturation = global_statistics(rgb8, torch.zeros(3000, 2, 4, 4), chance(rgb8), 0.25)
    with_histogram, with_saturation = histogram.sum(1) > 0, saturation[:, 0] >= 0
    assert with_histogram.float().mean() == pytest.approx(0.25, abs=0.03)
    assert with_saturation.float().mean() == pytest.approx(0.25, abs=0.03)
    assert (with_histogram & with_saturation).float().mean() == pytest.approx(1 / 16, abs=0.02)
    assert (saturation[~with_saturation] == -1).all()
    assert (global_statistics(rgb8, torch.zeros(3000, 2, 4, 4), chance(rgb8), 0.0)[0] == 0).all()


def test_strokes_go_on_while_the_colour_does(monkeypatch):
    """With a brush of one pixel every revealed pixel lies on the side of the colour it tells."""
    monkeypatch.setattr(data_hints, "_LARGEST_PATCH", 1)
    monkeypatch.setattr(data_hints, "_REVEAL_ALL", 0.0)
    ab = torch.zeros(64, 2, 32, 32)
    ab[:, 0, :, 16:] = 40.0
    revealed = {}
    for share in (0.0, 1.0):
        monkeypatch.setattr(data_hints, "_STROKES", share)
        hints, mask = simulate_hints(ab, chance(ab), 1.0)
        assert torch.equal(hints, ab * mask)
        revealed[share] = mask.sum().item()
    assert revealed[1.0] > 4 * revealed[0.0]  # up to 16 steps each, where neither edge nor border ends them


def test_a_stroke_has_one_colour(monkeypatch):
    monkeypatch.setattr(data_hints, "_REVEAL_ALL", 0.0)
    monkeypatch.setattr(data_hints, "_STROKES", 1.0)
    monkeypatch.setattr(data_hints, "_STOP", 0.0)
    monkeypatch.setattr(data_hints, "_MOST_POINTS", 1)
    ramp = torch.linspace(0, 10, 48).expand(200, 2, 48, 48)  # slow enough for a stroke to go on
    hints, mask = simulate_hints(ramp, chance(ramp, 1), 1.0)
    told = [picture[0][shown[0] > 0] for picture, shown in zip(hints, mask, strict=True)]
    assert all(len(colours.unique()) == 1 for colours in told)
    assert sum(len(colours) > 81 for colours in told) > 50  # more than the largest patch has pixels
