"""The order of shards: every image once an epoch, a pure function, few shards at a time, each in its lane."""

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gan_colorize.data.order import ShuffledOrder, WindowedOrder


def make(counts: list[int], lanes: int, window: int, seed: int = 0, every: int = 1) -> WindowedOrder:
    """An order over shards of so many images, of which every ``every``-th is usable."""
    bounds = np.cumsum([0, *counts])
    return WindowedOrder(np.arange(0, bounds[-1], every), bounds, seed, lanes, window)


@settings(max_examples=60, deadline=None)
@given(
    counts=st.lists(st.integers(0, 9), min_size=1, max_size=9).filter(sum),
    lanes=st.integers(1, 9),
    window=st.integers(1, 4),
    seed=st.integers(0, 5),
    every=st.integers(1, 3),
)
def test_every_image_once_an_epoch(counts: list[int], lanes: int, window: int, seed: int, every: int) -> None:
    order = make(counts, lanes, window, seed, every)
    n, wanted = len(order), list(range(0, sum(counts), every))
    shown = [order(number) for number in range(4 * n)]
    for epoch in range(4):
        assert sorted(shown[epoch * n : (epoch + 1) * n]) == wanted
    fresh = pickle.loads(pickle.dumps(make(counts, lanes, window, seed, every)))
    assert [fresh(number) for number in reversed(range(4 * n))] == shown[::-1]  # nothing depends on the past


@settings(max_examples=60, deadline=None)
@given(
    counts=st.lists(st.integers(0, 30), min_size=1, max_size=12).filter(sum),
    lanes=st.integers(1, 6),
    window=st.integers(1, 3),
)
def test_what_is_drawn_from_is_told_ahead(counts: list[int], lanes: int, window: int) -> None:
    order = make(counts, lanes, window)
    bounds = np.cumsum([0, *counts])
    for lane in range(lanes):
        number, told = lane, None
        for _ in range(12):
            now, later, until = order.shards_of(number)
            assert told is None or now == told  # as the window before said
            used = {int(np.searchsorted(bounds, order(n), "right")) - 1 for n in range(number, until, lanes)}
            assert used == set(now) and len(now) <= window
            assert until % lanes == lane and until > number
            number, told = until, later


def test_the_shuffle_buffer_is_lanes_times_windows() -> None:
    """At any time images come from 4 x 2 shards at most, and within them in random order."""
    order = make([50] * 40, lanes=4, window=2)
    shown = np.array([order(number) for number in range(2000)])
    assert all(len(set(shown[at : at + 100] // 50)) <= 4 * 2 * 2 for at in range(0, 2000, 100))
    one_window = shown[0:400:4]  # the first lane's first two shards
    assert len(set(one_window // 50)) == 2
    assert abs(np.corrcoef(np.arange(100), one_window % 50)[0, 1]) < 0.3
    assert not np.array_equal(shown, [order(number) for number in range(2000, 4000)])
    other = make([50] * 40, lanes=4, window=2, seed=1)
    assert not np.array_equal(shown, [other(number) for number in range(2000)])


@pytest.mark.parametrize("world", [1, 2, 4, 8])
def test_a_process_needs_the_shards_of_its_own_lanes(world: int) -> None:
    """Process r reads the numbers p with p mod R = r, whatever the batch. Its lanes are a share of the row,
    so it needs that share of the shards and one more for each cut, and reads them once."""
    shards, lanes = 64, 8
    order = make([20] * shards, lanes, 2)
    n = len(order)
    needed = [{order(number) // 20 for number in range(rank, n, world)} for rank in range(world)]
    assert set().union(*needed) == set(range(shards))
    assert sum(len(own) for own in needed) <= shards + lanes - 1
    assert max(len(own) for own in needed) <= shards // world + lanes // world


def test_without_shards_the_order_is_what_it_always_was() -> None:
    """Pinned: a run that was begun before there were orders goes on with the same images."""
    indices = np.array([3, 5, 8, 13, 21, 34, 55])
    order = ShuffledOrder(indices, seed=7)
    expected = [np.random.default_rng((7, 1, epoch)).permutation(indices).tolist() for epoch in (0, 1)]
    assert [order(number) for number in range(14)] == expected[0] + expected[1]
    assert order(3) == expected[0][3] and order.lanes == 1
