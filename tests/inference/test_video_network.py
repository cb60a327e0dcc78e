"""Films where memory runs out: fewer frames at once, frames seen smaller, the CPU; aloud, and never grey."""

import numpy as np
import pytest
import torch
from films import pan

from gan_colorize.data.image_io import Photo
from gan_colorize.errors import UserError
from gan_colorize.inference.predictor import Predictor, Settings
from gan_colorize.inference.upsample import Rendering
from gan_colorize.inference.video import pipeline as video_pipeline
from gan_colorize.inference.video.frame import Frame
from gan_colorize.inference.video.pipeline import Pipeline


class Cramped(Predictor):
    """Has room for planes of so many pixels in a pass, from a pass on."""

    room, passes, roomy_passes = 0, 0, 0

    def predict(self, seen, conditions=None):
        self.passes += 1
        if self.passes > self.roomy_passes and sum(one.plane.size for one in seen) > self.room:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return super().predict(seen, conditions)


def coloured(predictor, count=6, strength=0.8, **more):
    """Frames of a pan of 200x240 pixels with their colours, and what was said."""
    lines, said = [], []
    pictures = pan(3, count, height=200, width=240)
    frames = [Frame(i, i, 1, read=lambda one=one: Photo(one)) for i, one in enumerate(pictures)]
    made = Pipeline(
        predictor,
        Settings(),
        strength=strength,
        segment=100,
        pixels=48_000,
        warn=lines.append,
        say=said.append,
        **more,
    )
    results = [frame.rgb8 for frame in made.run(frames)]
    assert said == []
    return results, lines


def chroma(picture):
    return np.ptp(picture.astype(int), axis=2).mean()


# The network sees 64x96 pixels at the whole working size and 64x64 at three quarters of it.
WHOLE, SMALLER = 64 * 96, 64 * 64


def test_fewer_frames_at_once_are_the_same_colours(network):
    cramped = Cramped(network, "cpu", "fp32")
    cramped.room = 2 * WHOLE
    results, lines = coloured(cramped, batch_size=6)
    assert [line.split("; ")[1] for line in lines] == ["going on with 3", "going on with 1"]
    expected, none = coloured(Predictor(network, "cpu", "fp32"), batch_size=1)
    assert none == []
    for one, other in zip(results, expected, strict=True):
        assert np.abs(one.astype(int) - other).max() <= 1


@pytest.mark.parametrize("roomy_passes", [0, 3])
def test_frames_are_seen_smaller_once_and_for_all_and_stay_in_colour(network, roomy_passes):
    cramped = Cramped(network, "cpu", "fp32")
    cramped.room, cramped.roomy_passes = SMALLER, roomy_passes
    results, lines = coloured(cramped, batch_size=1)
    assert lines == ["out of memory with one frame; going on with a working size of 48"]
    whole, _ = coloured(Predictor(network, "cpu", "fp32"), batch_size=1)
    for one, other in zip(results, whole, strict=True):
        assert chroma(one) > 0.5 * chroma(other) > 10
        # the same lightness, and colours that are where they were
        assert np.abs(Photo(one).lightness() - Photo(other).lightness()).max() < 1.0
        assert np.corrcoef(one[..., 0].ravel(), other[..., 0].ravel())[0, 1] > 0.9


def test_the_cpu_is_the_last_resort(network, as_gpu):
    results, lines = coloured(as_gpu(Cramped)(network), batch_size=4)
    told = ["with 2", "with 1", "working size of 48", "working size of 32", "on meta with one frame"]
    assert len(lines) == len(told) and all(word in line for word, line in zip(told, lines, strict=True))
    expected, _ = coloured(Predictor(network, "cpu"), batch_size=1)
    for one, other in zip(results, expected, strict=True):
        assert np.abs(one.astype(int) - other).max() <= 1


def test_no_memory_at_all_is_one_line(network):
    with pytest.raises(UserError, match="not enough memory for the network") as error:
        coloured(Cramped(network, "cpu", "fp32"))
    assert "\n" not in str(error.value)


def test_what_is_no_lack_of_memory_is_not_taken_for_one(network, monkeypatch):
    cramped = Cramped(network, "cpu", "fp32")
    cramped.room = 10**9
    monkeypatch.setattr(cramped, "_pass", lambda *_: (_ for _ in ()).throw(RuntimeError("a bug")))
    with pytest.raises(RuntimeError, match="a bug"):
        coloured(cramped)


def test_full_size_colours_are_made_on_the_cpu_where_the_accelerator_has_no_room(network, monkeypatch):
    class Crowded(Rendering):
        def __init__(self, *planes, device, **more):
            if torch.device(device).type != "cpu":
                raise torch.OutOfMemoryError("CUDA out of memory.")
            super().__init__(*planes, device=device, **more)

    expected, _ = coloured(Predictor(network, "cpu", "fp32"))
    monkeypatch.setattr(video_pipeline, "Rendering", Crowded)
    predictor = Predictor(network, "cpu", "fp32")
    predictor.render_device = torch.device("meta")
    results, lines = coloured(predictor)
    assert set(lines) == {"out of memory on meta for a frame's full size; made on the CPU"}
    assert all(np.array_equal(*pair) for pair in zip(results, expected, strict=True))
