"""The report across runs: which photograph, weights, seed and temperature made every result that is there."""

import hashlib
import json
from pathlib import Path

import pytest


def entries(folder="out"):
    return json.loads(Path(folder, "colorize-report.json").read_text(encoding="utf-8"))["files"]


def test_later_runs_add_to_the_report(colorize, work, grey_files, weights):
    grey_files("a.png", "b.png")
    assert colorize("a.png", "--output", "out", "--temperature", "0.2").exit_code == 0
    assert colorize("b.png", "--output", "out", "--samples", 2, "--seed", 7).exit_code == 0
    first, second = entries()
    assert (first["input"], first["outputs"]) == (
        "a.png",
        [{"path": "a.png", "temperature": 0.2, "saturation": 1.0, "seed": None}],
    )
    assert [output["seed"] for output in second["outputs"]] == [7, 8]
    assert first["settings"]["samples"] == 0 and second["settings"]["samples"] == 2
    assert first["original"] == str(Path("a.png").resolve())
    for entry in (first, second):
        assert entry["model_sha256"] == hashlib.sha256(weights.read_bytes()).hexdigest()
        assert entry["time"]


def test_what_was_replaced_is_told_anew_and_a_refusal_forgets_nothing(colorize, work, grey_files):
    grey_files("a.png")
    colorize("a.png", "--output", "out", "--temperature", "0.2", "--confidence")
    colorize("a.png", "--output", "out", "--temperature", "0.5", "--overwrite")
    told = {output["path"]: entry for entry in entries() for output in entry["outputs"]}
    assert told["a.png"]["settings"]["temperature"] == 0.5
    assert told["a.confidence.png"]["settings"]["temperature"] == 0.2
    before = Path("out/colorize-report.json").read_bytes()
    assert colorize("a.png", "--output", "out").exit_code == 1  # it exists: nothing planned, nothing skipped
    assert Path("out/colorize-report.json").read_bytes() == before


def test_a_result_of_another_photograph_is_not_skipped(colorize, work, grey_files):
    grey_files("in/x.bmp", "in/x.jpg", "moved/x.bmp")
    assert colorize("in/x.bmp", "--output", "out", "--format", "png").exit_code == 0
    result = colorize("in/x.jpg", "--output", "out", "--format", "png", "--skip-existing")
    assert result.exit_code == 1
    (line,) = result.stderr.splitlines()
    assert f"made from {Path('in/x.bmp').resolve()}" in line
    assert colorize("in/x.bmp", "--output", "out", "--format", "png", "--skip-existing").exit_code == 0
    # an original that has moved since is known by its name
    Path("in/x.bmp").unlink()
    assert colorize("moved/x.bmp", "--output", "out", "--format", "png", "--skip-existing").exit_code == 0


@pytest.mark.parametrize("content", ["{", "[]", '{"files": 3}'])
def test_a_report_that_is_none_is_not_replaced(colorize, work, grey_files, content):
    grey_files("a.png")
    Path("out").mkdir()
    Path("out/colorize-report.json").write_text(content)
    result = colorize("a.png", "--output", "out")
    assert result.exit_code == 1
    assert "move it away" in result.stderr and len(result.stderr.splitlines()) == 1
    assert Path("out/colorize-report.json").read_text() == content
    assert not Path("out/a.png").exists()


def test_earlier_results_inside_the_input_are_left_out_aloud(colorize, work, grey_files):
    grey_files("in/a.png", "in/deep/b.png")
    assert colorize("in", "--output", "in/first").exit_code == 0
    for inputs in ("in", "in/**/*.png"):
        result = colorize(inputs, "--output", "in/second", "--overwrite")
        assert result.exit_code == 0
        assert "2 coloured" in result.stdout
        assert result.stderr.splitlines() == [
            f"{Path('in/first')}: left out, it has the results of an earlier run"
        ]
