"""Reading films: times, depth, range, turns, damage, against what was written with PyAV."""

from fractions import Fraction

import numpy as np
import pytest
from films import av, pan, picture, write_film

from gan_colorize.errors import UserError
from gan_colorize.inference.video.source import FrameFolder, natural, open_source
from gan_colorize.inference.video.video_file import VideoFile

RATE = Fraction(24)


def test_every_frame_has_its_own_time(tmp_path):
    times = [0, 40, 41, 300, 10_001]
    path = write_film(
        tmp_path / "a.mov", pan(1, 5), times, Fraction(1, 1200), codec="libx264", pix_fmt="yuv444p"
    )
    film = VideoFile(path)
    frames = list(film.frames())
    assert [frame.pts * film.facts.time_base for frame in frames] == [Fraction(at, 1200) for at in times]
    assert [frame.index for frame in frames] == list(range(5))
    assert film.facts.frames == 5 and film.facts.size == (128, 96) and film.problems == []


@pytest.mark.parametrize("full", [False, True])
def test_grey_levels_are_those_of_the_film_in_either_range(tmp_path, full):
    grey = picture(1)[:96, :128]
    more = {"color_range": 2 if full else 1}
    path = write_film(tmp_path / "a.mkv", [grey], codec="ffv1", pix_fmt="yuv444p", **more)
    photo = next(VideoFile(path).frames()).read()
    # of 256 levels 220 are left in the narrow range
    assert np.abs(photo.pixels.astype(int) - grey[..., None]).max() <= (0 if full else 1)


def test_ten_bits_are_read_as_such(tmp_path):
    levels = np.linspace(64, 940, 256).astype(np.uint16).reshape(1, 256).repeat(16, 0)
    with av.open(str(tmp_path / "a.mkv"), "w") as container:
        stream = container.add_stream("ffv1", rate=24)
        stream.width, stream.height, stream.pix_fmt = 256, 16, "yuv420p10le"
        frame = av.VideoFrame(256, 16, "yuv420p10le")
        for plane, values in zip(frame.planes, (levels, 512, 512), strict=True):
            filled = np.broadcast_to(np.uint16(values), (plane.height, plane.width))
            rows = np.zeros((plane.height, plane.line_size // 2), np.uint16)
            rows[:, : plane.width] = filled
            plane.update(rows.tobytes())
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    film = VideoFile(tmp_path / "a.mkv")
    photo = next(film.frames()).read()
    assert film.facts.bits == photo.bits == 10 and photo.pixels.dtype == np.uint16
    expected = (levels - 64.0) / 876 * 65535
    assert np.abs(photo.pixels - expected[..., None]).max() < 65535 / 876 / 2


@pytest.mark.parametrize("degrees", [90, 180, -90])
def test_turned_films_are_read_upright(tmp_path, degrees):
    grey, path = picture(1)[:96, :128], tmp_path / "a.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=24, options={"crf": "0"})
        stream.width, stream.height, stream.pix_fmt = 128, 96, "yuv444p"
        stream.set_display_rotation(degrees)
        container.mux(stream.encode(av.VideoFrame.from_ndarray(grey, "gray").reformat(format="yuv444p")))
        container.mux(stream.encode())
    film = VideoFile(path)
    photo = next(film.frames()).read()
    # a positive angle of FFmpeg's display matrix turns counterclockwise
    expected = np.rot90(grey, degrees // 90)
    assert photo.pixels.shape[:2] == expected.shape and film.facts.size == expected.shape[::-1]
    assert np.abs(photo.pixels[..., 0].astype(int) - expected).max() <= 2


def test_a_damaged_middle_is_told_and_the_rest_is_read(tmp_path):
    path = write_film(tmp_path / "a.mkv", pan(1, 12), codec="mpeg4", pix_fmt="yuv420p")
    with av.open(str(path)) as container:
        sixth = [bytes(packet) for packet in container.demux(video=0) if packet.size][6]
    content = bytearray(path.read_bytes())
    at = content.find(sixth)
    assert at > 0
    content[at : at + len(sixth)] = bytes(len(sixth))
    path.write_bytes(content)
    film = VideoFile(path)
    frames = list(film.frames())
    assert len(film.problems) == 1 and "a.mkv" in film.problems[0] and "cannot be decoded" in film.problems[0]
    assert len(frames) == 11


@pytest.mark.parametrize("content", [b"", b"no film\n" * 100, b"\x00\x00\x00\x18ftypisom" + bytes(64)])
def test_what_is_no_film_is_one_line(tmp_path, content):
    path = tmp_path / "a.mp4"
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"a\.mp4") as error:
        list(VideoFile(path).frames())
    assert "\n" not in str(error.value)


def test_a_list_that_leads_to_other_files_is_no_film(tmp_path):
    write_film(tmp_path / "other.mkv", pan(1, 2))
    path = tmp_path / "a.m3u8"
    path.write_text("#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nother.mkv\n#EXT-X-ENDLIST\n")
    with pytest.raises(UserError, match=r"a\.m3u8"):
        VideoFile(path)


def test_sound_alone_is_no_film(tmp_path):
    path = tmp_path / "a.wav"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000)
        stream.layout = "mono"
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 500), np.int16), "s16", "mono")
        frame.sample_rate = 8000
        container.mux(stream.encode(frame))
    with pytest.raises(UserError, match="no moving pictures"):
        VideoFile(path)


def test_frames_of_a_folder_come_as_people_number_them(tmp_path):
    from PIL import Image

    for name in ("f10.png", "f9.png", "f1.png", ".hidden.png", "notes.txt"):
        Image.new("L", (20, 10)).save(tmp_path / name, "PNG")
    film = open_source(tmp_path, RATE)
    assert isinstance(film, FrameFolder)
    assert [frame.path.name for frame in film.frames()] == ["f1.png", "f9.png", "f10.png"]
    assert film.facts.size == (20, 10) and film.facts.frames == 3
    before = film.identity()
    Image.new("L", (20, 11)).save(tmp_path / "f9.png")
    assert open_source(tmp_path, RATE).identity() != before


def test_natural_order():
    names = ["a10b", "a9b", "A1", "b", "10", "9"]
    assert sorted(names, key=natural) == ["9", "10", "A1", "a9b", "a10b", "b"]


def test_an_empty_or_absent_folder_is_one_line(tmp_path):
    with pytest.raises(UserError, match="no images"):
        open_source(tmp_path, RATE)
    with pytest.raises(UserError, match="no such file"):
        open_source(tmp_path / "absent", RATE)


def test_luma_of_primaries_is_that_of_the_standard():
    from gan_colorize.inference.video.luma import from_rgb16, to_rgb16

    # BT.709's own examples of the narrow range, 8 bits: white, black, red, green, blue
    rgb = np.array([[[1, 1, 1], [0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]]], np.uint16) * 65535
    expected = [[235, 128, 128], [16, 128, 128], [63, 102, 240], [173, 42, 26], [32, 240, 118]]
    assert np.abs(from_rgb16(rgb, 1, False)[0] / 256 - expected).max() <= 0.5
    random = np.random.default_rng(0).integers(0, 65536, (8, 9, 3)).astype(np.uint16)
    for matrix in (1, 5, 6, 7, 9):
        for full in (False, True):
            back = to_rgb16(from_rgb16(random, matrix, full), matrix, full)
            assert np.abs(back.astype(int) - random).max() <= 4
