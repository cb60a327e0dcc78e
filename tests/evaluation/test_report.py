"""The report's three files: readable by machines, by people, and by eye."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gan_colorize.data.folder import open_source
from gan_colorize.errors import UserError
from gan_colorize.evaluation.protocol import Settings
from gan_colorize.evaluation.report import picture_grid, table, write_report
from gan_colorize.evaluation.runner import evaluate


def test_the_three_files(photographs: Path, one_colour, tmp_path: Path) -> None:
    (photographs / "empty.jpg").touch()
    report, grid = evaluate(one_colour(20), open_source(photographs), Settings(size=48, grid=2))
    write_report(report, grid, tmp_path / "out")
    assert json.loads((tmp_path / "out" / "report.json").read_text(encoding="utf-8")) == report
    page = (tmp_path / "out" / "report.md").read_text(encoding="utf-8")
    assert report["protocol"]["id"] in page
    assert f"{report['rows']['model']['psnr']:.2f}" in page
    assert "empty.jpg" in page and "LPIPS ↓" not in page  # no trunk, no column
    picture = Image.open(tmp_path / "out" / "grid.jpg")
    assert picture.size == (3 * 52 + 4, 22 + 2 * 52)


def test_what_json_cannot_say_is_not_written(photographs: Path, one_colour, tmp_path: Path) -> None:
    report, _ = evaluate(one_colour(20), open_source(photographs), Settings(size=48))
    report["rows"]["model"]["psnr"] = float("nan")
    with pytest.raises(ValueError):
        write_report(report, [], tmp_path)
    assert not (tmp_path / "report.json").exists()


def test_a_folder_that_cannot_be_written_is_one_line(photographs: Path, one_colour, tmp_path: Path) -> None:
    report, _ = evaluate(one_colour(20), open_source(photographs), Settings(size=48))
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="cannot write"):
        write_report(report, [], tmp_path / "file")


def test_table_has_a_column_for_every_metric_some_row_has() -> None:
    rows = {"grey": {"psnr": 21.5}, "model": {"psnr": 22.25, "lpips": 0.125}}
    assert table(rows) == [
        "| | LPIPS ↓ | PSNR dB ↑ |",
        "|---|---:|---:|",
        "| grey | – | 21.50 |",
        "| **model** | 0.1250 | 22.25 |",
    ]


def test_grid_shows_pictures_of_several_sizes_and_shrinks_large_ones() -> None:
    def flat(height: int, width: int, value: int) -> np.ndarray:
        return np.full((height, width, 3), value, np.uint8)

    rows = [
        tuple(flat(40, 60, value) for value in (10, 20, 30)),
        tuple(flat(1024, 512, v) for v in (40, 50, 60)),
    ]
    grid = np.asarray(picture_grid(rows))
    assert grid.shape == (22 + 44 + 260, 3 * (128 + 4) + 4, 3)
    for column, (upper, lower) in enumerate([(10, 40), (20, 50), (30, 60)]):
        left = 4 + column * 132
        assert (grid[22 : 22 + 40, left : left + 60] == upper).all()
        assert (grid[66 : 66 + 256, left : left + 128] == lower).all()
