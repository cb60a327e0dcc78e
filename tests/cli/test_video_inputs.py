"""``gan-colorize video``: odd films, frames of sixteen bits, and runs that end at odd moments."""

import json
import shutil
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import tifffile
from films import av, decoded, packets, pan, picture, write_film
from PIL import Image
from skimage.color import rgb2lab

from gan_colorize.cli import video as video_command
from gan_colorize.errors import UserError


@pytest.fixture
def sixteen():
    """A folder of three 16-bit frames, of which two are TIFF; their levels."""
    Path("in").mkdir()
    fine = np.random.default_rng(0).integers(0, 257, (96, 128)).astype(np.uint16)
    levels = [one.astype(np.uint16) * 255 + fine for one in pan(3, 3)]
    for index, name in enumerate(("f0.tif", "f1.png", "f2.tif")):
        if name.endswith(".png"):
            Image.fromarray(levels[index]).save(f"in/{name}")
        else:
            about = {"software": "A scanner", "resolution": (300, 300), "metadata": None}
            tifffile.imwrite(f"in/{name}", levels[index], photometric="minisblack", **about)
    return levels


def report(path):
    return json.loads(Path(path).read_text(encoding="utf-8"))


def lightness_of(rgb):
    return rgb2lab(rgb / np.iinfo(rgb.dtype).max)[..., 0]


def test_frames_of_16_bits_stay_so_and_keep_what_they_say(video, work, sixteen):
    result = video("in", "--output", "out")
    assert result.exit_code == 0 and result.stderr == ""
    for index in (0, 2):
        with tifffile.TiffFile(f"out/f{index}.tif") as tiff:
            tags, out = tiff.pages[0].tags, tiff.pages[0].asarray()
            assert tags["Software"].value == "A scanner" and tags["XResolution"].value == (300, 1)
            assert b"rainedAlgorithmicMedia" in tags["XMP"].value
        expected = lightness_of(np.repeat(sixteen[index][..., None], 3, 2))
        assert out.dtype == np.uint16 and np.abs(lightness_of(out) - expected).max() < 0.0012
        assert np.ptp(out.astype(int), axis=2).max() > 2000
    # bit depth and colour type of the header (PNG, section 11.2.1)
    assert tuple(Path("out/f1.png").read_bytes()[24:26]) == (16, 2)


def test_frames_of_16_bits_where_there_is_less_room(video, work, sixteen):
    result = video("in", "--output", "out", "--format", "jpg")
    assert result.exit_code == 0 and result.stderr.count("8 bits a channel") == 1
    assert len(list(Path("out").glob("*.jpg"))) == 3
    assert len(report("out/video-report.json")["warnings"]) == 1
    assert video("in", "--output", "b.mkv", "--codec", "ffv1").exit_code == 0
    with av.open("b.mkv") as container:
        first = next(container.decode(video=0))
        assert first.format.name == "gbrp16le"
        found = lightness_of(first.to_ndarray(format="rgb48le"))
    assert np.abs(found - lightness_of(np.repeat(sixteen[0][..., None], 3, 2))).max() < 0.002


def test_an_odd_number_of_pixels_and_no_sound(video, work):
    write_film("a.mkv", pan(1, 3, height=63, width=97))
    assert video("a.mkv", "--output", "b.mp4").exit_code == 0
    with av.open("b.mp4") as container:
        context = container.streams.video[0].codec_context
        assert (context.width, context.height, context.format.name) == (97, 63, "yuv444p")
    assert [at for at, _ in decoded("b.mp4")] == [at for at, _ in decoded("a.mkv")]


def test_one_frame_is_a_film(video, work):
    write_film("a.mkv", pan(1, 1), audio=2)
    assert video("a.mkv", "--output", "missing/folder/b.mkv").exit_code == 0
    assert len(decoded("missing/folder/b.mkv")) == 1
    assert packets("missing/folder/b.mkv", "audio") == packets("a.mkv", "audio")


def test_frames_of_several_sizes_are_a_folder_and_no_film(video, work):
    Path("in").mkdir()
    for index, height in enumerate((96, 96, 80)):
        Image.fromarray(picture(1)[:height, :128]).save(f"in/f{index}.png")
    assert video("in", "--output", "out").exit_code == 0
    assert [Image.open(f"out/f{index}.png").size for index in range(3)] == [(128, 96), (128, 96), (128, 80)]
    result = video("in", "--output", "b.mp4")
    assert result.exit_code == 1 and "f2.png: has 128x80 pixels, and the film 128x96" in result.stderr
    # nothing was kept that could be gone on with, so nothing is in the way of the next run
    assert not Path("b.mp4.parts").exists() and not Path("b.mp4").exists()


def test_a_film_of_another_kind_is_no_folder(video, work):
    write_film("a.mkv", pan(1, 2))
    result = video("a.mkv", "--output", "b.avi")
    assert result.exit_code == 1 and ".mp4 .m4v .mov .mkv" in result.stderr
    assert not Path("b.avi").exists()


def test_two_films_that_differ_in_their_container_have_a_report_each(video, work):
    write_film("a.mkv", pan(1, 2))
    for name in ("b.mkv", "b.mp4"):
        assert video("a.mkv", "--output", name).exit_code == 0
        assert report(f"{name}.video-report.json")["output"] == name


def test_what_is_hdr_is_said_and_no_failure(video, work):
    options = {"color_trc": 18, "color_primaries": 9, "colorspace": 9}
    write_film("a.mkv", pan(1, 3), codec="libx264", pix_fmt="yuv420p10le", **options)
    result = video("a.mkv", "--output", "b.mkv")
    assert result.exit_code == 0 and result.stderr.count("\n") == 1
    assert "Warning: a.mkv: its brightness is HLG (HDR)" in result.stderr
    assert len(report("b.mkv.video-report.json")["warnings"]) == 1
    with av.open("b.mkv") as container:
        context = container.streams.video[0].codec_context
        assert (context.color_trc, context.color_primaries, context.colorspace) == (18, 9, 9)


def test_subtitles_that_the_container_cannot_hold_are_named(video, work):
    write_film("a.mkv", pan(1, 3), audio=2)
    Path("a.srt").write_text("1\n00:00:00,010 --> 00:00:00,100\nHello\n")
    with av.open("a.mkv") as film, av.open("a.srt") as text, av.open("subtitled.mkv", "w") as container:
        copies = [[container.add_stream_from_template(one) for one in file.streams] for file in (film, text)]
        for file, streams in zip((film, text), copies, strict=True):
            for packet in file.demux():
                if packet.dts is not None:
                    packet.stream = streams[packet.stream.index]
                    container.mux(packet)
    result = video("subtitled.mkv", "--output", "b.mp4")
    assert result.exit_code == 1 and result.stderr.count("(subtitle) is left out") == 1
    assert len(report("b.mp4.video-report.json")["problems"]) == 1
    assert len(decoded("b.mp4")) == 3


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_the_last_frame_is_shown_as_long_as_it_was(video, work, suffix):
    path, times = f"a{suffix}", [0, 1, 2, 20]
    with av.open(path, "w") as container:
        stream = container.add_stream("libx264", rate=10, options={"bf": "0"})
        stream.width, stream.height, stream.pix_fmt = 128, 96, "yuv420p"
        stream.codec_context.time_base = Fraction(1, 10)
        made = []
        for one, at in zip(pan(1, 4), times, strict=True):
            frame = av.VideoFrame.from_ndarray(one, "gray").reformat(format="yuv420p")
            frame.pts, frame.time_base = at, Fraction(1, 10)
            made += stream.encode(frame)
        for packet in made + stream.encode():
            packet.duration = 50 if packet.pts == times[-1] else 1
            container.mux(packet)
    assert video(path, "--output", f"b{suffix}", "--segment", "2").exit_code == 0
    shown = []
    for name in (path, f"b{suffix}"):
        with av.open(name) as container:
            frames = list(container.decode(video=0))
            assert [frame.pts * frame.time_base * 10 for frame in frames] == times
            shown.append((frames[-1].duration * frames[-1].time_base, container.duration))
    assert shown[0] == shown[1] == (5, 7_000_000)


@pytest.mark.parametrize("suffix", [".mov", ".mp4", ".mkv"])
def test_a_timecode_goes_with_the_film(video, work, suffix):
    with av.open("a.mov", "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 128, 96, "yuv420p"
        stream.metadata["timecode"] = "10:20:30:04"
        for one in pan(1, 5):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(one, "gray").reformat(format="yuv420p")))
        container.mux(stream.encode())
    with av.open("a.mov") as container:
        assert [stream.type for stream in container.streams] == ["video", "data"]
    result = video("a.mov", "--output", f"b{suffix}")
    assert result.exit_code == 0 and result.stderr == ""
    assert [at for at, _ in decoded(f"b{suffix}")] == [at for at, _ in decoded("a.mov")]
    with av.open(f"b{suffix}") as container:
        pictures = container.streams.video[0]
        words = {key.lower(): value for key, value in pictures.metadata.items()}
        assert words["timecode"] == "10:20:30:04"
        assert pictures.average_rate == 25


def test_chapters_and_a_cover_go_with_the_film(video, work):
    write_film("plain.mp4", pan(1, 24), codec="libx264", pix_fmt="yuv420p")
    half = {"time_base": Fraction(1, 1000)}
    chapters = [
        {**half, "id": at, "start": at * 500, "end": at * 500 + 500, "metadata": {"title": f"Part {at}"}}
        for at in (0, 1)
    ]
    with av.open("plain.mp4") as plain, av.open("a.mp4", "w") as container:
        pictures = container.add_stream_from_template(plain.streams.video[0])
        cover = container.add_stream("mjpeg", rate=1)
        cover.width, cover.height, cover.pix_fmt = 64, 64, "yuvj420p"
        cover.disposition = av.stream.Disposition.attached_pic
        container.set_chapters(chapters)
        for packet in plain.demux(video=0):
            if packet.dts is not None:
                packet.stream = pictures
                container.mux(packet)
        red = av.VideoFrame.from_ndarray(np.full((64, 64, 3), (200, 0, 0), np.uint8), "rgb24")
        container.mux(cover.encode(red.reformat(format="yuvj420p")))
        container.mux(cover.encode())

    def beside(path):
        with av.open(path) as film:
            titles = [one["metadata"]["title"] for one in film.chapters()]
            covers = [s.index for s in film.streams if s.disposition & av.stream.Disposition.attached_pic]
            return titles, [bytes(p) for p in film.demux() if p.stream.index in covers and p.size]

    assert beside("a.mp4")[0] == ["Part 0", "Part 1"] and len(beside("a.mp4")[1]) == 1
    result = video("a.mp4", "--output", "b.mp4")
    assert result.exit_code == 0 and result.stderr == ""
    assert beside("b.mp4") == beside("a.mp4")
    result = video("a.mp4", "--output", "b.mov")
    assert result.exit_code == 1 and ".mov has no cover" in result.stderr


def test_a_film_that_was_cut_off_is_not_taken_for_whole(video, work):
    random = np.random.default_rng(0)
    write_film("whole.mkv", [random.integers(0, 256, (64, 96), np.uint8) for _ in range(48)])
    content = Path("whole.mkv").read_bytes()
    Path("a.mkv").write_bytes(content[: len(content) // 2])
    result = video("a.mkv", "--output", "b.mkv")
    assert result.exit_code == 1 and "a.mkv: ends early, at" in result.stderr and "of 2.00 s" in result.stderr
    assert 10 < len(decoded("b.mkv")) < 40


def test_a_run_that_ended_before_its_report_is_gone_on_with(video, work, monkeypatch):
    write_film("a.mkv", pan(1, 5))

    def full(*arguments):
        raise UserError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(video_command, "save_bytes", full)
        assert video("a.mkv", "--output", "b.mkv").exit_code == 1
    assert Path("b.mkv").exists() and not Path("b.mkv.video-report.json").exists()
    pieces = {path.name: path.stat().st_mtime_ns for path in Path("b.mkv.parts").glob("*.nut")}
    assert len(pieces) == 1
    shutil.copytree("b.mkv.parts", "kept")
    assert video("a.mkv", "--output", "b.mkv", "--resume").exit_code == 0
    assert len(decoded("b.mkv")) == 5 and not report("b.mkv.video-report.json")["interrupted"]
    assert not Path("b.mkv.parts").exists()
    # and one that ended while it tidied up
    shutil.move("kept", "b.mkv.parts")
    Path("b.mkv.parts/state.jsonl").unlink()
    done = video("a.mkv", "--output", "b.mkv", "--resume")
    assert done.exit_code == 0 and "nothing to resume" in done.stdout
    assert not Path("b.mkv.parts").exists()


def test_somebody_s_own_files_are_left_alone(video, work):
    write_film("a.mkv", pan(1, 3))
    Path("b.mkv.parts").mkdir()
    Path("b.mkv.parts/letter.txt").write_text("dear")
    assert video("a.mkv", "--output", "b.mkv").exit_code == 0
    assert [path.name for path in Path("b.mkv.parts").iterdir()] == ["letter.txt"]
    assert Path("b.mkv.parts/letter.txt").read_text() == "dear"
