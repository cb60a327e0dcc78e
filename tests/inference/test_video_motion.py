"""Motion and shots on pictures whose motion is known."""

import numpy as np
import pytest
from films import pan, picture

from gan_colorize.inference.predictor import Seen
from gan_colorize.inference.video.frame import Frame
from gan_colorize.inference.video.motion import flow_between, motion_between, move, visible
from gan_colorize.inference.video.scenes import link


def lightness(pictures):
    return [one.astype(np.float32) / 2.55 for one in pictures]


def test_a_shifted_picture_has_the_flow_of_its_shift():
    earlier, frame = lightness(pan(1, 2, step=(3, 4)))
    flow = flow_between(frame, earlier)[12:-12, 12:-12]
    # the window moved down and to the right: what it shows was 4 px further right and 3 px further down
    assert np.median(flow[..., 0]) == pytest.approx(4.0, abs=0.1)
    assert np.median(flow[..., 1]) == pytest.approx(3.0, abs=0.1)
    assert np.abs(flow - [4.0, 3.0]).max(-1).mean() < 0.25


def test_moving_a_frame_along_its_flow_gives_the_next_one():
    earlier, frame = lightness(pan(2, 2, step=(2, -3), room=60)[:1] + pan(2, 2, step=(2, 3))[1:])
    whole = picture(2)
    earlier, frame = lightness([whole[4:100, 8:136], whole[6:102, 5:133]])
    moved = move(earlier, np.full((96, 128, 2), [-3.0, 2.0], np.float32))
    assert np.abs(moved - frame)[:-2, 3:].max() < 1e-3


def test_what_was_outside_of_the_frame_was_not_visible():
    flow = np.zeros((20, 30, 2), np.float32)
    flow[..., 0] = 5.0
    seen = visible(flow, -flow)
    assert seen[:, :25].all() and not seen[:, 25:].any()


def test_what_does_not_come_back_was_not_visible():
    flow, back = np.zeros((2, 20, 30, 2), np.float32)
    back[5:10, :, 1] = 3.0
    seen = visible(flow, back)
    assert not seen[5:10].any() and seen[:5].all() and seen[10:].all()


def test_neighbours_belong_to_one_shot_whatever_grain_and_lamp_do():
    random = np.random.default_rng(0)
    for seed in range(5):
        earlier, frame = lightness(pan(seed, 2, step=(2, 3)))
        noisy = frame * 0.85 + random.normal(0.0, 3.0, frame.shape).astype(np.float32)
        assert motion_between(noisy.clip(0, 100), earlier).same_shot


def test_different_pictures_belong_to_two_shots():
    for seed in range(5):
        one, other = lightness([picture(seed), picture(seed + 20)])
        assert not motion_between(one, other).same_shot


def test_a_change_of_lightness_in_one_place_is_not_trusted_there_but_the_lamp_is_no_change():
    earlier = lightness([picture(3)])[0]
    frame = earlier + 5.0
    frame[40:80, 40:80] += 40.0
    trust = motion_between(frame.clip(0, 100), earlier).trust
    assert trust[50:70, 50:70].max() < 0.05
    assert np.median(trust[:, 100:]) > 0.8


def test_frames_too_small_for_a_search_stand_still():
    assert not flow_between(np.ones((8, 40), np.float32), np.zeros((8, 40), np.float32)).any()


def linked(pictures, segment=10**6, last=None, start=0):
    """Frames as the pipeline gives them to ``link``, and what it makes of them."""
    frames, before = [], last
    for index, plane in enumerate(lightness(pictures), start):
        frame = Frame(index, index, 1, read=None, seen=Seen(plane, plane.shape))
        if before is not None and before.shape == plane.shape:
            frame.motion = motion_between(plane, before)
        frames.append(frame)
        before = plane
    return list(link(frames, motion_between, segment, last))


def test_a_pan_is_one_shot_and_a_cut_is_found_at_its_frame():
    frames = linked(pan(1, 9) + pan(2, 6) + pan(3, 5))
    assert [frame.index for frame in frames if frame.kind == "cut"] == [9, 15]
    assert frames[0].kind == "first"
    assert all(frame.link is not None for frame in frames if frame.kind == "follows")
    assert all(frame.link is None for frame in frames if frame.kind != "follows")


@pytest.mark.parametrize("length", [1, 2, 3])
def test_a_flash_is_no_cut_and_the_shot_goes_on_behind_it(length):
    pictures = pan(4, 10)
    for index in range(4, 4 + length):
        pictures[index] = np.full_like(pictures[index], 250)
    frames = linked(pictures)
    assert [frame.kind for frame in frames] == ["first"] + ["follows"] * 3 + ["flash"] * length + [
        "follows"
    ] * (6 - length)
    # the frame behind it goes on from the last one before it: 2 pixels a frame to the right
    flow = frames[4 + length].link.flow[20:-20, 20:-20, 0]
    assert np.median(flow) == pytest.approx(2.0 * (length + 1), abs=0.2)


def test_a_fade_to_black_and_back_is_no_cut():
    shares = [*np.linspace(1, 0, 12), 0, 0, 0, *np.linspace(0, 1, 12)]
    random = np.random.default_rng(1)
    pictures = [
        np.clip(frame * share + random.normal(0, 2, frame.shape) + 4, 0, 255).astype(np.uint8)
        for frame, share in zip(pan(5, len(shares), step=(1, 1)), shares, strict=True)
    ]
    assert [frame.kind for frame in linked(pictures)] == ["first"] + ["follows"] * (len(shares) - 1)


def test_a_frame_of_another_size_begins_a_shot():
    frames = linked(pan(1, 3) + pan(1, 3, height=64))
    assert [frame.kind for frame in frames] == ["first", "follows", "follows", "cut", "follows", "follows"]


def test_a_run_that_goes_on_behind_a_segment_finds_what_one_that_was_not_stopped_does():
    pictures = pan(1, 7) + pan(2, 9)
    pictures[4] = pictures[5] = np.full_like(pictures[0], 250)  # a flash where the segment would end
    whole = linked(pictures, segment=5)
    ends = [frame.index for frame in whole if frame.ends_segment]
    assert ends == [6, 11]
    rest = linked(pictures[7:], segment=5, last=whole[6].seen.plane, start=7)
    assert [(f.index, f.kind, f.ends_segment) for f in rest] == [
        (f.index, f.kind, f.ends_segment) for f in whole[7:]
    ]
    assert rest[0].kind == "cut"
