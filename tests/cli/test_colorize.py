"""``gan-colorize colorize``: files, folders and globs in, photographs and a truthful report out."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage.color import lab2rgb, rgb2lab

import gan_colorize
from gan_colorize.inference.predictor import LARGEST_SEED


def pixels(path):
    with Image.open(path) as image:
        return np.asarray(image)


def report(folder="out"):
    return json.loads(Path(folder, "colorize-report.json").read_text(encoding="utf-8"))


def assert_same_lightness(before, after):
    """L of two pictures, as levels of an 8-bit grey, differs by at most one; by scikit-image."""
    greys = []
    for picture in (before, after):
        picture = picture if picture.ndim == 3 else np.repeat(picture[..., None], 3, axis=2)
        lightness = rgb2lab(picture)[..., 0]
        greys.append(lab2rgb(np.stack([lightness, 0 * lightness, 0 * lightness], -1))[..., 1] * 255)
    assert np.abs(greys[0] - greys[1]).max() <= 1.0


def test_folder_tree_and_report(colorize, work, grey_files, weights):
    grey_files("in/a.png", "in/deep/er/b.png", "in/deep/c.png")
    result = colorize("in", "--output", "out")
    assert result.exit_code == 0
    assert result.stderr == ""
    assert "3 coloured, 0 skipped, 0 failed" in result.stdout
    for name in ("a.png", "deep/er/b.png", "deep/c.png"):
        before, after = pixels(Path("in", name)), pixels(Path("out", name))
        assert after.shape == (50, 70, 3)
        assert np.ptp(after.astype(int), axis=2).max() > 20, "no colour"
        assert_same_lightness(before, after)
    told = report()
    assert told["counts"] == {"coloured": 3, "skipped": 0, "failed": 0, "not tried": 0}
    assert told["model"]["sha256"] == hashlib.sha256(weights.read_bytes()).hexdigest()
    assert told["model"]["metadata"]["images_seen"] == "3"
    assert told["interrupted"] is False
    assert told["settings"]["format"] is None
    assert [entry["input"] for entry in told["files"]] == sorted(
        str(Path("in", name)) for name in ("a.png", "deep/c.png", "deep/er/b.png")
    )
    for entry in told["files"]:
        assert entry["size"] == [70, 50]
        assert all(Path("out", output["path"]).is_file() for output in entry["outputs"])
        assert entry["seconds"] > 0


def test_colour_input_keeps_its_lightness_and_is_mentioned(colorize, work):
    colours = np.random.default_rng(0).integers(0, 256, (4, 4, 3), dtype=np.uint8)
    Image.fromarray(colours).resize((90, 60), Image.Resampling.BICUBIC).save("colour.png")
    result = colorize("colour.png", "--output", "out")
    assert result.exit_code == 0
    assert_same_lightness(pixels("colour.png"), pixels("out/colour.png"))
    assert result.stderr.strip() == "Warning: colour.png: the input already has colours; they were replaced"
    assert report()["files"][0]["warnings"] == ["the input already has colours; they were replaced"]


def test_one_file_to_one_file(colorize, work, grey_files):
    grey_files("a.png")
    assert colorize("a.png", "--output", "new/colour.webp").exit_code == 0
    with Image.open("new/colour.webp") as image:
        assert (image.format, image.size) == ("WEBP", (70, 50))
    assert sorted(path.name for path in Path("new").iterdir()) == [
        "colour.colorize-report.json",
        "colour.webp",
    ]


def test_quoted_glob(colorize, work, grey_files):
    grey_files("in/a.png", "in/deep/b.png", "in/deep/c.bmp")
    assert colorize("in/**/*.png", "--output", "out").exit_code == 0
    assert sorted(path.relative_to("out").as_posix() for path in Path("out").rglob("*.*")) == [
        "a.png",
        "colorize-manifest.jsonl",
        "colorize-report.json",
        "deep/b.png",
    ]


def test_format_and_quality(colorize, work, grey_files):
    grey_files("in/a.png", "in/a.bmp")
    sizes = []
    for quality in (95, 20):
        done = colorize("in", "--output", f"out{quality}", "--format", "jpg", "--quality", quality)
        assert done.exit_code == 0
        names = sorted(path.name for path in Path(f"out{quality}").glob("*.jpg"))
        assert names == ["a.bmp.jpg", "a.png.jpg"]
        # from the start of the scan: before it stands what the file says
        sizes.append(len(Path(f"out{quality}/a.bmp.jpg").read_bytes().rpartition(b"\xff\xda")[2]))
    assert sizes[0] > 1.5 * sizes[1]


def test_existing_results_are_not_touched_unless_told(colorize, work, grey_files):
    grey_files("in/a.png", "in/b.png")
    Path("out").mkdir()
    Path("out/a.png").write_text("mine")
    result = colorize("in", "--output", "out")
    assert result.exit_code == 1
    assert result.stderr.splitlines() == [
        "Error: in/a.png: out/a.png exists; add --overwrite or --skip-existing".replace("/", str(Path("/")))
    ]
    assert Path("out/a.png").read_text() == "mine"
    assert report()["counts"] == {"coloured": 1, "skipped": 0, "failed": 1, "not tried": 0}

    result = colorize("in", "--output", "out", "--skip-existing")
    assert result.exit_code == 0
    assert "0 coloured, 2 skipped, 0 failed" in result.stdout
    assert Path("out/a.png").read_text() == "mine"
    assert report()["counts"] == {"coloured": 0, "skipped": 2, "failed": 0, "not tried": 0}
    assert [entry["status"] for entry in report()["files"]] == ["skipped", "coloured"]  # mine is unknown

    assert colorize("in", "--output", "out", "--overwrite").exit_code == 0
    assert pixels("out/a.png").shape == (50, 70, 3)


def test_results_inside_the_input_folder_are_not_coloured_again(colorize, work, grey_files):
    grey_files("in/a.png")
    for _ in range(2):
        assert colorize("in", "--output", "in/colour", "--overwrite").exit_code == 0
    assert sorted(path.name for path in Path("in/colour").iterdir()) == [
        "a.png",
        "colorize-manifest.jsonl",
        "colorize-report.json",
    ]


def test_originals_survive_every_option(colorize, work, grey_files):
    grey_files("in/a.png")
    before = Path("in/a.png").read_bytes()
    for arguments in (
        ("in", "--output", "in", "--overwrite"),
        ("in/a.png", "--output", "in", "--overwrite"),
        ("in/a.png", "--output", "in/a.png", "--overwrite"),
        ("in/*.png", "--output", "in", "--skip-existing"),
    ):
        result = colorize(*arguments)
        assert result.exit_code == 1, arguments
        assert len(result.stderr.splitlines()) == 1
        assert Path("in/a.png").read_bytes() == before


def test_samples_differ_repeat_and_follow_the_seed(colorize, work, grey_files):
    grey_files("a.png")
    for folder, seed in (("one", 4), ("again", 4), ("next", 5)):
        assert colorize("a.png", "--output", folder, "--samples", 2, "--seed", seed).exit_code == 0
    one, two = (pixels(f"one/a.sample{index}.png").astype(int) for index in (1, 2))
    assert np.abs(one - two).max() > 10
    np.testing.assert_array_equal(one, pixels("again/a.sample1.png"))
    np.testing.assert_array_equal(two, pixels("next/a.sample1.png"))
    assert not Path("one/a.png").exists()
    assert report("one")["files"][0]["outputs"] == [
        {"path": "a.sample1.png", "temperature": 1.0, "saturation": 1.0, "seed": 4},
        {"path": "a.sample2.png", "temperature": 1.0, "saturation": 1.0, "seed": 5},
    ]


def test_temperature_makes_it_vivid(colorize, work, grey_files):
    grey_files("a.png")
    chroma = []
    for temperature in ("0.1", "5"):
        assert colorize("a.png", "--output", temperature, "--temperature", temperature).exit_code == 0
        chroma.append(np.linalg.norm(rgb2lab(pixels(f"{temperature}/a.png"))[..., 1:], axis=2).mean())
        assert report(temperature)["settings"]["temperature"] == float(temperature)
    assert chroma[0] > 1.5 * chroma[1]


def test_confidence_map(colorize, work, grey_files):
    grey_files("a.png")
    assert colorize("a.png", "--output", "out", "--confidence").exit_code == 0
    sure = pixels("out/a.confidence.png")
    assert sure.shape == (50, 70)
    assert np.ptp(sure) > 0


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ((), 2, "INPUT"),
        (("a.png",), 2, "--output"),
        (("a.png", "--output", "out", "--overwrite", "--skip-existing"), 2, "exclude each other"),
        (("a.png", "--output", "out", "--format", "gif"), 2, "--format"),
        (("a.png", "--output", "out", "--quality", "101"), 2, "--quality"),
        (("a.png", "--output", "out", "--samples", "0"), 2, "--samples"),
        (("a.png", "--output", "out", "--samples", "2", "--seed", "-1"), 2, "--seed"),
        (("a.png", "--output", "out", "--samples", "2", "--seed", str(2**63)), 2, "--seed"),
        (("a.png", "--output", "out", "--batch-size", "0"), 2, "--batch-size"),
        (("a.png", "--output", "out", "--temperature", "0"), 1, "--temperature 0"),
        (("a.png", "--output", "out", "--temperature", "warm"), 2, "--temperature"),
    ],
)
def test_wrong_options(colorize, work, grey_files, arguments, code, words):
    grey_files("a.png")
    result = colorize(*arguments)
    assert result.exit_code == code
    assert words in result.stderr.splitlines()[-1]
    assert not Path("out/a.png").exists()


def test_wrong_device_and_precision(run, work, grey_files, weights):
    grey_files("a.png")
    for option, value in (("--device", "cuda:99"), ("--device", "tpu"), ("--precision", "int4")):
        result = run("colorize", "a.png", "--output", "out", "--model", weights, option, value)
        assert result.exit_code == 1
        (line,) = result.stderr.splitlines()
        assert line.startswith("Error: ")
        assert f"{option} {value}" in line


def test_the_command_as_a_person_runs_it(work, grey_files, weights):
    """In a process of its own, in the default precision: not even a library's warning on stderr."""
    grey_files("a.jpg", "b.png")
    Image.fromarray(np.full((40, 40, 3), 90, np.uint8)).save("flat.png")
    command = [sys.executable, "-m", "gan_colorize", "colorize", "a.jpg", "b.png", "flat.png"]
    done = subprocess.run(
        [*command, "--output", "out", "--model", str(weights)],
        env=os.environ | {"PYTHONPATH": str(Path(gan_colorize.__file__).parents[1])},
        capture_output=True,
        text=True,
    )
    assert done.stderr == ""
    assert done.returncode == 0
    assert "3 coloured" in done.stdout


def test_a_seed_without_samples_is_refused(colorize, work, grey_files):
    grey_files("a.png")
    result = colorize("a.png", "--output", "out", "--seed", "3")
    assert result.exit_code == 2 and "--samples" in result.stderr
    assert not Path("out").exists()


def test_the_largest_seed(colorize, work, grey_files):
    grey_files("a.png")
    result = colorize("a.png", "--output", "out", "--samples", 2, "--seed", LARGEST_SEED)
    assert result.exit_code == 0
    assert [output["seed"] - LARGEST_SEED for output in report("out")["files"][0]["outputs"]] == [0, 1]
