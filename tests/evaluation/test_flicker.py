"""Flicker of colourings whose flicker can be worked out by hand."""

import numpy as np
import pytest

pytest.importorskip("cv2", reason="following motion needs OpenCV: pip install 'gan_colorize[video]'")

from films import pan, picture

from gan_colorize.evaluation.flicker import FlickerMeter, flicker

ALL = np.ones((8, 12), bool)
STILL = np.zeros((8, 12, 2), np.float32)


def test_a_change_of_3_and_4_is_5():
    earlier = np.zeros((2, 8, 12), np.float32)
    assert flicker(earlier + np.float32([3, 4])[:, None, None], earlier, STILL, ALL) == pytest.approx(5.0)


def test_what_does_not_count_does_not_count():
    earlier = np.zeros((2, 8, 12), np.float32)
    ab = earlier.copy()
    ab[0, :4] = 10.0
    assert flicker(ab, earlier, STILL, ALL) == pytest.approx(5.0)
    lower = ALL.copy()
    lower[:4] = False
    assert flicker(ab, earlier, STILL, lower) == 0.0
    assert flicker(ab, earlier, STILL, ~ALL) == 0.0


def test_colours_that_move_with_the_picture_do_not_flicker():
    columns = np.broadcast_to(np.arange(12, dtype=np.float32), (2, 8, 12))
    flow = STILL + np.float32([3, 0])
    inside = ALL.copy()
    inside[:, 9:] = False
    assert flicker(columns + 3, columns, flow, inside) == pytest.approx(0.0, abs=1e-6)
    assert flicker(columns, columns, flow, inside) == pytest.approx(3 * np.sqrt(2))


def colours(value):
    return np.stack([np.full((24, 32), value, np.float32), np.zeros((24, 32), np.float32)])


def test_a_meter_tells_means_over_pairs_of_one_shot():
    meter = FlickerMeter()
    planes = [one.astype(np.float32) / 2.55 for one in [*pan(1, 3), picture(9)[:96, :128]]]
    for index, (plane, value, alone) in enumerate(
        zip(planes, (10, 11, 10, 40), (10, 16, 10, 40), strict=True)
    ):
        meter.add(plane, colours(value), colours(alone), follows=index in (1, 2))
    told = FlickerMeter.joined([meter.sums()])
    assert told["pairs"] == 2
    assert told["flicker"] == pytest.approx(1.0, abs=1e-3)
    assert told["flicker_frame_by_frame"] == pytest.approx(6.0, abs=1e-3)
    assert told["chroma"] == pytest.approx((10 + 11 + 10 + 40) / 4, abs=1e-3)
    assert told["chroma_frame_by_frame"] == pytest.approx((10 + 16 + 10 + 40) / 4, abs=1e-3)


def test_meters_are_joined_by_their_pairs():
    sums = {"pairs": 1, "frames": 2, "flicker": 2.0, "flicker_frame_by_frame": 4.0}
    sums |= {"chroma": 6.0, "chroma_frame_by_frame": 8.0}
    more = {key: 3 * value for key, value in sums.items()} | {"flicker": 18.0}
    told = FlickerMeter.joined([sums, more])
    assert told["pairs"] == 4 and told["flicker"] == 5.0 and told["chroma"] == 3.0
    assert FlickerMeter.joined([dict.fromkeys(sums, 0)])["flicker"] is None
