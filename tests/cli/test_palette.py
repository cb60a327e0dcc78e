"""``gan-colorize palette``, and palettes and texts as wishes of ``colorize``."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from gan_colorize.inference.batch import colour_files
from gan_colorize.inference.palettes import PaletteDrawer, named_palette, palette_wish
from gan_colorize.inference.predictor import Predictor
from gan_colorize.models import create_model
from gan_colorize.zoo.checkpoint import DEFAULT_PALETTES, save_model

HEX = "0123456789abcdef"


@pytest.fixture(scope="module")
def drawer(tmp_path_factory):
    """Weights of a small network that draws palettes, of a few words and with lively colours."""
    torch.manual_seed(2)
    model = create_model("text2palette", {"vocabulary": "autumn deep forest sea", "width": 8})
    for parameter in (model.offsets, model.output[2].weight, model.condition.weight):
        torch.nn.init.normal_(parameter, std=0.2)
    path = tmp_path_factory.mktemp("weights") / "drawer.safetensors"
    save_model(path, model, {})
    return path


@pytest.fixture(scope="module")
def listener(tmp_path_factory):
    """Weights of a small network that listens to palettes."""
    torch.manual_seed(2)
    model = create_model("palette_colorizer", {"width": 4})
    torch.nn.init.normal_(model.model_out.weight, std=1.0)
    path = tmp_path_factory.mktemp("weights") / "listener.safetensors"
    save_model(path, model, {"working_size": 64})
    return path


@pytest.fixture
def palette(run, drawer, word_vectors):
    def invoke(*arguments):
        return run("palette", *arguments, "--model", drawer)

    return invoke


def colours_of(result):
    return [line.split(",") for line in result.stdout.splitlines()]


def test_lines_are_palettes_that_colorize_takes(palette):
    result = palette("deep", "sea", "--samples", "4")
    assert result.exit_code == 0 and result.stderr == ""
    palettes = colours_of(result)
    assert len(palettes) == 4 and all(len(colours) == 5 for colours in palettes)
    assert all(len(colour) == 6 and set(colour) <= set(HEX) for row in palettes for colour in row)
    assert len({tuple(row) for row in palettes}) == 4, "each sample is another palette"
    for row in palettes:
        assert named_palette(row).shape == (5, 3)


def test_seeds_count_up_and_a_palette_depends_on_its_seed_alone(palette):
    several = colours_of(palette("deep sea", "--samples", "3", "--seed", "7"))
    assert colours_of(palette("deep sea", "--seed", "9")) == several[2:]
    assert colours_of(palette("autumn forest", "--seed", "9")) != several[2:]


def test_json_and_picture(palette, work):
    result = palette("deep seas qqq", "--samples", "2", "--seed", "3", "--json", "--output", "p.png")
    told = json.loads(result.stdout)
    assert told["text"] == "deep seas qqq" and told["left_out"] == ["qqq"]
    assert [one["seed"] for one in told["palettes"]] == [3, 4]
    assert "Warning: not known and left out: qqq" in result.stderr
    with Image.open("p.png") as picture:
        seen = {tuple(colour) for _, colour in picture.convert("RGB").getcolors(1 << 20)}
    wanted = {tuple(bytes.fromhex(colour)) for one in told["palettes"] for colour in one["colours"]}
    assert wanted <= seen


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([""], "holds no word"),
        (["?! ..."], "holds no word"),
        (["qqq zzz"], "no word of 'qqq zzz' is known; try English ones"),
        (["\N{CYRILLIC SMALL LETTER EM}\N{CYRILLIC SMALL LETTER O}"], "is known; try English ones"),
        (["x" * 100_000], f"no word of '{'x' * 57}...' is known"),
        (["sea", "--model", "none.safetensors"], "model not found: none.safetensors"),
    ],
)
def test_text_that_says_nothing_is_one_line(run, drawer, word_vectors, arguments, message):
    model = [] if "--model" in arguments else ["--model", drawer]
    result = run("palette", *arguments, *model)
    assert result.exit_code == 1 and result.stdout == ""
    assert message in result.stderr and len(result.stderr.splitlines()) == 1


def test_without_the_vectors_the_trained_words_are_enough(run, drawer, no_word_vectors):
    assert run("palette", "deep sea", "--model", drawer).exit_code == 0
    result = run("palette", "ocean", "--model", drawer)
    assert result.exit_code == 1 and "pip install 'gan_colorize[text]'" in result.stderr


def test_of_a_long_text_the_beginning_is_read(palette):
    """The longest text of the training data has eleven words."""
    read = "autumn sea deep forest " * 2 + "sea deep sea"
    result = palette(read + ", forest " * 20_000, "--seed", "2")
    assert result.stderr == "Warning: only the first 11 words are read, 20,000 are left out\n"
    beginning = palette(read, "--seed", "2")
    assert beginning.stderr == "" and colours_of(beginning) == colours_of(result)
    assert colours_of(palette("forest " + read, "--seed", "2")) != colours_of(result)


def test_pictures_are_not_replaced_unasked(palette, work):
    Path("p.png").write_bytes(b"mine")
    result = palette("sea", "--output", "p.png")
    assert result.exit_code == 1 and result.stdout == ""
    assert result.stderr == "Error: --output p.png: exists; add --overwrite or name another picture\n"
    assert Path("p.png").read_bytes() == b"mine"
    assert palette("sea", "--output", "p.png", "--overwrite").exit_code == 0
    with Image.open("p.png") as picture:
        assert picture.format == "PNG"
    Path("folder.png").mkdir()
    for output in ("folder.png", "p.png/below.png"):
        result = palette("sea", "--output", output)
        assert result.exit_code == 1 and len(result.stderr.splitlines()) == 1, result.stderr


def test_other_mistakes(run, drawer, weights, grey_files, work):
    result = run("palette", "sea", "--model", weights)
    assert result.exit_code == 1 and "this model (unet) draws no palettes" in result.stderr
    result = run("palette", "sea", "--model", drawer, "--output", "a.txt")
    assert result.exit_code == 2 and "must end in .png" in result.stderr
    assert run("palette").exit_code == 2
    grey_files("a.png")
    result = run("colorize", "a.png", "--output", "out", "--model", drawer)
    assert result.exit_code == 1 and "reads words and colours no photographs" in result.stderr


def pixels(path):
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB")).astype(int)


def test_colorize_uses_the_named_palette(run, listener, grey_files, work):
    grey_files("in/a.png", "in/b.png")
    for folder, palette in (("red", "c01010"), ("blue", "#1010c0,2020ff"), ("none", None)):
        wish = ["--palette", palette] if palette else []
        result = run("colorize", "in", "--output", folder, "--model", listener, "--device", "cpu", *wish)
        assert result.exit_code == 0, result.stderr
    results = {folder: pixels(Path(folder, "a.png")) for folder in ("red", "blue", "none")}
    assert np.abs(results["red"] - results["blue"]).max() > 5
    assert np.abs(results["red"] - results["none"]).max() > 5
    told = json.loads(Path("blue", "colorize-report.json").read_text())
    assert told["settings"]["palette"] == ["1010c0", "2020ff", "1010c0", "2020ff", "1010c0"]
    assert told["model"]["saturation"] == 1.0


def test_colorize_draws_the_palette_for_a_text(run, listener, drawer, grey_files, work, monkeypatch):
    monkeypatch.setattr("gan_colorize.inference.palettes.DEFAULT_PALETTES", drawer)
    grey_files("a.png")
    options = ["a.png", "--model", listener, "--device", "cpu", "--precision", "fp32"]
    drawn = run("palette", "deep sea", "--seed", "4", "--model", drawer).stdout.strip()
    result = run("colorize", *options, "--output", "text", "--text", "deep sea", "--seed", "4")
    assert result.exit_code == 0, result.stderr
    assert f"palette for 'deep sea': {drawn}" in result.stderr
    assert run("colorize", *options, "--output", "named", "--palette", drawn).exit_code == 0
    assert (pixels("text/a.png") == pixels("named/a.png")).all()
    told = json.loads(Path("text", "colorize-report.json").read_text())
    assert told["settings"]["text"] == "deep sea"


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (["--palette", "red"], 1, "--palette: 'red' is no colour; one looks like a1b2c3"),
        (["--palette", ""], 1, "--palette: 0 colours; give one to 5"),
        (["--palette", "fff,fff,fff,fff,fff,fff"], 1, "--palette: 6 colours; give one to 5"),
        (["--palette", "fff", "--text", "sea"], 2, "--palette and --text exclude each other"),
        (["--text", " "], 1, "holds no word"),
        (["--text", "qqq"], 1, "no word of 'qqq' is known"),
        (["--palette", "fff"], 1, "--palette: this model (unet) does not listen to palettes"),
        (["--text", "sea"], 1, "--text: this model (unet) does not listen to palettes"),
    ],
)
def test_wishes_that_cannot_be_met(
    run, weights, drawer, word_vectors, grey_files, work, monkeypatch, options, code, message
):
    monkeypatch.setattr("gan_colorize.inference.palettes.DEFAULT_PALETTES", drawer)
    grey_files("a.png")
    result = run("colorize", "a.png", "--output", "out", "--model", weights, "--device", "cpu", *options)
    assert result.exit_code == code and message in result.stderr
    assert not Path("out", "a.png").exists()
    if "listen" in message:
        assert "palette_colorizer" in result.stderr


def test_black_is_a_wish_as_well():
    assert palette_wish(named_palette(["000"])).palette.any()


def test_views_hear_the_palette_and_photographs_of_a_batch_share_it(listener, grey_files, work):
    from gan_colorize.data.image_io import read_rgb8
    from gan_colorize.inference.colorizer import Colorizer
    from gan_colorize.inference.plan import Job
    from gan_colorize.inference.predictor import Settings
    from gan_colorize.inference.wishes import Wishes
    from gan_colorize.zoo.checkpoint import load_model

    model, wish = load_model(listener), palette_wish(named_palette(["c01010"]))
    plane = np.random.default_rng(0).uniform(0, 100, (64, 64)).astype(np.float32)
    predictor = Predictor(model, "cpu", "fp32", views=4)
    seen = [predictor.see(plane)]
    told, untold = (predictor.predict(seen, one).ab for one in (wish, None))
    assert (told - untold).abs().max() > 1
    mirrored = Predictor(model, "cpu", "fp32", views=2)
    both = mirrored.predict([mirrored.see(plane)], wish).ab
    single = Predictor(model, "cpu", "fp32")
    plain, flipped = (single.predict([single.see(one)], wish).ab for one in (plane, plane[:, ::-1].copy()))
    torch.testing.assert_close(both, (plain + flipped.flip(-1)) / 2, rtol=1e-4, atol=1e-3)

    grey_files("a.png", "b.png", "c.png")
    wishes = Wishes(palette=("c01010",))
    jobs = [Job(Path(f"{k}.png"), [Path(f"out-{k}.png")], wishes=wishes) for k in "abc"]
    done = list(colour_files(single, jobs, Settings(), batch_size=2))
    assert [one.status for one in done] == ["coloured"] * 3
    for k in "abc":
        alone = Colorizer(model, "cpu", "fp32").open(f"{k}.png")
        alone.set_palette(["c01010"])
        assert np.abs(alone.predict().rgb8.astype(int) - read_rgb8(f"out-{k}.png")).max() <= 1


@pytest.mark.skipif(not DEFAULT_PALETTES.is_file(), reason="no shipped weights")
def test_the_shipped_network_knows_the_sea_from_the_forest(run):
    """Blue and autumn colours by the hue of Lab: blues and greens of the sea lie at b < 0 on average."""
    from gan_colorize.color.palette import palette_to_lab

    means = {}
    for text in ("deep sea", "autumn forest"):
        drawn = PaletteDrawer().draw(text, samples=20, seed=1)
        assert len({one.tobytes() for one in drawn.palettes}) == 20
        means[text] = palette_to_lab(drawn.palettes).mean((0, 1))
    assert means["deep sea"][2] < -8 and means["autumn forest"][2] > 8
    assert DEFAULT_PALETTES.stat().st_size < 3e6
