"""A run that goes on enters the film near its place, and finds the frames that decoding all of it finds."""

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from films import av, pan, write_film

from gan_colorize.inference.video.frame import mark_of
from gan_colorize.inference.video.video_file import VideoFile

COUNT = 150


def long_film(path, codec, pix_fmt="yuv420p", key_frames=25):
    random = np.random.default_rng(0)
    pictures = [
        np.clip(one + random.normal(0, 5, one.shape), 0, 255).astype(np.uint8)
        for seed in range(3)
        for one in pan(seed, COUNT // 3, step=(1, 1), height=64, width=96, room=60)
    ]
    options = {"gop_size": key_frames} | ({} if codec == "ffv1" else {"max_b_frames": 2})
    return write_film(path, pictures, codec=codec, pix_fmt=pix_fmt, **options)


def all_of(film, *place):
    return [(f.index, f.pts, f.duration, mark_of(f.read())) for f in film.frames(*place)]


def entered_at(path):
    """A film that notes how many frames of it are decoded."""
    film = VideoFile(path)
    film.decoded, decoded = 0, film._decoded

    def counted(*start):
        for frame in decoded(*start):
            film.decoded += 1
            yield frame

    film._decoded = counted
    return film


@pytest.mark.parametrize(
    ("name", "codec"),
    [("a.mp4", "libx264"), ("a.mkv", "libx264"), ("a.mpg", "mpeg2video"), ("a.mkv", "ffv1")],
)
def test_the_rest_of_a_film_is_what_it_is_of_the_whole(tmp_path, name, codec):
    path = long_film(tmp_path / name, codec)
    whole = all_of(VideoFile(path))
    assert len(whole) == COUNT
    for first in (90, 131, 149):
        film = entered_at(path)
        tail = [(pts, mark) for _, pts, _, mark in whole[first - 17 : first]]
        assert all_of(film, first, tail) == whole[first:]
        assert film.problems == []
        # two seconds and a group of pictures before it, at most
        assert film.decoded <= COUNT - first + 17 + 48 + 26


@pytest.mark.parametrize("wrong", ["mark", "pts", "nothing known"])
def test_where_the_place_is_not_found_all_is_decoded(tmp_path, wrong):
    path = long_film(tmp_path / "a.mp4", "libx264")
    whole = all_of(VideoFile(path))
    tail = [(pts, mark) for _, pts, _, mark in whole[113:130]]
    if wrong == "mark":
        tail[-1] = (tail[-1][0], tail[-1][1] ^ 1)
    elif wrong == "pts":
        tail[5] = (tail[5][0] + 1, tail[5][1])
    else:
        tail = []
    film = entered_at(path)
    assert all_of(film, 130, tail) == whole[130:]
    assert film.decoded >= COUNT


def test_frames_that_refer_to_what_was_left_out_are_not_taken(tmp_path):
    """Without key frames but the first: entering means decoding from there, and no other frames."""
    path = long_film(tmp_path / "a.mkv", "libx264", key_frames=1000)
    whole = all_of(VideoFile(path))
    tail = [(pts, mark) for _, pts, _, mark in whole[123:140]]
    assert all_of(VideoFile(path), 140, tail) == whole[140:]


def test_times_go_on_rising_behind_the_place(tmp_path):
    times = [7 * index + (index % 3) for index in range(90)]
    path = write_film(tmp_path / "a.mkv", pan(1, 90, step=(0, 0)), times, Fraction(1, 100))
    whole = all_of(VideoFile(path))
    tail = [(pts, mark) for _, pts, _, mark in whole[63:80]]
    found = all_of(VideoFile(path), 80, tail)
    assert found == whole[80:] and all(b[1] > a[1] for a, b in pairwise(found))


def test_interlaced_and_hdr_films_are_told_of_and_no_problem(tmp_path):
    options = {"color_trc": 16, "color_primaries": 9, "colorspace": 9}
    path = write_film(tmp_path / "hdr.mkv", pan(1, 3), codec="libx264", pix_fmt="yuv420p10le", **options)
    film = VideoFile(path)
    assert len(list(film.frames())) == 3 and film.problems == []
    assert len(film.notes) == 1 and "PQ (HDR)" in film.notes[0]

    path = tmp_path / "interlaced.mpg"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg2video", rate=25)
        stream.width, stream.height, stream.pix_fmt = 128, 96, "yuv420p"
        flags = av.codec.context.Flags
        stream.codec_context.flags |= int(flags.interlaced_dct | flags.interlaced_me)
        for one in pan(1, 4):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(one, "gray").reformat(format="yuv420p")))
        container.mux(stream.encode())
    film = VideoFile(path)
    assert len(list(film.frames())) == 4 and film.problems == []
    assert len(film.notes) == 1 and "is interlaced" in film.notes[0]
