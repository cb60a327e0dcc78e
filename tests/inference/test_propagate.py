"""Meeting the hints: against Gaussian process regression written out, and what it is for."""

import numpy as np
import pytest

from gan_colorize.inference.propagate import meet_hints, within_reach


def plane_of(height, width, seed=0):
    """A smooth L plane and a chroma plane of a quarter of its size."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    light = 50 + 30 * np.sin(x / 17 + rng.uniform(0, 6)) * np.cos(y / 23 + rng.uniform(0, 6))
    ab = rng.normal(0, 15, (2, height // 4, width // 4))
    return light.astype(np.float32), ab.astype(np.float32)


def told(height, width, *hints):
    """Rectangles (top, left, height, width, a, b) as painted planes."""
    ab, mask = np.zeros((2, height, width), np.float32), np.zeros((1, height, width), np.float32)
    for top, left, rows, columns, a, b in hints:
        ab[0, top : top + rows, left : left + columns] = a
        ab[1, top : top + rows, left : left + columns] = b
        mask[0, top : top + rows, left : left + columns] = 1
    return ab, mask


def written_out(ab, light, hints, seen):
    """Equation 2.25 of Rasmussen and Williams, cell by cell in double precision.

    Covariance of two cells of 4x4 pixels: exp(-distance / (0.3 of the shorter side)), times
    exp(-1/2 of the squared difference in L, a and b, each over 12); noise variance 0.02.
    """
    rows, columns = ab.shape[1:]
    places = [(i, j) for i in range(rows) for j in range(columns)]
    cell_light = {(i, j): light[4 * i : 4 * i + 4, 4 * j : 4 * j + 4].mean(dtype=float) for i, j in places}
    wanted = {}
    for i, j in places:
        mask = hints[1][0, 4 * i : 4 * i + 4, 4 * j : 4 * j + 4].astype(bool)
        if mask.any():
            wanted[i, j] = hints[0][:, 4 * i : 4 * i + 4, 4 * j : 4 * j + 4][:, mask].mean(1, dtype=float)
    reach = 0.3 * min(seen) / 4

    def covariance(one, other):
        distance = np.hypot(one[0] - other[0], one[1] - other[1]) / reach
        unlike = ((cell_light[one] - cell_light[other]) / 12) ** 2
        unlike += sum(((float(c[one]) - float(c[other])) / 12) ** 2 for c in ab)
        return np.exp(-distance - unlike / 2)

    known = list(wanted)
    matrix = np.array([[covariance(p, q) for q in known] for p in known]) + 0.02 * np.eye(len(known))
    observed = np.array([wanted[p] - ab[:, p[0], p[1]] for p in known])
    solved = np.linalg.inv(matrix) @ observed
    result = ab.astype(float).copy()
    for p in places:
        result[:, p[0], p[1]] += np.array([covariance(p, q) for q in known]) @ solved
    return result


@pytest.mark.parametrize("seen", [(64, 96), (50, 90)])
def test_it_is_gaussian_process_regression(seen):
    light, ab = plane_of(64, 96)
    hints = told(64, 96, (8, 8, 1, 1, 40, -30), (20, 30, 6, 9, -50, 10), (44, 60, 3, 3, 5, 70))
    expected = written_out(ab, light, hints, seen)
    found = meet_hints(ab, light, hints, seen)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=2e-3)
    assert np.abs(expected - ab).max() > 30


def test_blocks_of_cells_make_no_difference(monkeypatch):
    light, ab = plane_of(128, 160)
    hints = told(128, 160, (8, 8, 9, 9, 40, -30), (100, 120, 6, 9, -50, 10))
    whole = meet_hints(ab, light, hints, (128, 160))
    monkeypatch.setattr("gan_colorize.inference.propagate._BLOCK", 37)
    np.testing.assert_allclose(meet_hints(ab, light, hints, (128, 160)), whole, atol=1e-4)


def test_no_hint_changes_nothing():
    light, ab = plane_of(32, 32)
    np.testing.assert_array_equal(meet_hints(ab, light, told(32, 32), (32, 32)), ab)


@pytest.mark.parametrize("place", [(0, 0), (31, 31), (13, 22)])
def test_a_hint_is_met_within_two_percent(place):
    light, ab = plane_of(32, 32)
    found = meet_hints(ab, light, told(32, 32, (*place, 1, 1, 60, -40)), (32, 32))
    row, column = (side // 4 for side in place)
    before = np.array([60, -40]) - ab[:, row, column]
    left = np.array([60, -40]) - found[:, row, column]
    assert np.linalg.norm(left) <= 0.02 * np.linalg.norm(before) + 1e-3


def test_a_hint_of_the_colour_that_is_there_changes_nothing():
    light, ab = plane_of(32, 32)
    a, b = ab[:, 3, 5]
    np.testing.assert_allclose(
        meet_hints(ab, light, told(32, 32, (12, 20, 4, 4, a, b)), (32, 32)), ab, atol=1e-4
    )


def test_near_and_alike_places_follow_more():
    light = np.full((64, 64), 60, np.float32)
    light[:, 40:] = 20
    ab = np.zeros((2, 16, 16), np.float32)
    ab[0, 12:] = 60  # another colour below
    change = meet_hints(ab, light, told(64, 64, (32, 32, 1, 1, 0, 50)), (64, 64))[1]
    row = change[8, :9]  # to the left of the hint: equally light, ever nearer
    assert (np.diff(row) > 0).all() and row[-1] == pytest.approx(50 / 1.02, rel=1e-4)
    assert change[8, 7] == pytest.approx(50 / 1.02 * np.exp(-1 / 4.8), rel=1e-4)
    assert change[8, 10] < 0.01 * change[8, 6]  # as far away, but 40 L darker
    assert change[12, 8] < 0.01 * change[4, 8]  # as far away, but of another colour


def test_hints_that_contradict_each_other_do_not_overshoot():
    light, ab = np.full((64, 64), 60, np.float32), np.zeros((2, 16, 16), np.float32)
    found = meet_hints(ab, light, told(64, 64, (32, 28, 4, 4, 0, 60), (32, 32, 4, 4, 0, -60)), (64, 64))
    assert np.abs(found).max() < 66
    assert found[1, 8, 7] > 45 and found[1, 8, 8] < -45


def test_colours_that_share_a_cell_are_met_in_the_mean():
    light, ab = np.full((32, 32), 60, np.float32), np.zeros((2, 8, 8), np.float32)
    found = meet_hints(ab, light, told(32, 32, (8, 8, 4, 2, 30, 0), (8, 10, 4, 2, 0, 60)), (32, 32))
    np.testing.assert_allclose(found[:, 2, 2], np.array([15, 30]) / 1.02, rtol=1e-4)


def test_every_stride_tells_the_same():
    light, _ = plane_of(64, 64)
    hints = told(64, 64, (20, 36, 3, 3, 50, -30))
    means = {}
    for stride in (1, 2, 4, 8):
        ab = np.full((2, 64 // stride, 64 // stride), 5, np.float32)
        found = meet_hints(ab, light, hints, (64, 64))
        assert found.shape == ab.shape and found.dtype == np.float32
        means[stride] = found.reshape(2, 8, 8 // stride, 8, 8 // stride).mean((2, 4))
    np.testing.assert_allclose(means[8], means[4], atol=1e-3)
    # between cells it is bilinear, which flattens the peak
    for stride in (1, 2):
        np.testing.assert_allclose(means[stride], means[4], atol=2.5)
        assert np.abs(means[stride] - means[4]).mean() < 0.2


def test_more_cells_than_are_solved_for(monkeypatch):
    monkeypatch.setattr("gan_colorize.inference.propagate._MOST", 100)
    light, ab = plane_of(64, 96)
    ab *= 0.2
    found = meet_hints(ab, light, told(64, 96, (0, 0, 64, 96, 30, 40)), (64, 96))
    error = np.linalg.norm(found - np.array([30, 40])[:, None, None], axis=0)
    before = np.linalg.norm(ab - np.array([30, 40])[:, None, None], axis=0)
    assert error.mean() < 0.1 * before.mean()


def test_a_photograph_of_one_pixel():
    light, ab = np.full((32, 32), 60, np.float32), np.zeros((2, 8, 8), np.float32)
    found = meet_hints(ab, light, told(32, 32, (0, 0, 1, 1, 30, 40)), (1, 1))
    assert np.isfinite(found).all()
    np.testing.assert_allclose(found[:, 0, 0], np.array([30, 40]) / 1.02, rtol=1e-4)


def followed_written_out(ab, free, light, hints, seen):
    """Each place: its colours told of the hints, weighed by the chance that any of the hints concerns it, or
    by how its change compares with the largest at a hint: from a fifth (not at all) to a half (wholly)."""
    rows, columns = ab.shape[1:]
    cell_light = light.reshape(rows, 4, columns, 4).mean((1, 3), dtype=float)
    hinted = np.argwhere(hints[1][0].reshape(rows, 4, columns, 4).max((1, 3)) > 0)
    result = np.empty(ab.shape)
    change = np.hypot(*(ab - free).astype(float))
    largest = max(change[p, q] for p, q in hinted)
    for i in range(rows):
        for j in range(columns):
            t = min(max((change[i, j] / largest - 0.2) / 0.3, 0.0), 1.0)
            missed = 1 - (3 * t**2 - 2 * t**3)
            for p, q in hinted:
                distance = np.hypot(i - p, j - q) / (0.6 * min(seen) / 4)
                unlike = ((cell_light[i, j] - cell_light[p, q]) / 12) ** 2
                unlike += (((free[:, i, j].astype(float) - free[:, p, q]) / 12) ** 2).sum()
                missed *= 1 - np.exp(-distance - unlike / 2)
            result[:, i, j] = (1 - missed) * ab[:, i, j] + missed * free[:, i, j]
    return result


@pytest.mark.parametrize("seen", [(64, 96), (50, 90)])
def test_the_network_is_followed_where_a_hint_reaches(seen):
    light, ab = plane_of(64, 96)
    _, free = plane_of(64, 96, seed=1)
    hints = told(64, 96, (8, 8, 3, 3, 30, -20), (40, 60, 6, 2, -10, 40))
    expected = followed_written_out(ab, free, light, hints, seen)
    np.testing.assert_allclose(within_reach(ab, free, light, hints, seen), expected, atol=1e-3)


def test_nothing_hinted_follows_nothing_and_everything_hinted_all():
    light, ab = plane_of(64, 64)
    _, free = plane_of(64, 64, seed=1)
    np.testing.assert_array_equal(within_reach(ab, free, light, told(64, 64), (64, 64)), free)
    everywhere = told(64, 64, (0, 0, 64, 64, 5, 5))
    np.testing.assert_allclose(within_reach(ab, free, light, everywhere, (64, 64)), ab, atol=1e-4)


def recoloured(shape):
    """Chroma without and with a hint at the top left: 20 there and at the bottom right, 2 everywhere else."""
    free, ab = np.zeros((2, *shape), np.float32), np.full((2, *shape), 2.0, np.float32)
    side = shape[0] // 4
    ab[:, :side, :side] = ab[:, -side:, -side:] = 20.0
    return ab, free


def test_what_changes_as_the_hint_does_is_the_same_thing_and_the_rest_is_left():
    ab, free = recoloured((16, 16))
    light = np.full((64, 64), 30, np.float32)
    light[:16, :16] = light[48:, 48:] = 80  # unlike the rest, which the kernel thus leaves
    result = within_reach(ab, free, light, told(64, 64, (4, 4, 4, 4, 30, 30)), (64, 64))
    np.testing.assert_allclose(result[:, -4:, -4:], 20, atol=1e-4)
    np.testing.assert_allclose(result[:, :4, 8:], 0, atol=1e-3)


def test_on_a_finer_grid_the_weights_are_the_same():
    light = np.full((64, 64), 50, np.float32)
    hints = told(64, 64, (4, 4, 4, 4, 30, 30))
    coarse = within_reach(*recoloured((16, 16)), light, hints, (64, 64))
    fine = within_reach(*recoloured((64, 64)), light, hints, (64, 64))
    inner = np.ones((16, 16), bool)
    inner[3:5] = inner[:, 3:5] = inner[11:13] = inner[:, 11:13] = False  # where weights of cells are mixed
    np.testing.assert_allclose(fine[:, 2::4, 2::4][:, inner], coarse[:, inner], atol=0.1)
    np.testing.assert_allclose(fine[:, -12:, -12:], 20, atol=1e-3)
