"""Files as people have them: each is coloured correctly or refused in one line, and the others go on."""

import json
import pickle
import signal
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage.color import rgb2lab

from gan_colorize import files
from gan_colorize.zoo.checkpoint import load_model, save_model


def noise(height, width, channels=None):
    shape = (height, width) if channels is None else (height, width, channels)
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


def statuses(folder="out"):
    told = json.loads(Path(folder, "colorize-report.json").read_text(encoding="utf-8"))
    return {entry["input"]: entry["status"] for entry in told["files"]}


def text_called_jpg(path):
    path.write_text("Dear diary, today I took no photograph.")


def truncated(path):
    Image.fromarray(noise(80, 80)).save(path)
    path.write_bytes(path.read_bytes()[:900])


def empty(path):
    path.touch()


@pytest.mark.parametrize("spoil", [text_called_jpg, truncated, empty])
def test_a_broken_file_is_one_line_and_the_others_go_on(colorize, work, grey_files, spoil):
    grey_files("in/good.png", "in/zgood.png")
    spoil(Path("in/bad.jpg"))
    result = colorize("in", "--output", "out")
    assert result.exit_code == 1
    (line,) = result.stderr.splitlines()
    assert line.startswith(f"Error: {Path('in/bad.jpg')}: ")
    assert "2 coloured, 0 skipped, 1 failed" in result.stdout
    assert sorted(path.name for path in Path("out").iterdir()) == [
        "colorize-manifest.jsonl",
        "colorize-report.json",
        "good.png",
        "zgood.png",
    ]
    assert statuses()[str(Path("in/bad.jpg"))] == "failed"


def test_missing_path_and_empty_folder(colorize, work, grey_files):
    grey_files("a.png")
    Path("nothing").mkdir()
    result = colorize("absent.jpg", "nothing", "a.png", "--output", "out")
    assert result.exit_code == 1
    lines = result.stderr.splitlines()
    assert len(lines) == 2
    assert lines[0] == "Error: absent.jpg: no such file or folder"
    assert lines[1].startswith("Error: nothing: no images in this folder")
    assert Path("out/a.png").is_file()
    assert statuses() == {"a.png": "coloured", "absent.jpg": "failed", "nothing": "failed"}


def test_only_a_missing_path(colorize, work):
    result = colorize("absent.jpg", "--output", "out")
    assert result.exit_code == 1
    assert result.stderr.splitlines() == ["Error: absent.jpg: no such file or folder"]
    assert not Path("out").exists()


@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 300), (20, 4000), (4000, 20), (3, 2)])
def test_odd_sizes_are_coloured(colorize, work, height, width):
    picture = noise(height, width)
    Image.fromarray(picture).save("a.png")
    assert colorize("a.png", "--output", "out").exit_code == 0
    with Image.open("out/a.png") as image:
        after = np.asarray(image)
    assert after.shape == (height, width, 3)
    before = rgb2lab(np.repeat(picture[..., None], 3, axis=2))[..., 0]
    np.testing.assert_allclose(rgb2lab(after)[..., 0], before, atol=0.7)


def test_sixteen_bit_grey_tiff(colorize, work):
    wide = np.linspace(0, 65535, 60 * 80).astype(np.uint16).reshape(60, 80)
    Image.fromarray(wide).save("scan.tif")
    assert colorize("scan.tif", "--output", "out").exit_code == 0
    with Image.open("out/scan.tif") as image:
        after = np.asarray(image)
    before = rgb2lab(np.repeat(wide[..., None] / 65535.0, 3, axis=2))[..., 0]
    np.testing.assert_allclose(rgb2lab(after)[..., 0], before, atol=0.6)


def test_rgba_keeps_its_transparency(colorize, work):
    rgba = noise(40, 50, 4)
    rgba[..., :3] = rgba[..., :1]
    Image.fromarray(rgba).save("a.png")
    assert colorize("a.png", "--output", "out").exit_code == 0
    with Image.open("out/a.png") as image:
        assert image.mode == "RGBA"
        np.testing.assert_array_equal(np.asarray(image)[..., 3], rgba[..., 3])


def test_cmyk(colorize, work):
    ramp = np.tile(np.linspace(0, 255, 80).astype(np.uint8), (60, 1))
    Image.fromarray(np.stack([0 * ramp, 0 * ramp, 0 * ramp, 255 - ramp], -1), mode="CMYK").save(
        "a.jpg", quality=95
    )
    assert colorize("a.jpg", "--output", "out", "--format", "png").exit_code == 0
    with Image.open("out/a.png") as image:
        lightness = rgb2lab(np.asarray(image))[..., 0].mean(axis=0)
    assert lightness[0] < 5 < 90 < lightness[-1]
    assert (np.diff(lightness) > -1).all()


def test_animated_gif_gives_its_first_frame_and_says_so(colorize, work):
    frames = [Image.fromarray(np.full((40, 40), value, np.uint8)) for value in (60, 200)]
    frames[0].save("a.gif", save_all=True, append_images=frames[1:])
    result = colorize("a.gif", "--output", "out")
    assert result.exit_code == 0
    assert any("frames" in line for line in result.stderr.splitlines())
    with Image.open("out/a.png") as image:
        assert rgb2lab(np.asarray(image))[..., 0].mean() == pytest.approx(25.3, abs=0.7)  # sRGB 60


def spoilt_model(weights, how):
    path = Path("model.safetensors")
    content = weights.read_bytes()
    if how == "pickle":
        path.write_bytes(pickle.dumps({"weights": [1, 2, 3]}))
    elif how == "cut short":
        path.write_bytes(content[: len(content) // 2])
    elif how == "another set of ab bins":
        bins = load_model(weights).metadata["bins_hash"].encode()
        path.write_bytes(content.replace(bins, b"0" * 64))
    return path


@pytest.mark.parametrize("how", ["pickle", "cut short", "another set of ab bins", "not found"])
def test_models_that_are_none(run, work, grey_files, weights, how):
    grey_files("a.png")
    result = run("colorize", "a.png", "--output", "out", "--model", spoilt_model(weights, how))
    assert result.exit_code == 1
    (line,) = result.stderr.splitlines()
    assert line.startswith("Error: ")
    assert how in line
    assert not Path("out/a.png").exists()


def test_full_disk(colorize, work, monkeypatch):
    """Writes past 6 KB fail, as on a full disk: a line a file; older results and the small one are whole."""
    resource = pytest.importorskip("resource")
    Path("in").mkdir()
    for name in ("big1.png", "big2.png"):
        Image.fromarray(noise(90, 90)).save(Path("in", name))
    Image.fromarray(np.full((8, 8), 90, np.uint8)).save("in/small.png")
    Path("out").mkdir()
    Path("out/big1.png").write_text("older")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (6000, limits[1]))
    try:
        result = colorize("in", "--output", "out", "--overwrite")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert result.exit_code == 1
    lines = [line for line in result.stderr.splitlines() if line.startswith("Error")]
    assert len(lines) == 2
    assert all("cannot write" in line and "big" in line for line in lines)
    assert Path("out/big1.png").read_text() == "older"
    assert sorted(path.name for path in Path("out").iterdir()) == [
        "big1.png",
        "colorize-manifest.jsonl",
        "colorize-report.json",
        "small.png",
    ]
    assert sorted(statuses().values()) == ["coloured", "failed", "failed"]


def test_disk_so_full_that_not_even_the_report_fits(colorize, work, grey_files, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files, "_new_file", full)
    grey_files("in/a.png", "in/b.png")
    result = colorize("in", "--output", "out")
    assert result.exit_code == 1
    lines = result.stderr.splitlines()
    assert len(lines) == 2
    assert lines[0].endswith("No space left on device; stopped")
    assert lines[1].endswith("colorize-report.json: No space left on device")
    assert "0 coloured, 0 skipped, 1 failed, 1 not tried" in result.stdout


def test_interrupted_runs_keep_what_is_done(colorize, work, grey_files, monkeypatch):
    from gan_colorize.inference import batch

    original = batch.colour_files

    def interrupted(*arguments, **options):
        results = original(*arguments, **options)
        yield next(results)
        signal.raise_signal(signal.SIGINT)  # while the consumer is at work
        yield from results

    monkeypatch.setattr(batch, "colour_files", interrupted)
    grey_files(*(f"in/{index}.png" for index in range(6)))
    result = colorize("in", "--output", "out")
    assert result.exit_code == 130
    assert result.stderr.splitlines()[-1] == "interrupted"
    told = json.loads(Path("out/colorize-report.json").read_text())
    assert told["interrupted"] is True
    # whatever other threads were writing at that moment is told as well
    assert 1 <= told["counts"]["coloured"] == len(list(Path("out").glob("*.png"))) < 6
    assert not list(Path("out").rglob(".part-*"))
    assert result.stdout.splitlines()[-1].startswith(
        "to go on: gan-colorize colorize --resume in --output out"
    )
    # the same command goes on where it stopped
    monkeypatch.setattr(batch, "colour_files", original)
    result = colorize("in", "--output", "out", "--skip-existing")
    assert result.exit_code == 0
    told = json.loads(Path("out/colorize-report.json").read_text())
    assert told["counts"]["skipped"] >= 1
    assert [entry["status"] for entry in told["files"]] == ["coloured"] * 6
    assert len(list(Path("out").glob("*.png"))) == 6


def test_a_run_folder_is_a_model(run, work, grey_files, weights):
    grey_files("a.png")
    Path("run/best").mkdir(parents=True)
    save_model("run/best/model.safetensors", load_model(weights), {"images_seen": 77})
    assert run("colorize", "a.png", "--output", "out", "--model", "run", "--device", "cpu").exit_code == 0
    assert (
        json.loads(Path("out/colorize-report.json").read_text())["model"]["metadata"]["images_seen"] == "77"
    )
