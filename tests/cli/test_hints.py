"""``gan-colorize colorize --hints``: one file, a folder of them, what is wrong with them, and the pixels."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from gan_colorize.inference.colorizer import Colorizer
from gan_colorize.inference.wishes import read_wishes
from gan_colorize.models import create_model
from gan_colorize.zoo.checkpoint import save_model

TINY = {
    "encoder_widths": [8] * 5,
    "encoder_blocks": [0] * 5,
    "decoder_widths": [8] * 4,
    "decoder_blocks": [0] * 4,
    "steering": True,
}
GREEN = {"x": 20, "y": 30, "radius": 5, "color": "#3a7d44"}


@pytest.fixture(scope="module")
def listener(tmp_path_factory):
    """Random weights of a network that listens to everything."""
    torch.manual_seed(5)
    model = create_model("unet", TINY)
    torch.nn.init.normal_(model.head.weight, std=2.0)
    for layer in (model.steering.mixed, model.steering.again, model.histogram[-1], model.saturation[-1]):
        torch.nn.init.normal_(layer.weight, std=0.5)
    path = tmp_path_factory.mktemp("listener") / "unet.safetensors"
    save_model(path, model, {"working_size": 64, "images_seen": 1, "licence": "none"})
    return path


@pytest.fixture
def colour(run, listener, work):
    """The verb with the listening weights in float32."""

    def invoke(*arguments):
        return run("colorize", *arguments, "--model", listener, "--device", "cpu", "--precision", "fp32")

    return invoke


def write(path, **wishes):
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text(json.dumps(wishes))


def pixels(path):
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB")).astype(int)


def entries(folder):
    """Of the report, by the photograph's name."""
    files = json.loads(Path(folder, "colorize-report.json").read_text())["files"]
    return {Path(entry["input"]).name: entry for entry in files}


def errors(result):
    return [line for line in result.stderr.splitlines() if line.startswith("Error: ")]


WISHES = {
    "hints": {"hints": [GREEN, {"points": [[40, 5], [60, 40]], "radius": 3, "ab": [30, -40]}]},
    "copy": {
        "photo": {"width": 35, "height": 25},
        "hints": [{"x": 10, "y": 15, "radius": 2.5, "ab": [50, 9]}],
    },
    "all": {
        "hints": [GREEN],
        "palette": ["c01010", "1010c0"],
        "reference": {"name": "r", "histogram": {"200": 1.0}, "saturation": 0.5},
        "temperature": 0.9,
        "saturation": 1.3,
        "seed": 11,
    },
}


@pytest.mark.parametrize("wishes", WISHES)
def test_the_pixels_are_those_of_a_session(colour, listener, grey_files, wishes):
    grey_files("a.png")
    write("a.hints.json", **WISHES[wishes])
    result = colour("a.png", "--output", "out", "--hints", "a.hints.json")
    assert result.exit_code == 0, result.stderr
    session = Colorizer(str(listener), "cpu", "fp32").open("a.png")
    plain = session.predict().rgb8
    session.wish(read_wishes("a.hints.json"))
    np.testing.assert_array_equal(pixels("out/a.png"), session.predict().rgb8)
    assert np.abs(pixels("out/a.png") - plain).max() > 20
    told = entries("out")["a.png"]
    assert told["hints"] == "a.hints.json" and told["settings"]["hints"] == "a.hints.json"
    (output,) = told["outputs"]
    expected = WISHES[wishes]
    assert output["seed"] == expected.get("seed")
    assert output["saturation"] == expected.get("saturation", 1.0)


def test_a_folder_of_hints(colour, grey_files):
    grey_files("in/a.png", "in/b.png", "in/sub/a.png", "in/c.tif", "in/c.png", "in/d.e.png")
    assert colour("in", "--output", "plain").exit_code == 0
    write("hints/a.hints.json", hints=[GREEN])
    write("hints/sub/a.hints.json", hints=[GREEN | {"color": "#ff00ff"}])
    write("hints/c.tif.hints.json", hints=[GREEN])
    write("hints/d.e.hints.json", hints=[GREEN])
    write("hints/zzz.hints.json", hints=[GREEN])
    Path("hints/notes.txt").write_text("no hints")
    result = colour("in", "--output", "out", "--hints", "hints")
    assert result.exit_code == 0, result.stderr
    unused = [line for line in result.stderr.splitlines() if "no photograph for these hints" in line]
    assert unused == [f"Warning: {Path('hints', 'zzz.hints.json')}: no photograph for these hints"]
    changed = {
        name
        for name in ("a.png", "b.png", "sub/a.png", "c.tif", "c.png", "d.e.png")
        if np.abs(pixels(Path("out", name)) - pixels(Path("plain", name))).max() > 5
    }
    assert changed == {"a.png", "sub/a.png", "c.tif", "d.e.png"}
    centre = pixels("out/sub/a.png")[30, 20]
    assert centre[0] > centre[1] and centre[2] > centre[1], "magenta"
    again = colour("in", "--output", "out", "--hints", "hints", "--skip-existing")
    assert again.exit_code == 0
    told = [line for line in again.stderr.splitlines() if "no photograph" in line]
    assert told == unused, "hints of photographs that are done are not unused"


def test_two_suffixes_of_one_name_share_hints(colour, grey_files):
    grey_files("in/c.tif", "in/c.png")
    assert colour("in", "--output", "plain").exit_code == 0
    write("hints/c.hints.json", hints=[GREEN])
    assert colour("in", "--output", "out", "--hints", "hints").exit_code == 0
    for name in ("c.png", "c.tif"):
        assert np.abs(pixels(Path("out", name)) - pixels(Path("plain", name))).max() > 5


def test_hints_beside_the_photographs_and_of_named_files(colour, grey_files):
    grey_files("one/a.png", "two/a.png")
    write("hints/two/a.hints.json", hints=[GREEN])
    result = colour("one/a.png", "two/a.png", "--output", "out", "--hints", "hints")
    assert result.exit_code == 0, result.stderr
    told = [entry.get("hints") for entry in json.loads(Path("out/colorize-report.json").read_text())["files"]]
    assert told == [None, str(Path("hints/two/a.hints.json"))]
    write("one/a.hints.json", hints=[GREEN])
    assert colour("one", "--output", "beside", "--hints", "one").exit_code == 0
    assert entries("beside")["a.png"]["hints"] == str(Path("one/a.hints.json"))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("no json", "is no file of hints (not JSON"),
        ('{"hint": []}', "unknown key 'hint' in the file"),
        (
            '{"hints": [{"x": 900, "y": 1, "radius": 3, "color": "#fff"}]}',
            "lies outside the photograph (70x50)",
        ),
        ('{"photo": {"width": 50, "height": 70}, "hints": []}', "another shape"),
        ('{"hints": [{"x": 1, "y": NaN, "radius": 3, "color": "#fff"}]}', "NaN is no number"),
        ('{"text": "  "}', "holds no word"),
        ('{"seed": 1, "seed": 2}', "the key 'seed' comes twice"),
    ],
)
def test_a_bad_file_fails_its_photograph_in_one_line(colour, grey_files, content, message):
    grey_files("in/a.png", "in/b.png")
    write("hints/b.hints.json", hints=[GREEN])
    Path("hints/a.hints.json").write_text(content)
    result = colour("in", "--output", "out", "--hints", "hints")
    assert result.exit_code == 1
    (line,) = errors(result)
    assert message in line and str(Path("hints/a.hints.json")) in line
    assert Path("out/b.png").exists() and not Path("out/a.png").exists()
    assert entries("out")["a.png"]["status"] == "failed"


def test_what_hints_cannot_be(colour, colorize, grey_files):
    grey_files("in/a.png", "in/b.png")
    write("a.hints.json", hints=[GREEN])
    result = colour("in", "--output", "out", "--hints", "a.hints.json")
    assert result.exit_code == 1 and errors(result) == [
        "Error: --hints a.hints.json: is for one photograph, and there are 2; name a folder that has a "
        "NAME.hints.json for each of those that have hints"
    ]
    result = colour("in", "--output", "out", "--hints", "none")
    assert (
        result.exit_code == 1 and "--hints none: not found; name a file of hints or a folder" in result.stderr
    )
    Path("empty").mkdir()
    result = colour("in", "--output", "out", "--hints", "empty")
    assert result.exit_code == 1
    assert "has none for these photographs; they would be called a.hints.json" in errors(result)[0]
    write("palette.json", palette=["fff"])
    result = colorize("in/a.png", "--output", "out", "--hints", "palette.json")
    assert result.exit_code == 1
    assert "palette.json: this model (unet) does not listen to palettes" in errors(result)[0]
    assert not Path("out").exists()


def test_a_network_without_a_distribution_refuses_a_seed(run, grey_files, work):
    save_model(Path("guided.safetensors"), create_model("user_guided", {"width": 4}), {"working_size": 64})
    grey_files("a.png")
    write("a.hints.json", hints=[GREEN], seed=3)
    options = ["a.png", "--model", "guided.safetensors", "--device", "cpu", "--hints", "a.hints.json"]
    result = run("colorize", *options, "--output", "out")
    assert result.exit_code == 1 and errors(result)[0].startswith("Error: a.hints.json: its seed")
    write("a.hints.json", hints=[GREEN])
    assert run("colorize", *options, "--output", "out").exit_code == 0


def test_options_go_before_the_file(colour, grey_files):
    grey_files("a.png")
    hints = {"hints": [GREEN]}
    write("red.json", **hints, palette=["c01010"], temperature=0.3, saturation=0.2, seed=5)
    write("blue.json", **hints, palette=["1010c0"], temperature=0.9, saturation=1.5, seed=5)
    write("plain.json", **hints)

    def made(folder, file, *options):
        result = colour("a.png", "--output", folder, "--hints", file, *options)
        assert result.exit_code == 0, result.stderr
        return pixels(Path(folder, "a.png"))

    asked = ["--palette", "1010c0", "--temperature", "0.9", "--saturation", "1.5"]
    np.testing.assert_array_equal(made("one", "red.json", *asked), made("two", "blue.json"))
    assert np.abs(made("three", "red.json") - made("four", "blue.json")).max() > 5
    Image.fromarray(np.full((32, 32, 3), (30, 60, 200), np.uint8)).save("other.png")
    assert (
        np.abs(made("five", "plain.json", "--reference", "other.png") - made("six", "plain.json")).max() > 5
    )


def test_samples_begin_with_the_seed_of_the_file_unless_one_is_named(colour, grey_files):
    grey_files("a.png")
    write("a.json", hints=[GREEN], seed=5)
    write("none.json", hints=[GREEN])
    for folder, file, options, seeds in (
        ("one", "a.json", ["--samples", 2], [5, 6]),
        ("two", "none.json", ["--samples", 2, "--seed", 5], [5, 6]),
        ("three", "a.json", ["--samples", 2, "--seed", 0], [0, 1]),
        ("four", "none.json", ["--samples", 2], [0, 1]),
    ):
        result = colour("a.png", "--output", folder, "--hints", file, *options)
        assert result.exit_code == 0, result.stderr
        assert [output["seed"] for output in entries(folder)["a.png"]["outputs"]] == seeds
    for same in (("one", "two"), ("three", "four")):
        first, second = (pixels(Path(folder, "a.sample2.png")) for folder in same)
        np.testing.assert_array_equal(first, second)
    assert np.abs(pixels("one/a.sample1.png") - pixels("one/a.sample2.png")).max() > 3


def test_a_reference_that_is_none(colour, grey_files):
    grey_files("a.png")
    result = colour("a.png", "--output", "out", "--reference", "a.png")
    assert (
        result.exit_code == 1 and "a.png: is grey; a reference must be a picture in colour" in result.stderr
    )
    result = colour("a.png", "--output", "out", "--reference", "none.png")
    assert result.exit_code == 1 and len(errors(result)) == 1 and "none.png" in errors(result)[0]
