"""The running mean along the motion, against means worked out here."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from films import pan

from gan_colorize.inference.predictor import Seen
from gan_colorize.inference.video.frame import Frame
from gan_colorize.inference.video.motion import Motion
from gan_colorize.inference.video.smoothing import AHEAD, Smoother

SIZE = (32, 48)  # of the plane; a quarter of it is the size of the answers


def standing(trust=1.0, shift=0.0):
    flow = np.zeros((*SIZE, 2), np.float32)
    flow[..., 0] = shift
    return Motion(flow, np.full(SIZE, trust, np.float32), same_shot=True)


def frames_saying(values, kinds=None, motion=None):
    """Frames of which each says one number everywhere, or a given tensor."""
    frames = []
    for index, value in enumerate(values):
        said = value if torch.is_tensor(value) else torch.full((3, 8, 12), float(value))
        kind = kinds[index] if kinds else "follows" if index else "first"
        frame = Frame(index, index, 1, read=None, kind=kind, spoken=said)
        frame.link = (motion or standing()) if kind == "follows" else None
        frame.seen = Seen(np.zeros(SIZE, np.float32), SIZE)
        frames.append(frame)
    return frames


def smoothed(frames, strength=1.0, trust=1.0):
    smoother = Smoother(strength, 4, lambda frame, earlier: standing(trust))
    return [float(frame.spoken.mean()) for frame in smoother.run(frames)]


def test_without_strength_every_frame_says_what_it_said():
    assert smoothed(frames_saying([1, 5, 2]), strength=0.0) == [1, 5, 2]


def test_a_shot_that_stands_still_begins_with_the_mean_of_what_comes():
    values = list(range(AHEAD + 3))
    assert smoothed(frames_saying(values))[0] == pytest.approx(np.mean(values[: AHEAD + 1]))


def test_the_mean_goes_on_with_a_bounded_weight():
    values = [4.0, 0.0, 2.0, 6.0, 1.0]
    found = smoothed(frames_saying(values, kinds=["first"] + ["follows"] * 4), strength=0.5)
    # backwards from the last frame, then forwards; two things weigh the same at most
    mean = values[-1]
    for value in values[-2::-1]:
        mean = 0.5 * mean + 0.5 * value
    expected = [mean]
    for value in values[1:]:
        expected.append(0.5 * expected[-1] + 0.5 * value)
    assert found == pytest.approx(expected)


def test_what_is_not_trusted_starts_anew():
    frames = frames_saying([4.0, 0.0, 2.0], motion=standing(trust=0.0))
    assert smoothed(frames, trust=0.0) == [4.0, 0.0, 2.0]


def test_half_a_trust_is_half_a_frame():
    frames = frames_saying([3.0, 0.0], motion=standing(trust=0.5))
    first = 3.0 * 2 / 3  # settled with the second frame, of which half a frame's worth is believed
    second = (0.0 + first * 0.75) / 1.75  # which stands for 1.5 frames by now, and half of that is believed
    assert smoothed(frames, trust=0.5) == pytest.approx([first, second])


def test_a_cut_starts_anew_and_does_not_look_across():
    frames = frames_saying([1, 1, 9, 9], kinds=["first", "follows", "cut", "follows"])
    assert smoothed(frames) == [1, 1, 9, 9]


def test_a_flash_is_neither_smoothed_nor_remembered():
    frames = frames_saying([1, 1, 50, 1], kinds=["first", "follows", "flash", "follows"])
    assert smoothed(frames) == [1, 1, 50, 1]


def test_colours_move_with_what_has_them():
    ramp = torch.arange(12.0).expand(3, 8, 12)
    # everything comes from 8 pixels further right: 2 of the answer
    frames = frames_saying([ramp, torch.zeros(3, 8, 12)], motion=standing(shift=8.0))
    smoother = Smoother(1.0, 4, lambda frame, earlier: standing(trust=0.0))
    last = list(smoother.run(frames))[1].spoken
    assert last[0, 4, :8].tolist() == pytest.approx([0.5 * (column + 2) for column in range(8)])


def test_the_network_s_noise_on_a_still_picture_is_averaged_away():
    random = torch.Generator().manual_seed(0)
    frames = frames_saying([torch.randn(3, 8, 12, generator=random) for _ in range(40)])
    list(Smoother(0.8, 4, lambda frame, earlier: standing()).run(frames))
    change = torch.stack([b.spoken - a.spoken for a, b in pairwise(frames[20:])])
    # of noise of variance 1 a mean has (1 - w) / (1 + w), and it changes by (1 - w) times (news - mean)
    assert float(change.std()) == pytest.approx(np.sqrt(2 * 0.2**2 / 1.8), rel=0.1)


def test_memory_is_kept_where_a_segment_ends_and_goes_on_the_same():
    values = [3.0, 1.0, 4.0, 1.0, 5.0, 9.0]
    whole = frames_saying(values)
    whole[3].ends_segment = True
    everything = [float(f.spoken.mean()) for f in Smoother(0.7, 4, lambda a, b: standing()).run(whole)]
    rest = frames_saying(values)[4:]
    going_on = Smoother(0.7, 4, lambda a, b: standing(), whole[3].memory)
    assert [float(f.spoken.mean()) for f in going_on.run(rest)] == everything[4:]
    assert [frame.memory is not None for frame in whole] == [False] * 3 + [True] + [False] * 2


def test_a_real_pan_with_noise_flickers_less_smoothed(grey_picture):
    from gan_colorize.inference.video.motion import motion_between, move

    planes = [one.astype(np.float32) / 2.55 for one in pan(6, 10, step=(0, 4), height=96, width=128)]
    random = torch.Generator().manual_seed(3)
    frames, before = [], None
    for index, plane in enumerate(planes):
        said = torch.from_numpy(plane[2::4, 2::4].copy())[None] + 8 * torch.randn(1, 24, 32, generator=random)
        frame = Frame(index, index, 1, read=None, spoken=said, seen=Seen(plane, plane.shape))
        frame.kind = "follows" if index else "first"
        frame.link = motion_between(plane, before) if index else None
        before = plane
        frames.append(frame)
    noisy = [frame.spoken[0].numpy().copy() for frame in frames]
    list(Smoother(0.8, 4, motion_between).run(frames))
    calm = [frame.spoken[0].numpy() for frame in frames]
    flow = np.full((24, 32, 2), [1.0, 0.0], np.float32)

    def change(said):
        return np.mean([np.abs(b - move(a, flow))[:, :-1].mean() for a, b in pairwise(said)])

    def error(said):
        return np.mean([np.abs(a - p[2::4, 2::4]).mean() for a, p in zip(said, planes, strict=True)])

    assert change(calm) < 0.4 * change(noisy)
    assert error(calm) < 0.7 * error(noisy)
