"""``gan-colorize benchmark`` from the outside: files, lines, exit codes."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result
from PIL import Image

from gan_colorize.cli.main import main
from gan_colorize.errors import UserError
from gan_colorize.evaluation.benchmark import write
from gan_colorize.evaluation.benchmark.cost import measure_cost, peak_bytes
from gan_colorize.models import create_model
from gan_colorize.zoo.checkpoint import save_model

TINY = {
    "encoder_widths": (8, 8, 8, 8, 8),
    "encoder_blocks": (0, 0, 0, 0, 0),
    "decoder_widths": (8, 8, 8, 8),
    "decoder_blocks": (0, 0, 0, 0),
}


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("models")
    for name in ("one", "two"):
        torch.manual_seed(len(name) + ord(name[0]))
        save_model(folder / f"{name}.safetensors", create_model("unet", TINY), {"working_size": 32})
    return sorted(folder.iterdir())


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for name in ("a.png", "b.png", "c.png"):
        coarse = Image.fromarray(rng.integers(0, 256, (4, 5, 3), dtype=np.uint8))
        coarse.resize((50, 40), Image.Resampling.BICUBIC).save(folder / name)
    return folder


@pytest.fixture(autouse=True)
def quick(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No trunk, and no process for each model's time and memory but in the test of just that."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setattr(
        write, "measure_cost", lambda *arguments: {"side": 32, "repeats": 7, "batch_size": 16}
    )


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["benchmark", *map(str, arguments)])


def both(models: list[Path], data: Path, output: Path, *more: object) -> Result:
    chosen = [part for path in models for part in ("--model", path)]
    return run(*chosen, "--data", f"small={data}", "--output", output, "--size", 32, "--device", "cpu", *more)


def test_three_files_one_table_exit_code_0(models: list[Path], data: Path, tmp_path: Path) -> None:
    result = both(models, data, tmp_path / "out", "--external", f"same={data}")
    assert result.exit_code == 0, result.output
    report = json.loads((tmp_path / "out" / "report.json").read_text("utf-8"))
    assert list(report["sets"]["small"]["rows"])[:4] == ["one", "two", "same", "grey"]
    assert report["sets"]["small"]["rows"]["same"]["psnr"] == 100
    assert report["protocol"]["id"] in result.stdout and "| one |" in result.stdout
    assert report["machine"]["cost"].keys() == {"one", "two"}
    for metric in ("LPIPS alex", "FID and KID"):
        (line,) = [line for line in result.stderr.splitlines() if line.startswith(metric)]
        assert "left out" in line and line in report["notes"]
    assert (tmp_path / "out" / "report.html").stat().st_size > 20_000
    assert "# Colorizers compared" in (tmp_path / "out" / "report.md").read_text("utf-8")


def test_what_cannot_be_used_is_exit_code_1_and_the_report_is_there(
    models: list[Path], data: Path, tmp_path: Path
) -> None:
    damaged = tmp_path / "damaged.safetensors"
    damaged.write_bytes(models[0].read_bytes()[:-100])
    (data / "text.png").write_text("no picture")
    (tmp_path / "few").mkdir()
    (tmp_path / "few" / "a.png").write_bytes((data / "a.png").read_bytes())
    arguments = ("--external", tmp_path / "few")
    result = both([models[0], damaged], data, tmp_path / "out", *arguments)
    assert result.exit_code == 1 and "Traceback" not in result.output
    report = json.loads((tmp_path / "out" / "report.json").read_text("utf-8"))
    assert "cut short" in report["unusable"]["damaged"]
    table = report["sets"]["small"]
    assert "have no result" in table["failed"]["few"]
    assert [Path(item["name"]).name for item in table["broken"]] == ["text.png"]
    assert {"one", "grey"} <= table["rows"].keys()
    assert all(name in result.stderr for name in ("damaged", "few", "text.png"))


@pytest.mark.parametrize(
    ("arguments", "code", "why"),
    [
        (("--data", "x"), 2, "Missing option '--output'"),
        (("--output", "x"), 2, "Missing option '--data'"),
        (("report.json",), 2, "only --compare takes reports"),
        (("--compare", "a.json"), 2, "two report.json or more"),
        (("--data", "nowhere", "--output", "out"), 1, "nowhere: no such file or folder"),
        (("--data", ".", "--output", "out", "--lpips-trunk", "alex"), 1, "no images"),
        (("--compare", "a.json", "b.json"), 1, "a.json: No such file"),
    ],
)
def test_wrong_options_are_one_line(arguments, code: int, why: str, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = run(*arguments)
    assert result.exit_code == code and why in result.stderr, result.output
    assert "Traceback" not in result.output and list(tmp_path.iterdir()) == []


def test_a_named_file_that_is_not_there_stops_before_the_first_photograph(
    models: list[Path], data: Path, tmp_path: Path
) -> None:
    for options, why in (
        (("--model", tmp_path / "no.safetensors"), "model not found"),
        (("--lpips-trunk", f"alex={tmp_path}/no.pth"), "no such LPIPS trunk"),
        (("--lpips-trunk", "alexa=x"), "write NET=FILE"),
        (("--inception", tmp_path / "no.pth"), "No such file"),
        (("--model", f"one={models[1]}"), "two entries are called 'one'"),
        (("--external", f"one={data}"), "two entries are called 'one'"),
    ):
        result = both(models[:1], data, tmp_path / "out", *options)
        assert result.exit_code in (1, 2) and why in result.stderr, result.output
        assert "Traceback" not in result.output and not (tmp_path / "out" / "report.json").exists()


def test_resume_keeps_what_is_measured_and_a_new_run_does_not(
    models: list[Path], data: Path, tmp_path: Path, monkeypatch
) -> None:
    from gan_colorize.evaluation.benchmark.entries import Model

    calls: list[str] = []
    colour = Model.colour

    def counted(self: Model, *arguments: object, **options: object) -> object:
        calls.append(self.name)
        return colour(self, *arguments, **options)

    monkeypatch.setattr(Model, "colour", counted)
    monkeypatch.setattr(
        write, "choose", lambda *arguments: []
    )  # pictures are drawn anew, and are not the point
    assert both(models[:1], data, tmp_path / "out").exit_code == 0
    assert calls == ["one"]
    assert both(models, data, tmp_path / "out", "--resume").exit_code == 0
    assert calls == ["one", "two"]
    assert both(models[:1], data, tmp_path / "out").exit_code == 0
    assert calls == ["one", "two", "one"]


def test_ctrl_c_says_how_to_go_on(models: list[Path], data: Path, tmp_path: Path, monkeypatch) -> None:
    from gan_colorize.evaluation.benchmark.entries import Grey

    def interrupted(*arguments: object, **options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Grey, "colour", interrupted)
    result = both(models[:1], data, tmp_path / "out")
    assert result.exit_code == 130 and "--resume goes on" in result.stderr
    assert list((tmp_path / "out" / "parts").rglob("*.npz"))
    assert not (tmp_path / "out" / "report.json").exists()


def test_compare_joins_and_refuses(models: list[Path], data: Path, tmp_path: Path) -> None:
    for number, path in enumerate(models):
        assert both([path], data, tmp_path / str(number)).exit_code == 0
    reports = [tmp_path / str(number) / "report.json" for number in range(2)]
    result = run("--compare", *reports, "--output", tmp_path / "joined")
    assert result.exit_code == 0, result.output
    assert "| one |" in result.stdout and "| two |" in result.stdout
    joined = json.loads((tmp_path / "joined" / "report.json").read_text("utf-8"))
    assert {"one", "two", "grey"} <= joined["sets"]["small"]["rows"].keys()
    assert (tmp_path / "joined" / "report.html").is_file()
    assert both(models[:1], data, tmp_path / "other", "--resize", "stretch").exit_code == 0
    result = run("--compare", reports[0], tmp_path / "other" / "report.json")
    assert result.exit_code == 1 and "their protocols differ in resize" in result.stderr


def test_time_and_memory_are_those_of_a_process_of_its_own(models: list[Path]) -> None:
    assert 50e6 < peak_bytes() < 50e9  # bytes, not kilobytes
    found = measure_cost(str(models[0]), "cpu", 32, 4, 1)
    assert found["ms_alone"] > 0 and found["ms_in_batches"] > 0
    assert 50 < found["loaded_mb"] <= found["peak_mb"] < 5000
    with pytest.raises(UserError, match="model not found"):
        measure_cost("nowhere.safetensors", "cpu", 32, 4, 1)
