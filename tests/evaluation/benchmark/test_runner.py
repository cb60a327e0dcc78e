"""A whole benchmark: the same numbers as evaluate, rows that fail alone, runs that go on."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from gan_colorize.color.bins import bin_centres
from gan_colorize.data.folder import open_source
from gan_colorize.errors import UserError
from gan_colorize.evaluation.benchmark.entries import Grey
from gan_colorize.evaluation.benchmark.gather import SetOfPhotographs
from gan_colorize.evaluation.benchmark.protocol import Tools
from gan_colorize.evaluation.protocol import Settings
from gan_colorize.evaluation.runner import evaluate

BLUE, RED = 20, 250
CROP = Settings(size=48, grid=0)


def test_numbers_are_those_of_evaluate(
    photographs: Path, entries_of, measured, one_colour, tools: Tools
) -> None:
    report = measured(entries_of({"blue": BLUE, "red": RED}), photographs)
    table = report["sets"]["small"]
    lpips = tools.lpips["lpips_alex"]
    for name, number in (("blue", BLUE), ("red", RED)):
        expected, _ = evaluate(one_colour(number), open_source(photographs), CROP, lpips=lpips)
        ceiling = next(row for row in table["rows"] if row.startswith("truth through the bins"))
        for row, theirs in ((name, "model"), ("grey", "grey"), (ceiling, "truth_through_bins")):
            mine, wanted = table["rows"][row], dict(expected["rows"][theirs])
            wanted["lpips_alex"] = wanted.pop("lpips")
            for key in mine.keys() & wanted.keys():
                assert mine[key] == pytest.approx(wanted[key], rel=1e-4, abs=1e-6), (row, key)
            assert {"psnr", "ssim", "lpips_alex", "auc_rebalanced", "colorfulness_ratio"} <= mine.keys()
    assert list(table["rows"]) == ["blue", "red", "grey", "truth through the bins of blue, red"]
    assert table["photographs"] == len(table["per_image"]) == 5
    json.dumps(report, allow_nan=False)


def test_batch_size_changes_neither_numbers_nor_the_protocol(
    photographs: Path, entries_of, measured, tmp_path: Path
) -> None:
    reports = [
        measured(
            entries_of({"blue": BLUE}),
            photographs,
            Settings("native", grid=0, batch_size=size),
            output=tmp_path / str(size),
        )
        for size in (1, 16)
    ]
    assert reports[0]["protocol"] == reports[1]["protocol"]
    for row, values in reports[0]["sets"]["small"]["rows"].items():
        assert values == pytest.approx(reports[1]["sets"]["small"]["rows"][row], rel=1e-3, abs=1e-6)


def test_results_in_a_folder_are_measured_as_they_are(
    photographs: Path, entries_of, measured, tmp_path: Path
) -> None:
    """The truth as somebody's result is perfect; the truth made brighter has another lightness."""
    perfect, brighter = tmp_path / "perfect", tmp_path / "brighter"
    for folder in (perfect, brighter):
        folder.mkdir()
        for path in photographs.iterdir():
            pixels = np.asarray(Image.open(path))
            if folder is brighter:
                pixels = np.clip(pixels.astype(int) + 30, 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(folder / path.name)
    entries = entries_of({"blue": BLUE}, {"perfect": perfect, "brighter": brighter})
    report = measured(entries, photographs)
    rows = report["sets"]["small"]["rows"]
    assert rows["perfect"]["psnr"] == 100 and rows["perfect"]["lpips_alex"] == 0
    assert rows["perfect"]["auc"] == rows["perfect"]["auc_rebalanced"] == 100
    assert rows["perfect"]["lightness_error"] == 0 and rows["brighter"]["lightness_error"] > 3
    assert "diversity" not in rows["perfect"] and "nll" not in rows["perfect"]
    assert report["sets"]["small"]["failed"] == {}
    # known by what the files hold, wherever they lie
    prints = [report["entries"][name]["fingerprint"] for name in ("perfect", "brighter")]
    assert prints[0] != prints[1] and all(len(one) == 64 for one in prints)


def test_an_entry_that_fails_costs_its_row_and_no_other(
    photographs: Path, entries_of, measured, tmp_path: Path
) -> None:
    results = tmp_path / "results"
    results.mkdir()
    for name in ("0.png", "1.png"):
        (results / name).write_bytes((photographs / name).read_bytes())
    entries = entries_of({"blue": BLUE, "red": RED}, {"partial": results})

    def breaks(*arguments: Any, **options: Any) -> None:
        raise RuntimeError("out of\nluck")

    entries[1].colour = breaks
    lines: list[str] = []
    table = measured(entries, photographs, warn=lines.append)["sets"]["small"]
    assert set(table["failed"]) == {"red", "partial"}
    assert table["failed"]["red"] == "RuntimeError: out of luck"
    assert table["failed"]["partial"].startswith("3 of 5 photographs have no result: ")
    assert {"blue", "grey"} <= table["rows"].keys() and not {"red", "partial"} & table["rows"].keys()
    assert sum("left out of the table" in line for line in lines) == 2


def test_broken_and_grey_photographs_are_left_out_for_all(
    photographs: Path, entries_of, measured, tmp_path
) -> None:
    clean = measured(entries_of({"blue": BLUE}), photographs, output=tmp_path / "clean")
    (photographs / "text.jpg").write_text("no picture")
    Image.effect_noise((64, 64), 50).save(photographs / "grey.png")
    table = measured(entries_of({"blue": BLUE}), photographs)["sets"]["small"]
    assert [Path(item["name"]).name for item in table["broken"]] == ["text.jpg"]
    assert [Path(name).name for name in table["skipped_grey"]] == ["grey.png"]
    assert table["rows"] == clean["sets"]["small"]["rows"]
    for path in photographs.iterdir():
        if path.name != "grey.png":
            path.unlink()
    with pytest.raises(UserError, match="--data small: no colour photograph among 1"):
        measured(entries_of({"blue": BLUE}), photographs)


def test_an_ended_run_goes_on_where_it_was(photographs: Path, entries_of, measured, tmp_path: Path) -> None:
    settings = Settings(size=182, grid=0, batch_size=1)  # one photograph a batch
    whole = measured(entries_of({"blue": BLUE}), photographs, settings, output=tmp_path / "whole")
    entries = entries_of({"blue": BLUE})
    colour, calls = entries[0].colour, []

    def interrupted(*arguments: Any, **options: Any) -> Any:
        calls.append(len(arguments[1]))
        if len(calls) == 3:
            raise KeyboardInterrupt
        return colour(*arguments, **options)

    entries[0].colour = interrupted
    with pytest.raises(KeyboardInterrupt):
        measured(entries, photographs, settings)
    report = measured(entries, photographs, settings)
    assert sum(calls) == 2 + 1 + 3  # two done, one interrupted, three left
    assert report["sets"]["small"]["rows"] == whole["sets"]["small"]["rows"]
    # a model more: the others are not measured again; and other batches fit together with the old ones
    again = [*entries_of({"red": RED}), *entries]
    report = measured(again[:1] + entries, photographs, Settings(size=182, grid=0, batch_size=4))
    assert sum(calls) == 6 and {"red", "blue"} <= report["sets"]["small"]["rows"].keys()
    # other settings have parts of their own
    measured(entries, photographs, Settings(size=40, grid=0, batch_size=4))
    assert sum(calls) == 11


def test_several_sets_have_tables_of_their_own(
    photographs: Path, entries_of, measured, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    for name in ("0.png", "1.png"):
        (other / name).write_bytes((photographs / name).read_bytes())
    sets = [
        SetOfPhotographs(name, open_source(folder)) for name, folder in (("a", photographs), ("b", other))
    ]
    report = measured(entries_of({"blue": BLUE}), photographs, sets=sets)
    assert {name: table["photographs"] for name, table in report["sets"].items()} == {"a": 5, "b": 2}
    assert report["protocol"]["id"].startswith("bench-crop48-n7-alex-")


def test_samples_and_distributions_have_their_columns(photographs: Path, entries_of, measured) -> None:
    """A network that is certain of grey, which is possible at any lightness: all its samples are the same."""
    certain = bin_centres().tolist().index([0.0, 0.0])
    report = measured(entries_of({"blue": certain}), photographs)
    row = report["sets"]["small"]["rows"]["blue"]
    assert row["diversity"] == pytest.approx(0, abs=1e-6)
    assert row["nll"] > 20 and 0.9 < row["ece"] <= 1
    assert {"best_psnr", "best_lpips"} <= row.keys()
    known = report["sets"]["small"]["calibration"]["blue"]
    assert known["share"][-1] == pytest.approx(1) and sum(known["bins"]["predicted"]) == pytest.approx(1)


def test_one_photograph_has_values_and_no_intervals(photographs: Path, measured) -> None:
    report = measured([Grey()], photographs, Settings(size=48, limit=1, grid=0))
    table = report["sets"]["small"]
    assert table["rows"]["grey"]["psnr"] > 0 and table["ci95"] == {"grey": {}} and table["pairs"] == []
