"""``gan-colorize denoise``: the files of colorize, restored instead of coloured."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def denoise(run, ten_darker):
    def invoke(*arguments):
        return run("denoise", *arguments, "--model", ten_darker, "--device", "cpu", "--precision", "fp32")

    return invoke


def levels(path):
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB")).astype(int)


def report():
    return json.loads(Path("out", "denoise-report.json").read_text(encoding="utf-8"))


def test_a_folder_tree_is_restored_and_reported(denoise, work, grey_files):
    grey_files("in/a.png", "in/deep/b.png")
    result = denoise("in", "--output", "out")
    assert result.exit_code == 0 and result.stderr == ""
    assert "2 restored, 0 skipped, 0 failed" in result.stdout
    for name in ("a.png", "deep/b.png"):
        expected = np.clip(levels(Path("in", name)) - 10, 0, 255)
        assert np.array_equal(levels(Path("out", name)), expected)
    assert not list(Path("out").rglob("colorize-report.json"))
    entry = report()["files"][0]
    assert entry["status"] == "restored" and entry["outputs"] == [{"path": "a.png"}]
    assert entry["size"] == [70, 50] and len(entry["model_sha256"]) == 64


def test_results_that_exist_are_kept_skipped_or_replaced(denoise, work, grey_files):
    grey_files("a.png")
    denoise("a.png", "--output", "out")
    again = denoise("a.png", "--output", "out")
    assert again.exit_code == 1 and "exists; add --overwrite or --skip-existing" in again.stderr
    assert "0 restored, 1 skipped" in denoise("a.png", "--output", "out", "--skip-existing").stdout
    assert "1 restored" in denoise("a.png", "--output", "out", "--overwrite").stdout
    assert denoise("a.png", "--output", "out", "--overwrite", "--skip-existing").exit_code == 2


def test_reports_carry_the_commands_name_and_keep_results_from_being_inputs(denoise, work, grey_files):
    grey_files("in/a.png")
    assert denoise("in/a.png", "--output", "one.png").exit_code == 0
    assert Path("one.denoise-report.json").is_file()
    assert denoise("in", "--output", "in/first").exit_code == 0
    result = denoise("in", "--output", "in/second")
    assert result.exit_code == 0 and "1 restored" in result.stdout
    assert "in/first: left out, it has the results of an earlier run" in result.stderr


def test_a_broken_file_costs_one_line(denoise, work, grey_files):
    grey_files("in/a.png", "in/c.png")
    Path("in/b.png").write_bytes(b"oops")
    result = denoise("in", "--output", "out")
    assert result.exit_code == 1
    assert result.stderr.count("\n") == 1 and "Error: in/b.png" in result.stderr
    assert "2 restored, 0 skipped, 1 failed" in result.stdout


def test_colours_and_depth_are_told_of(denoise, work):
    Path("in").mkdir()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (20, 30, 3)).astype(np.uint8)).save("in/c.png")
    Image.fromarray(np.full((20, 30), 30000, np.uint16)).save("in/d.png")
    page = Image.fromarray(np.full((20, 30), 90, np.uint8))
    page.save("in/e.tif", save_all=True, append_images=[page])
    result = denoise("in", "--output", "out")
    assert result.exit_code == 0
    assert "c.png: the input has colours; the result is grey" in result.stderr
    assert "d.png: written with 8 bits" in result.stderr
    assert "e.tif: has 2 pages; only the first is restored" in result.stderr


def test_a_full_disk_stops_the_run(denoise, small_disk, monkeypatch):
    monkeypatch.chdir(small_disk.parent)
    Path("in").mkdir()
    for name in "abc":
        noise = np.random.default_rng(0).integers(0, 256, (300, 300), dtype=np.uint8)
        Image.fromarray(noise).save(f"in/{name}.png")
    result = denoise("in", "--output", small_disk / "out")
    assert result.exit_code == 1
    assert "No space left on device" in result.stderr
    assert "0 restored, 0 skipped, 1 failed, 2 not tried" in result.stdout


def test_models_of_the_other_kind_are_refused_in_one_line(run, work, grey_files, weights, ten_darker):
    grey_files("a.png")
    result = run("denoise", "a.png", "--output", "out", "--model", weights)
    assert result.exit_code == 1 and not Path("out").exists()
    assert "Error: this model (unet) does not restore grey pictures" in result.stderr
    result = run("colorize", "a.png", "--output", "out", "--model", ten_darker)
    assert result.exit_code == 1 and "Error: this model (rbdn) restores grey pictures" in result.stderr
