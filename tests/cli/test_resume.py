"""--resume: runs killed at the worst moments go on; nothing is done twice, lost or overwritten."""

import hashlib
import json
import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import gan_colorize
from gan_colorize.inference.making import changes
from gan_colorize.inference.manifest import Manifest

ENVIRONMENT = os.environ | {"PYTHONPATH": str(Path(gan_colorize.__file__).parents[1])}
NAMES = [f"in/{'deep/' if index % 3 else ''}{index:02d}.png" for index in range(12)]

# The command, which kills itself at the n-th result: before or after it gets its name, or in the middle of a
# line of the manifest.
KILLED = """
import os, signal, sys
from pathlib import Path
from gan_colorize.cli.main import main

when, left = sys.argv[1], int(sys.argv[2])
replace, write = Path.replace, os.write

def end():
    os.kill(os.getpid(), signal.SIGKILL)

def replacing(self, target):
    global left
    left -= 1
    if left == 0 and when == "before":
        end()
    replace(self, target)
    if left == 0 and when == "after":
        end()

def writing(handle, data):
    global left
    left -= b'"event":"file"' in data[:20]
    if left == 0:
        write(handle, data[: len(data) // 2])
        end()
    return write(handle, data)

if when == "torn":
    os.write = writing
else:
    Path.replace = replacing
main(sys.argv[3:])
"""


def lines(folder="out"):
    return [json.loads(line) for line in Path(folder, "colorize-manifest.jsonl").read_bytes().splitlines()]


def report(folder="out"):
    return json.loads(Path(folder, "colorize-report.json").read_bytes())


def pictures(folder):
    """What the results show; their words tell when they were made."""
    shown = {}
    for path in Path(folder).rglob("*.png"):
        with Image.open(path) as image:
            shown[path.relative_to(folder)] = (image.mode, image.size, image.tobytes())
    return shown


def made():
    """How often each input was finished with a result."""
    return Counter(line["input"] for line in lines() if line["event"] == "file" and "outputs" in line)


def placed():
    """How often each result got its name, or was about to."""
    return Counter(line["path"] for line in lines() if line["event"] == "placed")


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_killed_again_and_again(colorize, work, grey_files, weights):
    grey_files(*NAMES)
    assert colorize("in", "--output", "whole").exit_code == 0
    command = [sys.executable, "-c", KILLED]
    arguments = ["colorize", "in", "--output", "out", "--model", str(weights), "--device", "cpu"]
    arguments += ["--precision", "fp32", "--resume"]
    kills = [("after", 3), ("torn", 2), ("before", 2)]
    for when, count in kills:
        done = subprocess.run([*command, when, str(count), *arguments], env=ENVIRONMENT, capture_output=True)
        assert done.returncode == -signal.SIGKILL, done.stderr
    assert not Path("out/colorize-report.json").exists()
    assert list(Path("out").rglob(".part-*"))

    result = colorize("in", "--output", "out", "--resume")
    assert result.exit_code == 0, result.output
    assert result.stderr == ""
    assert pictures("out") == pictures("whole")
    assert not list(Path("out").rglob(".part-*"))
    assert made() == dict.fromkeys(NAMES, 1)
    # only what was on its way when a run was killed was made again, and that once a kill
    again = [count - 1 for count in placed().values() if count > 1]
    assert max(placed().values()) <= 1 + len(kills)
    assert sum(again) <= len(kills) * 2 * (os.cpu_count() or 1)
    told = report()
    assert {entry["input"] for entry in told["files"] if entry["status"] == "coloured"} == set(NAMES)
    assert told["counts"]["coloured"] + told["counts"]["skipped"] == len(NAMES)
    # and once more there is nothing to do
    before = {path: path.stat().st_mtime_ns for path in Path("out").rglob("*.png")}
    assert "0 coloured, 12 skipped, 0 failed" in colorize("in", "--output", "out", "--resume").stdout
    assert before == {path: path.stat().st_mtime_ns for path in Path("out").rglob("*.png")}


def test_the_manifest_says_what_each_result_is_made_of(colorize, work, grey_files, weights):
    grey_files("in/a.png")
    Path("in/b.png").write_text("no photograph")
    assert colorize("in", "--output", "out").exit_code == 1
    run, *rest = lines()
    assert run["event"] == "run" and run["pid"] == os.getpid() and run["settings"]["quality"] == 95
    assert run["model"]["sha256"] == hashlib.sha256(weights.read_bytes()).hexdigest()
    assert Counter(line["event"] for line in rest) == {"placed": 1, "file": 2, "end": 1}
    assert all(line["run"] == run["run"] for line in rest)
    files = {line["input"]: line for line in rest if line["event"] == "file"}
    good, bad = files[str(Path("in/a.png"))], files[str(Path("in/b.png"))]
    source = Path("in/a.png")
    assert good["made_of"] == {
        "bytes": source.stat().st_size,
        "mtime_ns": source.stat().st_mtime_ns,
        "sha256": hashlib.sha256(source.read_bytes()).hexdigest(),
    }
    assert good["original"] == str(source.resolve())
    assert good["bytes"] == [Path("out/a.png").stat().st_size]
    assert good["settings_hash"] == run["settings_hash"] and good["model_sha256"] == run["model"]["sha256"]
    assert bad["status"] == "failed" and bad["error"].startswith(str(Path("in/b.png")))


def test_what_failed_is_tried_again_and_what_is_missing_made(colorize, work, grey_files):
    grey_files("in/a.png", "in/b.png", "in/c.png")
    good = Path("in/b.png").read_bytes()
    Path("in/b.png").write_text("no photograph")
    assert colorize("in", "--output", "out").exit_code == 1
    Path("in/b.png").write_bytes(good)
    Path("out/c.png").unlink()
    result = colorize("in", "--output", "out", "--resume")
    assert "2 coloured, 1 skipped, 0 failed" in result.stdout
    assert made() == {
        name.replace("/", os.sep): count
        for name, count in {"in/a.png": 1, "in/b.png": 1, "in/c.png": 2}.items()
    }
    assert not [entry for entry in report()["files"] if entry["status"] == "failed"]


def test_changed_settings_are_named_and_only_overwritten_when_told(colorize, work, grey_files):
    grey_files("in/a.png", "in/b.png")
    assert colorize("in", "--output", "out", "--temperature", "0.2").exit_code == 0
    before = pictures("out")
    result = colorize("in", "--output", "out", "--temperature", "0.5", "--resume")
    assert result.exit_code == 1
    first, *rest = result.stderr.splitlines()
    assert first.startswith("Warning: changed since the earlier run: temperature 0.2 -> 0.5")
    assert len(rest) == 2 and all(
        "made with other settings (temperature 0.2 -> 0.5); add" in line for line in rest
    )
    assert pictures("out") == before
    result = colorize("in", "--output", "out", "--temperature", "0.5", "--resume", "--overwrite")
    assert result.exit_code == 0 and "2 coloured" in result.stdout
    assert pictures("out") != before
    # how the work is done changes nothing
    result = colorize("in", "--output", "out", "--temperature", "0.5", "--resume", "--batch-size", 3)
    assert "0 coloured, 2 skipped" in result.stdout


def test_another_model_is_noticed(run, colorize, work, grey_files, weights, tmp_path_factory):
    from gan_colorize.zoo.checkpoint import load_model, save_model

    grey_files("in/a.png")
    assert colorize("in", "--output", "out").exit_code == 0
    other = tmp_path_factory.mktemp("other") / "m.safetensors"
    save_model(other, load_model(weights), {"images_seen": 4})
    options = "--device", "cpu", "--precision", "fp32", "--resume", "--model"
    result = run("colorize", "in", "--output", "out", *options, other)
    assert result.exit_code == 1
    assert f"model {lines()[0]['model']['sha256'][:12]} -> " in result.stderr
    # the same model under another name is the same
    copy = other.with_name("copy.safetensors")
    copy.write_bytes(weights.read_bytes())
    assert "1 skipped, 0 failed" in run("colorize", "in", "--output", "out", *options, copy).stdout


def test_a_changed_source_and_one_that_only_looks_changed(colorize, work, grey_files):
    grey_files("in/a.png", "in/b.png")
    assert colorize("in", "--output", "out").exit_code == 0
    os.utime("in/a.png", (1, 1))
    assert "0 coloured, 2 skipped" in colorize("in", "--output", "out", "--resume").stdout
    Image.open("in/a.png").rotate(180).save("in/b.png")
    result = colorize("in", "--output", "out", "--resume")
    assert result.exit_code == 1
    (line,) = result.stderr.splitlines()
    assert "b.png: the photograph was changed after" in line and "--overwrite" in line
    assert "1 coloured, 1 skipped" in colorize("in", "--output", "out", "--resume", "--overwrite").stdout


def test_other_peoples_files_and_edited_results_are_kept(colorize, work, grey_files):
    grey_files("in/a.png", "in/b.png")
    Path("out").mkdir()
    Path("out/a.png").write_text("mine")
    result = colorize("in", "--output", "out", "--resume")
    assert result.exit_code == 1 and "1 coloured, 0 skipped, 1 failed" in result.stdout
    assert "out/a.png exists and is not of an earlier run" in result.stderr.replace(os.sep, "/")
    assert Path("out/a.png").read_text() == "mine"
    Path("out/b.png").write_text("retouched")
    result = colorize("in", "--output", "out", "--resume")
    assert "out/b.png was changed after it was made" in result.stderr.replace(os.sep, "/")
    assert Path("out/b.png").read_text() == "retouched"


def test_a_file_that_appears_while_the_run_is_at_work_is_kept(colorize, work, grey_files, monkeypatch):
    from gan_colorize.inference.predictor import Predictor

    grey_files("in/a.png")
    see = Predictor.see

    def seeing(self, *arguments, **options):
        Path("out").mkdir(exist_ok=True)
        Path("out/a.png").write_text("mine")
        return see(self, *arguments, **options)

    monkeypatch.setattr(Predictor, "see", seeing)
    result = colorize("in", "--output", "out")
    assert result.exit_code == 1
    assert "was not there when this run began" in result.stderr
    assert Path("out/a.png").read_text() == "mine"
    assert not list(Path("out").glob(".part-*"))


def test_two_runs_at_once(colorize, work, grey_files):
    grey_files("in/a.png", "in/b.png")
    assert colorize("in/a.png", "--output", "out").exit_code == 0
    live = Manifest(Path("out/colorize-manifest.jsonl"))
    result = colorize("in", "--output", "out", "--resume")
    assert result.exit_code == 1
    (line,) = result.stderr.splitlines()
    assert line.startswith("Error: out: another run writes there")
    live.close()
    assert "1 coloured, 1 skipped" in colorize("in", "--output", "out", "--resume").stdout


def test_results_from_before_there_were_manifests_are_still_known(colorize, work, grey_files):
    grey_files("in/x.bmp", "in/x.jpg")
    assert colorize("in/x.bmp", "--output", "out", "--format", "png").exit_code == 0
    Path("out/colorize-manifest.jsonl").unlink()
    grey_files("y.png")
    assert colorize("y.png", "--output", "out").exit_code == 0  # the manifest is begun
    Path("out/colorize-report.json").unlink()
    result = colorize("in/x.jpg", "--output", "out", "--format", "png", "--skip-existing")
    assert result.exit_code == 1 and "was made from" in result.stderr


def test_what_made_a_result_is_known_without_a_report(colorize, work, grey_files):
    """As after kill -9, when only the manifest is there."""
    grey_files("in/x.bmp", "in/x.jpg")
    assert colorize("in/x.bmp", "--output", "out", "--format", "png", "--temperature", "0.2").exit_code == 0
    Path("out/colorize-report.json").unlink()
    result = colorize("in/x.jpg", "--output", "out", "--format", "png", "--skip-existing")
    assert result.exit_code == 1 and f"made from {Path('in/x.bmp').resolve()}" in result.stderr
    assert colorize("in/x.bmp", "--output", "out", "--format", "png", "--skip-existing").exit_code == 0
    (entry,) = report()["files"]
    assert entry["settings"]["temperature"] == 0.2 and entry["outputs"][0]["temperature"] == 0.2


def test_a_manifest_that_cannot_be_written_stops_the_run(colorize, work, grey_files, monkeypatch):
    grey_files(*NAMES)
    write, full = os.write, []

    def writing(handle, data):
        full.append(b'"event":"file"' in data[:20])
        if sum(full) > 2 and full[-1]:
            raise OSError(28, "No space left on device")
        return write(handle, data)

    monkeypatch.setattr(os, "write", writing)
    result = colorize("in", "--output", "out")
    monkeypatch.setattr(os, "write", write)
    assert result.exit_code == 1
    (line,) = [line for line in result.stderr.splitlines() if line.startswith("Error")]
    assert line.endswith("No space left on device; stopped") and "manifest" in line
    assert " not tried" in result.stdout
    assert sum(report()["counts"].values()) == len(NAMES)


@pytest.mark.parametrize("arguments", [("--resume", "--skip-existing"), ("--skip-existing", "--overwrite")])
def test_options_that_exclude_each_other(colorize, work, grey_files, arguments):
    grey_files("a.png")
    result = colorize("a.png", "--output", "out", *arguments)
    assert result.exit_code == 2 and "exclude each other" in result.stderr


def test_one_file_has_nothing_to_resume(colorize, work, grey_files):
    grey_files("a.png")
    result = colorize("a.png", "--output", "b.png", "--resume")
    assert result.exit_code == 2 and "--resume is for a folder" in result.stderr


def test_what_counts_as_another_making():
    entry = {"settings": {"quality": 95}, "model_sha256": "m", "hints_sha256": "1"}
    assert changes(entry, {"quality": 95}, "m", "1") == []
    assert changes(entry, {"quality": 95}, "m", "2") == ["its hints"]
    assert changes(entry, {"quality": 95, "new_option": None}, "m", "1") == []
    assert changes(entry, {"quality": 90, "views": 2}, "m", "1") == [
        "quality 95 -> 90",
        "views the default -> 2",
    ]


def test_photographs_that_were_not_left_are_not_made_again():
    entry = {"settings": {"if_toned": "leave"}, "outputs": [{"path": "a.png"}], "model_sha256": "m"}
    assert changes(entry, {"if_toned": "recolour"}, "m", None) == []
    entry["settings"] = {"if_toned": "recolour"}
    assert changes(entry, {"if_toned": "leave"}, "m", None) == ["if_toned recolour -> leave"]
    without = {"settings": {"if_toned": "leave"}, "model_sha256": "m"}
    assert changes(without, {"if_toned": "recolour"}, "m", None) == ["if_toned leave -> recolour"]


def test_a_run_that_cannot_begin_writes_no_report(colorize, work, grey_files, monkeypatch):
    """The manifest belongs to a run that began since this one looked: its report is not replaced."""
    grey_files("in/a.png", "in/b.png")
    begin = Manifest.begin
    other = []

    def late(self, *arguments):
        if not other:
            other.append(Manifest(self.path))
            begin(other[0], "other", {"settings": {}})
        begin(self, *arguments)

    monkeypatch.setattr(Manifest, "begin", late)
    result = colorize("in", "--output", "out")
    other[0].close()
    assert result.exit_code == 1
    (line,) = result.stderr.splitlines()
    assert "another run writes there" in line
    assert [path.name for path in Path("out").iterdir()] == ["colorize-manifest.jsonl"]


def test_what_was_left_as_it_is_by_wish_is_done(colorize, work, grey_files):
    rng = np.random.default_rng(0)
    Path("in").mkdir()
    coarse = Image.fromarray(rng.integers(0, 256, (4, 4, 3), dtype=np.uint8))
    coarse.resize((90, 60), Image.Resampling.BICUBIC).save("in/colours.png")
    grey_files("in/a.png")
    result = colorize("in", "--output", "out", "--if-coloured", "leave")
    assert result.exit_code == 0 and "1 coloured" in result.stdout and "1 left out" in result.stdout
    result = colorize("in", "--output", "out", "--if-coloured", "leave", "--resume")
    assert "0 coloured, 2 skipped, 0 failed" in result.stdout
    # with other settings there is something to do, and nothing to replace
    result = colorize("in/colours.png", "--output", "out", "--resume")
    assert result.exit_code == 0 and "1 coloured" in result.stdout
