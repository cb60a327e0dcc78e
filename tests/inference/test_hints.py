"""Hints on the network's plane: counts and places that geometry gives by hand."""

import math

import numpy as np
import pytest

from gan_colorize.inference.hints import paint
from gan_colorize.inference.wishes import Hint

SQUARE = (32, 32)


def painted(*hints, photo=SQUARE, seen=None, plane=None):
    ab, mask = paint(hints, photo, seen or photo, plane or seen or photo)
    assert ab.shape == (2, *(plane or seen or photo)) and mask.shape == (1, *ab.shape[1:])
    assert ab.dtype == mask.dtype == np.float32
    assert (ab[:, mask[0] == 0] == 0).all() and set(np.unique(mask)) <= {0.0, 1.0}
    return ab, mask[0].astype(bool)


def point(x, y, radius, ab=(10.0, -20.0)):
    return Hint(((x, y),), radius, ab)


# Points of a square grid in a circle around one of them (Gauss), and around the middle of four.
@pytest.mark.parametrize(("radius", "count"), [(1, 5), (2, 13), (3, 29), (4, 49), (5, 81)])
def test_a_disc_around_a_pixels_centre(radius, count):
    ab, mask = painted(point(16.5, 12.5, radius))
    assert mask.sum() == count
    rows, columns = np.nonzero(mask)
    assert rows.mean() == 12 and columns.mean() == 16 and np.ptp(rows) == np.ptp(columns) == 2 * radius
    assert (ab[0][mask] == 10).all() and (ab[1][mask] == -20).all()


@pytest.mark.parametrize(("radius", "count"), [(1, 4), (2, 12), (3, 32), (4, 52)])
def test_a_disc_around_a_corner_of_pixels(radius, count):
    _, mask = painted(point(16, 12, radius))
    assert mask.sum() == count
    rows, columns = np.nonzero(mask)
    assert rows.mean() == 11.5 and columns.mean() == 15.5


@pytest.mark.parametrize("radius", [0.1, 0.5, 0.99])
@pytest.mark.parametrize(
    ("x", "y", "column", "row"),
    [(0, 0, 0, 0), (7.5, 9.5, 7, 9), (7.999, 9.001, 7, 9), (8, 9, 8, 9), (32, 32, 31, 31), (32, 3.2, 31, 3)],
)
def test_a_fine_point_is_the_one_pixel_that_it_lies_in(x, y, column, row, radius):
    _, mask = painted(point(x, y, radius))
    assert [tuple(place) for place in np.argwhere(mask)] == [(row, column)]


def test_a_stroke_is_a_capsule():
    _, mask = painted(Hint(((5.5, 10.5), (14.5, 10.5)), 1.0, (1.0, 1.0)))
    expected = np.zeros(SQUARE, bool)
    expected[10, 4:16] = expected[9, 5:15] = expected[11, 5:15] = True
    np.testing.assert_array_equal(mask, expected)
    there_and_back = Hint(((5.5, 10.5), (14.5, 10.5), (5.5, 10.5)), 1.0, (1.0, 1.0))
    np.testing.assert_array_equal(painted(there_and_back)[1], expected)


def test_a_bend_is_the_union_of_its_lines():
    first, second = ((4.0, 4.0), (20.0, 9.0)), ((20.0, 9.0), (11.0, 28.0))
    bend = painted(Hint((*first, second[1]), 2.5, (1.0, 1.0)))[1]
    lines = [painted(Hint(line, 2.5, (1.0, 1.0)))[1] for line in (first, second)]
    np.testing.assert_array_equal(bend, lines[0] | lines[1])


@pytest.mark.parametrize("radius", [0.1, 0.6, 1.0])
@pytest.mark.parametrize("angle", range(0, 360, 23))
def test_a_hair_has_no_gaps(radius, angle):
    """Every pixel that the line runs through is painted, found by walking along it in small steps."""
    turn = math.radians(angle)
    start, end = (16.3, 15.8), (16.3 + 13 * math.cos(turn), 15.8 + 13 * math.sin(turn))
    _, mask = painted(Hint((start, end), radius, (1.0, 1.0)))
    for share in np.linspace(0, 1, 2000):
        x, y = (a + share * (b - a) for a, b in zip(start, end, strict=True))
        assert mask[int(y), int(x)]
    assert mask.sum() < 60  # and it stays a hair: 13 long, at most 4 wide


def test_a_stroke_without_length_is_a_point():
    for radius in (0.4, 3.0):
        dot = painted(Hint(((9.0, 9.5), (9.0, 9.5)), radius, (1.0, 1.0)))[1]
        np.testing.assert_array_equal(dot, painted(point(9.0, 9.5, radius))[1])


def test_the_later_of_two_wins():
    ab, mask = painted(point(10.5, 10.5, 3, (50.0, 0.0)), point(12.5, 10.5, 3, (0.0, 50.0)))
    assert tuple(ab[:, 10, 11]) == (0.0, 50.0) and tuple(ab[:, 10, 8]) == (50.0, 0.0)
    assert mask.sum() == np.count_nonzero(ab[0]) + np.count_nonzero(ab[1])
    assert np.count_nonzero(ab[1]) == 29


def test_hints_are_in_pixels_of_the_photograph():
    _, mask = painted(point(42, 66, 12), photo=(400, 600), seen=(100, 150), plane=(128, 160))
    assert mask.sum() == 29  # radius 3 around the centre of column 10, row 16
    assert tuple(np.argwhere(mask).mean(0)) == (16.0, 10.0)


@pytest.mark.parametrize("x", [0, 600])
@pytest.mark.parametrize("y", [0, 400])
@pytest.mark.parametrize("radius", [1, 12, 100])
def test_the_border_is_painted_and_the_padding_is_not(x, y, radius):
    _, mask = painted(point(x, y, radius), photo=(400, 600), seen=(100, 150), plane=(128, 160))
    assert mask[99 if y else 0, 149 if x else 0]
    assert not mask[100:].any() and not mask[:, 150:].any()
    assert mask.sum() < 1000


def test_strokes_that_leave_the_photograph_and_brushes_of_any_size():
    outside = Hint(((-50.0, 16.0), (-40.0, -80.0), (16.0, 16.0)), 1.0, (1.0, 1.0))
    _, mask = painted(outside)
    assert mask[15, 15] and mask.sum() < 60
    elsewhere = Hint(((-50.0, 5.0), (-50.0, 5.0), (3.5, 3.5), (3.5, 3.5)), 0.3, (1.0, 1.0))
    assert painted(elsewhere)[1][3, 3]
    for radius in (100.0, 1e6, 1e300):
        _, mask = painted(point(5, 5, radius), photo=(20, 30), plane=(32, 32))
        assert mask[:20, :30].all() and mask.sum() == 600


@pytest.mark.parametrize(("photo", "seen"), [((1, 1), (1, 1)), ((1, 9000), (1, 64)), ((9000, 1), (64, 1))])
def test_photographs_of_one_row_or_column(photo, seen):
    middle = point(photo[1] / 2, photo[0] / 2, 0.5)
    _, mask = painted(middle, photo=photo, seen=seen, plane=(64, 64))
    assert [tuple(place) for place in np.argwhere(mask)] == [(seen[0] // 2, seen[1] // 2)]


def test_no_hints_paint_nothing():
    assert not painted()[1].any()
