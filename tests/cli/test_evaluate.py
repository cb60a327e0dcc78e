"""``gan-colorize evaluate`` from the outside: files, lines, exit codes."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
import torchvision
from click.testing import CliRunner, Result
from PIL import Image

from gan_colorize.cli.main import main
from gan_colorize.models import create_model
from gan_colorize.zoo.checkpoint import save_model

TINY = {
    "encoder_widths": (8, 8, 8, 8, 8),
    "encoder_blocks": (0, 0, 0, 0, 0),
    "decoder_widths": (8, 8, 8, 8),
    "decoder_blocks": (0, 0, 0, 0),
}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("model") / "tiny.safetensors"
    save_model(path, create_model("unet", TINY), {"working_size": 32, "temperature": 0.6, "images_seen": 7})
    return path


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    (folder / "deeper").mkdir(parents=True)
    rng = np.random.default_rng(0)
    for name in ("a.png", "b.png", "deeper/c.png"):
        coarse = Image.fromarray(rng.integers(0, 256, (4, 5, 3), dtype=np.uint8))
        coarse.resize((50, 40), Image.Resampling.BICUBIC).save(folder / name)
    return folder


@pytest.fixture(autouse=True)
def no_trunk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["evaluate", "--device", "cpu", *map(str, arguments)])


def refused(result: Result, why: str) -> None:
    """One line on stderr that says why, exit code 1, no traceback."""
    assert result.exit_code == 1, result.output
    lines = result.stderr.strip().splitlines()
    assert len(lines) == 1 and why in lines[0], result.stderr
    assert "Traceback" not in result.output


def test_without_a_trunk_the_rest_is_measured_and_the_exit_code_is_0(
    model: Path, data: Path, tmp_path: Path
) -> None:
    result = run("--model", model, "--data", data, "--output", tmp_path / "out", "--size", 32)
    assert result.exit_code == 0, result.output
    report = json.loads((tmp_path / "out" / "report.json").read_text(encoding="utf-8"))
    assert set(report["rows"]) == {"truth", "grey", "truth_through_bins", "model"}
    assert "lpips" not in report["rows"]["model"] and report["protocol"]["lpips"] is None
    assert report["notes"] == [
        line for line in result.stderr.splitlines() if line.startswith("LPIPS left out")
    ]
    assert "--lpips-trunk" in report["notes"][0]
    assert report["model"]["temperature"] == 0.6 and report["model"]["images_seen"] == "7"
    assert report["model"]["file"] == "tiny.safetensors"
    assert len(report["per_image"]) == 3 and report["broken"] == []
    assert report["protocol"]["id"] in result.stdout
    assert (tmp_path / "out" / "report.md").is_file() and (tmp_path / "out" / "grid.jpg").is_file()


def test_with_a_trunk_and_a_temperature(model: Path, data: Path, tmp_path: Path) -> None:
    # torchvision's own file, but for its numbers and its classifier
    state = torchvision.models.alexnet(weights=None).features.state_dict()
    random_trunk = tmp_path / "alexnet.pth"
    torch.save({f"features.{key}": value for key, value in state.items()}, random_trunk)
    arguments = ("--model", model, "--data", data, "--output", tmp_path, "--resize", "native")
    result = run(*arguments, "--lpips-trunk", random_trunk, "--temperature", 0.2)
    assert result.exit_code == 0, result.output
    report = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    rows = report["rows"]
    assert 0 < rows["truth_through_bins"]["lpips"] < rows["grey"]["lpips"]
    assert report["model"]["temperature"] == 0.2
    assert report["protocol"]["id"].startswith("native-n3-alex-")
    assert result.stderr == ""


def test_semantic_adds_its_columns(
    model: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class AlwaysGoldfish(torch.nn.Module):
        def forward(self, pictures: torch.Tensor) -> torch.Tensor:
            return torch.eye(1000)[[1] * len(pictures)]

    from gan_colorize.evaluation import semantic

    monkeypatch.setattr(
        semantic, "load_recogniser", lambda device: semantic.Recogniser(AlwaysGoldfish(), "test")
    )
    (data / "a.png").rename(data / "goldfish.png")
    (data / "b.png").rename(data / "n01440764_tench.png")
    arguments = ("--model", model, "--data", data, "--output", tmp_path, "--size", 32)
    result = run(*arguments, "--semantic")
    assert result.exit_code == 0, result.output
    report = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    for row in report["rows"].values():
        assert row["top1"] == 50 and row["top1_agreement"] == 100
    assert "top-1 is over 2 of 3 photographs" in result.stderr
    assert "top-1 %" in result.stdout and "AuC rebal. %" in result.stdout
    assert "top-1 %" not in run(*arguments).stdout


def test_a_broken_file_is_listed_and_the_exit_code_is_1(model: Path, data: Path, tmp_path: Path) -> None:
    (data / "text.jpg").write_text("no picture")
    result = run("--model", model, "--data", data, "--output", tmp_path / "out", "--size", 32)
    assert result.exit_code == 1
    assert "text.jpg" in result.stderr
    report = json.loads((tmp_path / "out" / "report.json").read_text(encoding="utf-8"))
    assert report["protocol"]["photographs"] == 3
    assert [Path(item["name"]).name for item in report["broken"]] == ["text.jpg"]


def test_bad_input_is_one_line(model: Path, data: Path, tmp_path: Path) -> None:
    out = ("--output", tmp_path / "out")
    (tmp_path / "empty").mkdir()
    (tmp_path / "grey").mkdir()
    Image.effect_noise((40, 40), 60).save(tmp_path / "grey" / "a.png")
    (tmp_path / "bad.pth").write_text("<html>")
    (tmp_path / "file").touch()
    given = ("--model", model, "--data", data)
    refused(run("--model", model, "--data", tmp_path / "nowhere", *out), "nowhere")
    refused(run("--model", model, "--data", tmp_path / "empty", *out), "no images")
    refused(run("--model", model, "--data", tmp_path / "grey", *out), "no colour photograph")
    refused(run("--model", tmp_path / "no.safetensors", "--data", data, *out), "no.safetensors")
    refused(run("--model", tmp_path / "bad.pth", "--data", data, *out), "web page")
    refused(run(*given, *out, "--lpips-trunk", tmp_path / "bad.pth"), "not a torch state dict")
    refused(run(*given, *out, "--lpips-trunk", tmp_path / "absent.pth"), "no such LPIPS trunk")
    refused(run(*given, *out, "--semantic"), "TORCH_HOME")
    refused(run(*given, "--output", tmp_path / "file" / "below"), "--output")
    refused(run(*given, *out, "--device", "warp"), "warp")


def test_usage_errors_name_the_option(model: Path, data: Path, tmp_path: Path) -> None:
    given = ("--model", model, "--data", data, "--output", tmp_path / "out")
    for option, value in (
        ("--size", 8),
        ("--temperature", 0),
        ("--temperature", "nan"),
        ("--resize", "crop"),
        ("--limit", 0),
    ):
        result = run(*given, option, value)
        assert result.exit_code == 2 and option in result.stderr
    assert run("--model", model, "--output", tmp_path).exit_code == 2


def test_help_shows_every_option_in_a_group() -> None:
    result = run("--help")
    assert result.exit_code == 0
    for word in ("Protocol", "--lpips-trunk", "--resize", "--model", "--help", "--batch-size", "--download"):
        assert word in result.stdout
