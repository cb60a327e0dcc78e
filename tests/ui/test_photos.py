"""Open photographs: ids, bounds, expiry; and names from a browser."""

from types import SimpleNamespace

import numpy as np
import pytest

from gan_colorize.ui.photos import Expired, Photos, shown_name


def session(height=10, width=20):
    return SimpleNamespace(lightness=np.zeros((height, width), np.float32))


@pytest.fixture
def clock():
    return SimpleNamespace(now=1000.0)


@pytest.fixture
def photos(clock):
    return Photos(most=3, most_pixels=1000, idle_seconds=60, clock=lambda: clock.now)


def test_what_the_page_is_told(photos):
    opened = photos.add("attic.jpg", session(), ["a warning"])
    assert opened.about() == {
        "id": opened.id, "name": "attic.jpg", "width": 20, "height": 10, "warnings": ["a warning"]
    }  # fmt: skip
    assert photos.get(opened.id) is opened


def test_ids_differ_and_cannot_be_guessed(photos):
    ids = {photos.add("same.jpg", session(), []).id for _ in range(50)}
    assert len(ids) == 50
    assert min(map(len, ids)) >= 22  # 128 bits in letters of six


def test_unknown_ones_are_expired(photos):
    with pytest.raises(Expired):
        photos.get("nothing")


def test_idle_ones_expire_and_used_ones_do_not(photos, clock):
    idle, used = photos.add("idle", session(), []), photos.add("used", session(), [])
    clock.now += 40
    photos.get(used.id)
    clock.now += 40
    assert photos.get(used.id) is used
    with pytest.raises(Expired):
        photos.get(idle.id)
    clock.now += 61
    photos.expire()
    assert len(photos) == 0


def test_the_one_used_longest_ago_makes_room(photos):
    first, second, third = (photos.add(name, session(), []) for name in "abc")
    photos.get(first.id)
    fourth = photos.add("d", session(), [])
    assert len(photos) == 3
    with pytest.raises(Expired):
        photos.get(second.id)
    assert [photos.get(one.id) for one in (first, third, fourth)] == [first, third, fourth]


def test_pixels_are_bounded_but_one_large_photograph_is_always_taken(photos):
    small = photos.add("small", session(20, 20), [])  # 400
    other = photos.add("other", session(20, 30), [])  # 600: both together are the bound
    assert len(photos) == 2
    third = photos.add("third", session(1, 1), [])
    with pytest.raises(Expired):
        photos.get(small.id)
    huge = photos.add("huge", session(100, 100), [])
    assert len(photos) == 1
    assert photos.get(huge.id) is huge
    for gone in (other, third):
        with pytest.raises(Expired):
            photos.get(gone.id)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("attic.jpg", "attic.jpg"),
        ("../../etc/passwd", "passwd"),
        ("C:\\scans\\attic.jpg", "attic.jpg"),
        ("Großmutter 1911.tif", "Großmutter 1911.tif"),
        ("a\r\nSet-Cookie: x\0.jpg", "aSet-Cookie: x.jpg"),
        ("", "photograph"),
        ("folder/", "photograph"),
        ("x" * 300 + ".jpg", "x" * 200),
    ],
)
def test_names(name, shown):
    assert shown_name(name) == shown
