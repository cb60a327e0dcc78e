"""Which files are coloured and where the results go."""

import errno
import os
from pathlib import Path

import pytest

from gan_colorize.errors import UserError
from gan_colorize.inference.inputs import find_inputs
from gan_colorize.inference.plan import names_one_file, plan


@pytest.fixture
def tree(tmp_path, monkeypatch):
    """scans/ with a tree of files; the working directory is its parent."""
    monkeypatch.chdir(tmp_path)
    names = "a.jpg", "b.PNG", "notes.txt", ".hidden.jpg", "deep/c.tif", "deep/er/d.webp", ".trash/e.jpg"
    for name in names:
        touch(Path("scans", name))
    return tmp_path


def touch(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x")
    return path


def found(*inputs, output="out"):
    files, failures = find_inputs(list(inputs), Path(output))
    return {one.source.as_posix(): one.relative.as_posix() for one in files}, failures


def planned(files, output="out", **options):
    asked = {"suffix": None, "samples": 0, "confidence": False, "existing": "fail", "single_file": False}
    every, _ = find_inputs(files, Path(output))
    return plan(every, Path(output), **(asked | options))


def targets(result):
    return {job.source.as_posix(): [path.as_posix() for path in job.outputs] for job in result.jobs}


def test_folder_keeps_its_tree_and_leaves_out_what_is_no_image(tree):
    assert found("scans") == (
        {
            "scans/a.jpg": "a.jpg",
            "scans/b.PNG": "b.PNG",
            "scans/deep/c.tif": "deep/c.tif",
            "scans/deep/er/d.webp": "deep/er/d.webp",
        },
        [],
    )


def test_quoted_globs_keep_the_tree_below_their_fixed_part(tree):
    assert found("scans/**/*.[tw]*")[0] == {
        "scans/deep/c.tif": "deep/c.tif",
        "scans/deep/er/d.webp": "deep/er/d.webp",
    }
    assert found(str(tree / "scans" / "*.jpg"))[0] == {(tree / "scans/a.jpg").as_posix(): "a.jpg"}
    assert found("scans/d*")[0] == {
        "scans/deep/c.tif": "deep/c.tif",
        "scans/deep/er/d.webp": "deep/er/d.webp",
    }


def test_a_file_whose_name_looks_like_a_glob(tree):
    touch(Path("x[1].jpg"))
    assert found("x[1].jpg")[0] == {"x[1].jpg": "x[1].jpg"}


def test_named_files_are_taken_whatever_their_suffix(tree):
    assert found("scans/notes.txt")[0] == {"scans/notes.txt": "notes.txt"}


def test_named_files_of_one_name_keep_their_folders(tree):
    touch(Path("scans/deep/a.jpg"))
    assert found("scans/a.jpg", "scans/deep/a.jpg", "scans/b.PNG")[0] == {
        "scans/a.jpg": "a.jpg",
        "scans/deep/a.jpg": "deep/a.jpg",
        "scans/b.PNG": "b.PNG",
    }


def test_several_folders_keep_their_names(tree):
    touch(Path("more/a.jpg"))
    files = found("scans", "more")[0]
    assert files["scans/a.jpg"] == "scans/a.jpg"
    assert files["more/a.jpg"] == "more/a.jpg"


def test_each_file_once(tree):
    assert list(found("scans/a.jpg", "scans", "scans/*.jpg")[0].values()).count("a.jpg") == 1


def test_what_gives_nothing_is_said(tree):
    Path("empty").mkdir()
    files, failures = found("absent.jpg", "empty", "scans/*.gif", "scans/a.jpg")
    assert list(files) == ["scans/a.jpg"]
    lines = dict(failures)
    assert lines["absent.jpg"] == "absent.jpg: no such file or folder"
    assert "no images in this folder" in lines["empty"]
    assert "no image matches" in lines["scans/*.gif"]


def test_results_inside_an_input_folder_are_no_inputs(tree):
    touch(Path("scans/out/a.jpg"))
    assert "scans/out/a.jpg" not in found("scans", output="scans/out")[0]
    assert "scans/out/a.jpg" not in found("scans/**/*.jpg", output="scans/out")[0]
    # but an output folder around the input hides nothing
    assert "scans/a.jpg" in found("scans", output=".")[0]


def test_folders_that_cannot_be_read_are_failures(tree, monkeypatch):
    """Root may read everything, so the system is asked to refuse."""
    scandir = os.scandir

    def refuse(folder):
        if Path(folder).name == "deep":
            raise PermissionError(errno.EACCES, "Permission denied", str(folder))
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", refuse)
    deep = str(Path("scans/deep"))
    for name in ("scans", "scans/**/*.[jP]*"):
        files, failures = found(name)
        assert list(files) == ["scans/a.jpg", "scans/b.PNG"]
        assert failures == [(deep, f"{deep}: Permission denied")]
    for name in ("scans/deep", "scans/deep/*.tif"):
        assert found(name) == ({}, [(deep, f"{deep}: Permission denied")])


def test_a_file_behind_a_folder_that_may_not_be_entered(tree, monkeypatch):
    stat = os.stat

    def refuse(path, *args, **options):
        if str(path).endswith("c.tif"):
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return stat(path, *args, **options)

    monkeypatch.setattr(os, "stat", refuse)
    assert found("scans/deep/c.tif") == ({}, [("scans/deep/c.tif", "scans/deep/c.tif: Permission denied")])


@pytest.mark.parametrize(
    ("name", "suffix", "expected"),
    [
        ("a.jpg", None, "a.jpg"),
        ("a.JPEG", None, "a.JPEG"),
        ("a.gif", None, "a.png"),
        ("a.bmp", None, "a.bmp"),
        ("a", None, "a.png"),
        ("a.b.tif", ".jpg", "a.b.jpg"),
        ("a.jpeg", ".jpg", "a.jpeg"),
        ("a.TIF", ".tiff", "a.TIF"),
    ],
)
def test_suffixes(tree, name, suffix, expected):
    touch(Path(name))
    assert targets(planned([name], suffix=suffix)) == {name: [f"out/{expected}"]}


def test_names_that_meet_keep_both_results(tree):
    for name in ("in/a.jpg", "in/a.png", "in/a.tif"):
        touch(Path(name))
    assert targets(planned(["in"], suffix=".png")) == {
        "in/a.jpg": ["out/a.jpg.png"],
        "in/a.png": ["out/a.png"],
        "in/a.tif": ["out/a.tif.png"],
    }


def test_names_that_still_meet_fail_in_one_line(tree):
    for name in ("in/a.png", "in/a.gif", "in/a.gif.png"):
        touch(Path(name))
    result = planned(["in"])
    assert len(result.jobs) == 2
    ((source, line),) = result.failures
    assert "already that of" in line
    assert source in line


def test_samples_and_confidence_have_names_of_their_own(tree):
    (job,) = planned(["scans/a.jpg"], samples=2, confidence=True).jobs
    assert job.outputs == (Path("out/a.sample1.jpg"), Path("out/a.sample2.jpg"))
    assert job.confidence == Path("out/a.confidence.png")


def test_existing_results(tree):
    touch(Path("out/a.jpg"))
    result = planned(["scans/a.jpg", "scans/b.PNG"])
    assert list(targets(result)) == ["scans/b.PNG"]
    assert result.failures[0][1] == "scans/a.jpg: out/a.jpg exists; add --overwrite or --skip-existing"
    result = planned(["scans/a.jpg", "scans/b.PNG"], existing="skip")
    assert result.skipped == [Path("scans/a.jpg")]
    assert list(targets(result)) == ["scans/b.PNG"]
    assert len(planned(["scans/a.jpg", "scans/b.PNG"], existing="overwrite").jobs) == 2
    # one of two results is not all of them
    assert planned(["scans/a.jpg"], existing="skip", confidence=True).skipped == []


@pytest.mark.parametrize("existing", ["fail", "skip", "overwrite"])
def test_originals_are_never_a_target(tree, existing):
    result = planned(["scans/a.jpg", "scans/deep/c.tif"], output="scans", existing=existing)
    assert [job.source for job in result.jobs] == [Path("scans/deep/c.tif")]
    assert "would replace an original" in result.failures[0][1]


@pytest.mark.skipif(os.name == "nt", reason="links need a privilege on Windows")
def test_originals_behind_links_are_never_a_target(tree):
    Path("out").mkdir()
    Path("out/a.jpg").symlink_to(tree / "scans" / "a.jpg")
    result = planned(["scans/a.jpg"], existing="overwrite")
    assert not result.jobs
    assert "would replace an original" in result.failures[0][1]


def test_output_that_is_one_file(tree):
    assert names_one_file(["scans/a.jpg"], Path("colour.png"), None)
    assert names_one_file(["scans/a.jpg"], Path("colour.jpeg"), ".jpg")
    assert not names_one_file(["scans/a.jpg"], Path("colour"), None)
    Path("folder.png").mkdir()
    assert not names_one_file(["scans/a.jpg"], Path("folder.png"), None)


@pytest.mark.parametrize(
    ("inputs", "output", "suffix", "words"),
    [
        (["scans"], "scans", None, "is an input folder"),
        (["scans"], "scans/../scans", None, "is an input folder"),
        (["scans"], "colour.png", None, "names one image"),
        (["scans/*.jpg"], "colour.png", None, "names one image"),
        (["absent.jpg"], "colour.png", None, "absent.jpg: no such file or folder"),
        (["scans/a.jpg", "scans/b.PNG"], "colour.png", None, "names one image"),
        (["scans/a.jpg"], "colour.gif", None, "cannot write .gif"),
        (["scans/a.jpg"], "colour.jpg", ".png", "contradicts --format png"),
        (["scans/a.jpg"], "scans/notes.txt", None, "is a file; name a folder"),
    ],
)
def test_outputs_that_cannot_be(tree, inputs, output, suffix, words):
    with pytest.raises(UserError, match=words):
        names_one_file(inputs, Path(output), suffix)


@pytest.mark.skipif(os.name == "nt", reason="links need a privilege on Windows")
def test_a_link_in_the_output_does_not_lead_out_of_it(tree):
    Path("elsewhere").mkdir()
    Path("out/inner").mkdir(parents=True)
    Path("out/deep").symlink_to(tree / "elsewhere")
    Path("real").symlink_to("out")  # the output itself may be a link
    for output in ("out", "real"):
        result = planned(["scans"], output=output, existing="overwrite")
        assert sorted(job.source.name for job in result.jobs) == ["a.jpg", "b.PNG"]
        assert [source for source, _ in result.failures] == ["scans/deep/c.tif", "scans/deep/er/d.webp"]
        assert all(f"leads out of --output, to {tree / 'elsewhere'}" in line for _, line in result.failures)
    Path("out/deep").unlink()
    Path("out/deep").symlink_to("inner")
    assert not planned(["scans"]).failures


@pytest.mark.skipif(os.name == "nt", reason="links need a privilege on Windows")
def test_a_link_to_nothing_is_there(tree):
    Path("out").mkdir()
    Path("out/a.jpg").symlink_to("absent")
    assert "exists" in planned(["scans/a.jpg"]).failures[0][1]


def test_twins_on_a_file_system_that_folds_names(tree, monkeypatch):
    composed, decomposed = "in/caf\u00e9.png", "in/cafe\u0301.png"
    for name in ("in/a.png", "in/A.png", composed, decomposed):
        touch(Path(name))
    if len(list(Path("in").iterdir())) < 4:
        pytest.skip("this file system folds names itself")
    assert len(planned(["in"]).jobs) == 4
    monkeypatch.setattr("gan_colorize.file_names._ask", lambda folder: (True, True))
    result = planned(["in"])
    assert len(result.jobs) == 2 and len(result.failures) == 2
    assert all("already that of" in line for _, line in result.failures)


def test_an_original_under_another_spelling_is_no_target(tree):
    """As on file systems that ignore case: the path differs, the file is the same."""
    Path("out").mkdir()
    Path("out/a.jpg").hardlink_to("scans/a.jpg")
    result = planned(["scans/a.jpg"], existing="overwrite")
    assert not result.jobs and "would replace an original" in result.failures[0][1]


def test_names_that_get_too_long_are_shortened(tree):
    name = "x" * 243 + ".jpg"
    touch(Path(name))
    ninth, tenth = planned([name], samples=10).jobs[0].outputs[8:]
    assert ninth.name == "x" * 243 + ".sample9.jpg"  # 255 bytes
    assert len(tenth.name) == 255 and "~" in tenth.name and tenth.suffix == ".jpg"
    touch(tenth)


def test_names_that_windows_does_not_take(tree, monkeypatch):
    if os.name == "nt":
        pytest.skip("cannot be made there")
    touch(Path("in/aux/what?.jpg"))
    touch(Path("in/b.jpg"))
    monkeypatch.setattr("gan_colorize.inference.plan.sys.platform", "win32")
    assert targets(planned(["in"]))["in/aux/what?.jpg"] == ["out/aux_/what_.jpg"]
