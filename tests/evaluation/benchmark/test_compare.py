"""Reports are joined where their protocol is one, and refused where it is not."""

import copy
import json
from pathlib import Path

import numpy as np
import pytest

from gan_colorize.data.folder import open_source
from gan_colorize.errors import UserError
from gan_colorize.evaluation.benchmark.compare import join, read_report
from gan_colorize.evaluation.benchmark.gather import SetOfPhotographs
from gan_colorize.evaluation.protocol import Settings

BLUE, RED = 20, 250


@pytest.fixture
def pair(photographs: Path, entries_of, measured, tmp_path: Path) -> list[tuple[str, dict]]:
    """Two reports of the same photographs under other names, with one model each."""
    renamed = tmp_path / "renamed"
    renamed.mkdir()
    for path in photographs.iterdir():
        (renamed / f"z{9 - int(path.stem)}.png").write_bytes(path.read_bytes())
    reports = []
    for name, number, folder in (("blue", BLUE, photographs), ("red", RED, renamed)):
        sets = [SetOfPhotographs(f"set of {name}", open_source(folder))]
        reports.append((f"{name}.json", measured(entries_of({name: number}), folder, sets=sets)))
    return json.loads(json.dumps(reports))


def test_one_table_of_two_reports(pair, photographs: Path, entries_of, measured, tmp_path: Path) -> None:
    joined = join(pair)
    (table,) = joined["sets"].values()
    together = measured(entries_of({"blue": BLUE, "red": RED}), photographs, output=tmp_path / "together")
    expected = together["sets"]["small"]
    assert {"blue", "red", "grey"} <= table["rows"].keys()
    for name in ("blue", "red", "grey"):
        assert table["rows"][name] == pytest.approx(expected["rows"][name], rel=1e-5, abs=1e-9)
        # draws follow the photographs' content, so that intervals agree as well
        assert table["ci95"][name].keys() == expected["ci95"][name].keys()
        for key, ends in table["ci95"][name].items():
            assert ends == pytest.approx(expected["ci95"][name][key], rel=1e-5, abs=1e-9)
    assert joined["protocol"]["id"] == together["protocol"]["id"]
    found = {(p["metric"], frozenset((p["a"], p["b"]))): p["p_holm"] for p in table["pairs"]}
    wanted = {
        (p["metric"], frozenset((p["a"], p["b"]))): p["p_holm"]
        for p in expected["pairs"]
        if p["test"] == "sign flips"
    }
    assert found == pytest.approx(wanted)
    # grey is one row, for it is the same in both; what its twin's values were is checked
    assert [row for row in table["rows"] if row.startswith("grey")] == ["grey"] and joined["notes"] == []


def test_other_protocols_are_refused_by_field(
    pair, photographs: Path, entries_of, measured, tmp_path
) -> None:
    other = measured(entries_of({"red": RED}), photographs, Settings("stretch", 48, grid=0))
    with pytest.raises(UserError, match=r"blue\.json and c\.json cannot be compared: .* differ in resize$"):
        join([pair[0], ("c.json", other)])
    (photographs / "0.png").unlink()
    fewer = measured(entries_of({"red": RED}), photographs, output=tmp_path / "fewer")
    with pytest.raises(UserError, match=r"differ in sets$"):
        join([pair[0], ("d.json", fewer)])


def test_names_that_two_models_share_are_told_apart(pair) -> None:
    other = copy.deepcopy(pair[0][1])
    other["entries"]["blue"]["fingerprint"] = "another file"
    joined = join([pair[0], ("b.json", other)])
    (table,) = joined["sets"].values()
    assert {"blue", "blue (b.json)"} <= table["rows"].keys()
    assert {"blue", "blue (b.json)"} <= table["per_image"][0]["values"].keys()
    again = join([pair[0], ("same.json", pair[0][1])])
    assert (
        next(iter(again["sets"].values()))["rows"].keys() == pair[0][1]["sets"]["set of blue"]["rows"].keys()
    )


def test_a_model_that_measured_otherwise_elsewhere_is_named(pair) -> None:
    other = copy.deepcopy(pair[0][1])
    other["sets"]["set of blue"]["rows"]["blue"]["psnr"] += 0.1
    (note,) = join([pair[0], ("b.json", other)])["notes"]
    assert note == "b.json: blue was measured differently: psnr"


def test_what_is_no_report_is_refused(tmp_path: Path, pair) -> None:
    path = tmp_path / "report.json"
    with pytest.raises(UserError, match="No such file"):
        read_report(path)
    for content, why in (
        ("<html>", "is no JSON"),
        ('{"protocol": {}}', "is no report of gan-colorize benchmark"),
        (json.dumps({**pair[0][1], "format_version": 99}), "format version 99"),
        (json.dumps({k: v for k, v in pair[0][1].items() if k != "sets"}), "incomplete .lacks sets"),
    ):
        path.write_text(content, encoding="utf-8")
        with pytest.raises(UserError, match=why):
            read_report(path)
    path.write_text(json.dumps(pair[0][1]), encoding="utf-8")
    assert read_report(path)["sets"].keys() == {"set of blue"}
    assert np.isfinite(read_report(path)["sets"]["set of blue"]["rows"]["grey"]["psnr"])
