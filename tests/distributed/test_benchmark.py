"""benchmark by two processes: the numbers are those of one process."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def photographs(tmp_path):
    """Colour pictures of two sizes, one grey, one damaged; and somebody's results, which are all darker."""
    folder, results = tmp_path / "photographs", tmp_path / "results"
    folder.mkdir()
    results.mkdir()
    for index in range(9):
        coarse = np.random.default_rng(index).integers(0, 256, (4, 5, 3), dtype=np.uint8)
        size = (52, 40) if index % 3 else (44, 60)
        picture = Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC)
        picture.save(folder / f"{index:02d}.png")
        picture.point(lambda level: level * 0.7).save(results / f"{index:02d}.png")
    Image.new("RGB", (50, 50), (90, 90, 90)).save(folder / "05-grey.png")
    (folder / "07-bad.jpg").write_text("no picture")
    return folder


def benchmark(photographs, output, *more):
    given = ["benchmark", "--external", photographs.with_name("results"), "--data", f"small={photographs}"]
    return [*given, "--output", output, "--device", "cpu", "--resize", "native", "--batch-size", 1, *more]


def test_two_processes_measure_what_one_measures(torchrun, run, tmp_path, photographs, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    one, two = tmp_path / "one", tmp_path / "two"
    alone = run(*benchmark(photographs, one))
    done = torchrun(benchmark(photographs, two))
    assert alone.exit_code == 1 and done.returncode == 1  # for the damaged file
    first, second = (json.loads((folder / "report.json").read_bytes()) for folder in (one, two))
    assert first["protocol"] == second["protocol"] and first["entries"] == second["entries"]
    assert first["sets"] == second["sets"]
    table = second["sets"]["small"]
    assert table["photographs"] == 9 and table["rows"].keys() == {"results", "grey"}
    assert [Path(of["name"]).name for of in table["per_image"]] == [f"{n:02d}.png" for n in range(9)]
    assert table["rows"]["results"]["lightness_error"] > 5
    assert done.stdout.count("protocol bench-") == 1
    assert [Path(item["name"]).name for item in table["broken"]] == ["07-bad.jpg"]
