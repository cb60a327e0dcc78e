"""``gan-colorize video``: whole films and folders of frames through the command."""

import json
import os
import signal
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from films import av, decoded, packets, pan, picture, write_film
from PIL import Image

from gan_colorize.color.fast import LIGHTNESS_OF_GREY8
from gan_colorize.data.image_io import Photo


def report(path):
    return json.loads(Path(path).read_text(encoding="utf-8"))


def test_lightness_times_sound_and_words_are_those_of_the_original(video, work):
    frames = pan(1, 7) + pan(2, 5)
    times = [0, 40, 41, 90, 130, 500, 501, 540, 2000, 2040, 2080, 2133]
    write_film("a.mkv", frames, times, Fraction(1, 1000), audio=6)
    result = video("a.mkv", "--output", "out/b.mkv", "--codec", "ffv1", "--measure")
    assert result.exit_code == 0, result.output
    assert "12 frames coloured, 1 cuts, 0 problems" in result.stdout
    found = decoded("out/b.mkv")
    assert [at for at, _ in found] == [at for at, _ in decoded("a.mkv")] == [Fraction(t, 1000) for t in times]
    for (_, rgb), grey in zip(found, frames, strict=True):
        # one 8-bit level is 0.45 L at most
        assert np.abs(Photo(rgb).lightness() - LIGHTNESS_OF_GREY8[grey]).max() < 0.45
        assert np.ptp(rgb.astype(int), axis=2).mean() > 20  # and there is colour
    assert packets("out/b.mkv", "audio") == packets("a.mkv", "audio")
    with av.open("out/b.mkv") as container:
        assert container.metadata["title"] == "A film"
        words = {key.lower(): value for key, value in container.metadata.items()}["comment"]
        assert "AI-colorized with gan_colorize" in words and "TrainedAlgorithmicMedia" in words
        assert container.streams.audio[0].language == "deu"
    told = report("out/b.mkv.video-report.json")
    assert (
        told["cuts"] == [{"frame": 7, "seconds": 0.54}] and told["frames"] == 12 and not told["interrupted"]
    )
    assert told["flicker"]["pairs"] == 10
    assert told["flicker"]["flicker"] < told["flicker"]["flicker_frame_by_frame"]
    assert not Path("out/b.mkv.parts").exists()


def test_the_default_is_h264_of_the_same_container_with_its_tags(video, work):
    more = {"sample_aspect_ratio": Fraction(4, 3), "colorspace": 1, "color_primaries": 1, "color_trc": 1}
    write_film("a.mov", pan(1, 5), codec="libx264", pix_fmt="yuv420p", **more)
    assert video("a.mov", "--output", "out").exit_code == 0
    with av.open("out/a.mov") as container:
        stream = container.streams.video[0]
        context = stream.codec_context
        assert (context.name, context.format.name, context.width, context.height) == (
            "h264",
            "yuv420p",
            128,
            96,
        )
        assert (context.colorspace, context.color_primaries, context.color_trc) == (1, 1, 1)
        assert context.color_range == 1 and stream.sample_aspect_ratio == Fraction(4, 3)
    original = [rgb for _, rgb in decoded("a.mov")]
    for (_, rgb), before in zip(decoded("out/a.mov"), original, strict=True):
        # 4:2:0 shares colours among four pixels, and so some of their lightness
        assert np.abs(Photo(rgb).lightness() - Photo(before).lightness()).mean() < 2.0
    assert [at for at, _ in decoded("out/a.mov")] == [at for at, _ in decoded("a.mov")]


def test_every_frame_by_itself_is_what_colorize_makes(video, run, weights, work):
    frames = pan(3, 3)
    Path("in").mkdir()
    for index, frame in enumerate(frames):
        Image.fromarray(frame).save(f"in/f{index}.png")
    assert video("in", "--output", "out", "--smooth", "0").exit_code == 0
    more = ("--model", weights, "--device", "cpu", "--precision", "fp32")
    assert run("colorize", "in", "--output", "single", *more).exit_code == 0
    for index in range(3):
        one, other = (np.asarray(Image.open(f"{folder}/f{index}.png")) for folder in ("out", "single"))
        assert np.abs(one.astype(int) - other).max() <= 1


def test_a_frame_that_cannot_be_read_is_named_and_the_others_are_coloured(video, work):
    Path("in").mkdir()
    for index, frame in enumerate(pan(3, 4)):
        Image.fromarray(frame).save(f"in/f{index}.png")
    Path("in/f2.png").write_bytes(b"nothing")
    result = video("in", "--output", "out")
    assert result.exit_code == 1 and "f2.png" in result.stderr
    assert sorted(path.name for path in Path("out").glob("*.png")) == ["f0.png", "f1.png", "f3.png"]
    assert len(report("out/video-report.json")["problems"]) == 1
    assert not Path("out/.parts").exists()


def test_frames_become_a_film_and_a_film_becomes_frames(video, work):
    Path("in").mkdir()
    for index, frame in enumerate(pan(3, 4)):
        Image.fromarray(frame).save(f"in/f{index}.png")
    assert video("in", "--output", "film.mkv", "--fps", "18", "--codec", "ffv1").exit_code == 0
    found = decoded("film.mkv")
    assert [round(float(at) * 18, 1) for at, _ in found] == [0, 1, 2, 3]
    assert video("in", "--output", "frames").exit_code == 0
    for index, (_, rgb) in enumerate(found):
        assert np.array_equal(rgb, np.asarray(Image.open(f"frames/f{index}.png")))
    assert video("film.mkv", "--output", "again", "--format", "png").exit_code == 0
    assert len(list(Path("again").glob("*.png"))) == 4


def test_smoothing_calms_a_noisy_still_picture(video, work):
    random = np.random.default_rng(0)
    still = picture(4)[:96, :128]
    frames = [np.clip(still + random.normal(0, 6, still.shape), 0, 255).astype(np.uint8) for _ in range(10)]
    write_film("a.mkv", frames)
    assert video("a.mkv", "--output", "b.mkv", "--measure").exit_code == 0
    told = report("b.mkv.video-report.json")
    assert told["flicker"]["flicker"] < 0.5 * told["flicker"]["flicker_frame_by_frame"]
    assert told["cuts"] == []


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL")
def test_a_killed_run_goes_on_to_the_same_film(video, weights, work):
    write_film("a.mkv", pan(1, 9, step=(1, 1)) + pan(2, 12, step=(1, 2)), audio=20)
    common = ["--model", str(weights), "--device", "cpu", "--precision", "fp32", "--segment", "4"]
    assert video("a.mkv", "--output", "whole.mkv", "--segment", "4").exit_code == 0
    # slowed down by the script, so that it is killed between two pieces and the end
    script = (
        "import time, sys\n"
        "from gan_colorize.inference.video import run\n"
        "write = run.Film._write\n"
        "run.Film._write = lambda self, frame: (write(self, frame), time.sleep(0.15 * (frame.index > 9)))\n"
        "from gan_colorize.cli.main import main\n"
        "main(sys.argv[1:])\n"
    )
    command = [sys.executable, "-c", script, "video", "a.mkv", "--output", "b.mkv", *common]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    state, limit = Path("b.mkv.parts/state.jsonl"), time.monotonic() + 60
    while time.monotonic() < limit and not (state.is_file() and state.read_bytes().count(b"\n") >= 3):
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    kept = state.read_bytes().count(b"\n") - 1
    assert kept >= 2 and not Path("b.mkv").exists()
    pieces = {path.name: path.stat().st_mtime_ns for path in Path("b.mkv.parts").glob("*.nut")}

    refused = video("a.mkv", "--output", "b.mkv", "--segment", "4")
    assert refused.exit_code == 1 and "--resume" in refused.stderr
    changed = video("a.mkv", "--output", "b.mkv", "--segment", "4", "--resume", "--smooth", "0.3")
    assert changed.exit_code == 1 and "smooth 0.8 (now 0.3)" in changed.stderr
    after = {path.name: path.stat().st_mtime_ns for path in Path("b.mkv.parts").glob("*.nut")}
    assert after.items() <= pieces.items()

    assert video("a.mkv", "--output", "b.mkv", "--segment", "4", "--resume").exit_code == 0
    for (at, one), (other_at, other) in zip(decoded("b.mkv"), decoded("whole.mkv"), strict=True):
        assert at == other_at and np.array_equal(one, other)
    assert packets("b.mkv", "audio") == packets("a.mkv", "audio")
    told = [report(f"{name}.mkv.video-report.json") for name in ("b", "whole")]
    assert told[0]["cuts"] == told[1]["cuts"] == [{"frame": 9, "seconds": 0.375}]
    done = video("a.mkv", "--output", "b.mkv", "--segment", "4", "--resume")
    assert done.exit_code == 0 and "nothing to resume" in done.stdout
    assert sorted(path.name for path in Path().iterdir()) == [
        "a.mkv",
        "b.mkv",
        "b.mkv.video-report.json",
        "whole.mkv",
        "whole.mkv.video-report.json",
    ]


def test_what_cannot_be_is_refused_in_one_line(video, work):
    write_film("a.mkv", pan(1, 2))
    Path("there.mkv").write_bytes(b"x")
    for arguments, word in (
        (["a.mkv", "--output", "a.mkv"], "is the input"),
        (["a.mkv", "--output", "there.mkv"], "--overwrite"),
        (["a.mkv", "--output", "b.mp4", "--codec", "ffv1"], "needs .mkv"),
        (["absent.mkv", "--output", "b.mp4"], "no such file"),
        (["a.mkv", "--output", "b.mp4", "--fps", "0"], "--fps"),
        (["there.mkv", "--output", "b.mp4"], "there.mkv"),
    ):
        result = video(*arguments)
        assert result.exit_code == 1 and word in result.stderr and result.stderr.count("\n") == 1
    assert Path("there.mkv").read_bytes() == b"x"
    assert sorted(path.name for path in Path().iterdir()) == ["a.mkv", "there.mkv"]


def test_without_the_extra_a_line_says_what_to_install(video, work, monkeypatch):
    write_film("a.mkv", pan(1, 2))
    monkeypatch.setitem(sys.modules, "av", None)
    result = video("a.mkv", "--output", "b.mp4")
    assert result.exit_code == 1 and "gan_colorize[video]" in result.stderr
    Path("in").mkdir()
    Image.fromarray(picture(1)).save("in/a.png")
    monkeypatch.setitem(sys.modules, "cv2", None)
    result = video("in", "--output", "out")
    assert result.exit_code == 1 and "--smooth 0" in result.stderr
    assert video("in", "--output", "out", "--smooth", "0").exit_code == 0


def test_ten_bits_stay_ten_bits(video, work):
    ramp = np.linspace(64, 940, 128).astype(np.uint16)
    with av.open("a.mkv", "w") as container:
        stream = container.add_stream("ffv1", rate=24)
        stream.width, stream.height, stream.pix_fmt = 128, 96, "yuv420p10le"
        frame = av.VideoFrame(128, 96, "yuv420p10le")
        for plane, values in zip(frame.planes, (ramp, 512, 512), strict=True):
            rows = np.zeros((plane.height, plane.line_size // 2), np.uint16)
            rows[:, : plane.width] = values
            plane.update(rows.tobytes())
        for index in range(3):
            frame.pts = index
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    assert video("a.mkv", "--output", "b.mkv", "--saturation", "0", "--crf", "0").exit_code == 0
    with av.open("b.mkv") as container:
        assert container.streams.video[0].codec_context.format.name == "yuv420p10le"
        for frame in container.decode(video=0):
            rows = np.frombuffer(frame.planes[0], np.uint16).reshape(96, -1)[:, :128]
            # without colour it is the original: to one level of ten bits, for the way goes through L
            assert np.abs(rows.astype(int) - ramp).max() <= 1


def test_frames_of_an_interrupted_run_are_gone_on_with(video, work, monkeypatch):
    from gan_colorize.errors import UserError
    from gan_colorize.inference.video.run import Film

    Path("in").mkdir()
    for index, frame in enumerate(pan(1, 5) + pan(2, 6)):
        Image.fromarray(frame).save(f"in/f{index}.png")
    assert video("in", "--output", "whole", "--segment", "3").exit_code == 0

    write = Film._write

    def until_the_eighth(self, frame):
        if frame.index == 7:
            raise UserError("the disk is full")
        write(self, frame)

    with monkeypatch.context() as patch:
        patch.setattr(Film, "_write", until_the_eighth)
        result = video("in", "--output", "out", "--segment", "3")
    assert result.exit_code == 1 and "the disk is full" in result.stderr
    Path("out/.part-video-abc.png").write_bytes(b"of a run that was killed")
    kept = {index: Path(f"out/f{index}.png").stat().st_mtime_ns for index in range(6)}
    assert video("in", "--output", "out", "--segment", "3", "--resume").exit_code == 0
    assert {index: Path(f"out/f{index}.png").stat().st_mtime_ns for index in range(6)} == kept
    for index in range(11):
        name = f"f{index}.png"
        assert np.array_equal(*(np.asarray(Image.open(Path(folder, name))) for folder in ("out", "whole")))
    assert {path.name for path in Path("out").iterdir()} == {path.name for path in Path("whole").iterdir()}
    # and what is there already is not replaced unasked
    Path("out/video-report.json").unlink()
    assert video("in", "--output", "out").exit_code == 1
