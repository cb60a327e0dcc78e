"""--files-from and "-": lists of files, of the kinds that people and ``find`` make; and what is no file."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

import gan_colorize
from gan_colorize.errors import UserError
from gan_colorize.inference.inputs import find_inputs, read_list

ENVIRONMENT = os.environ | {"PYTHONPATH": str(Path(gan_colorize.__file__).parents[1])}


def found(*inputs, listed=(), output="out"):
    said = []
    files, failures = find_inputs(list(inputs), Path(output), said.append, listed)
    return {one.source.as_posix(): one.relative.as_posix() for one in files}, failures, said


@pytest.mark.parametrize(
    ("content", "names"),
    [
        (b"a.png\nb c.png\n", ["a.png", "b c.png"]),
        (b"\xef\xbb\xbfa.png\r\n\r\n  \r\nb.png", ["a.png", "b.png"]),
        (b"a\nb.png\0./c.png\0", ["a\nb.png", "./c.png"]),
        (b"only one\0", ["only one"]),
        (b"caf\xe9.png\n", [os.fsdecode(b"caf\xe9.png")]),
        (b" spaces are a name's own .png\n", [" spaces are a name's own .png"]),
    ],
)
def test_lists_as_they_come(work, content, names):
    Path("list").write_bytes(content)
    assert read_list("list") == names


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"", "no path in"), (b"\n\n", "no path in"), ("a.png\n".encode("utf-16"), "UTF-16")],
)
def test_lists_that_are_none(work, content, words):
    Path("list").write_bytes(content)
    with pytest.raises(UserError, match=f"--files-from list: .*{words}"):
        read_list("list")


def test_a_photograph_is_no_list(work, grey_files):
    grey_files("a.png")
    with pytest.raises(UserError, match=r"--files-from a\.png: is an image and no list"):
        read_list("a.png")


def test_a_list_is_coloured_with_its_tree(colorize, work, grey_files):
    grey_files("in/a.png", "in/deep/b.png", "in/deep/er/c.png", "d.png")
    Path("list").write_text("in/a.png\nin/absent.png\nin/deep/b.png\n./in/a.png\n")
    result = colorize("--files-from", "list", "--output", "out")
    assert result.exit_code == 1
    assert result.stderr.splitlines() == ["Error: in/absent.png: no such file or folder"]
    assert "2 coloured, 0 skipped, 1 failed" in result.stdout
    assert Path("out/a.png").is_file() and Path("out/deep/b.png").is_file()


@pytest.mark.parametrize("arguments", [("-",), ("--files-from", "-")])
def test_standard_input(work, grey_files, weights, arguments):
    grey_files("in/a.png", "in/b.png")
    command = [sys.executable, "-m", "gan_colorize", "colorize", *arguments, "--output", "out"]
    done = subprocess.run(
        [*command, "--model", str(weights), "--device", "cpu"],
        env=ENVIRONMENT,
        input=b"in/a.png\0in/b.png\0",
        capture_output=True,
    )
    assert done.returncode == 0, done.stderr
    assert b"2 coloured" in done.stdout
    assert Path("out/b.png").is_file()


def test_what_find_lists(work, grey_files):
    """Folders among the files; each file once, below the folder that all have in common."""
    grey_files("in/a.png", "in/deep/b.png")
    listed = ["in", "in/a.png", "in/deep", "in/deep/b.png"]
    assert found(listed=listed)[0] == {"in/a.png": "a.png", "in/deep/b.png": "deep/b.png"}


def test_no_name_leads_out_of_the_output(work, grey_files, monkeypatch):
    grey_files("a.png", "here/a.png", "there/b.png")
    monkeypatch.chdir("here")
    assert sorted(found("../a.png", "a.png")[0].values()) == ["a.png", "here/a.png"]
    names = found(listed=["../a.png", "../there/../a.png", "a.png", "../there/b.png"])[0]
    assert sorted(names.values()) == ["a.png", "here/a.png", "there/b.png"]


def test_a_missing_list_and_no_input_at_all(colorize, work):
    result = colorize("--files-from", "absent", "--output", "out")
    assert result.exit_code == 1
    assert result.stderr.splitlines() == ["Error: --files-from absent: no such file or folder"]
    result = colorize("--output", "out")
    assert result.exit_code == 2 and "INPUT" in result.stderr.splitlines()[-1]


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX files")
def test_what_is_no_file_is_named_and_never_opened(work, grey_files):
    grey_files("in/good.png", "elsewhere/x.png")
    os.mkfifo("in/pipe.png")
    Path("in/to_pipe.png").symlink_to("pipe.png")
    Path("in/loop.png").symlink_to("loop.png")
    Path("in/nowhere.png").symlink_to("absent.png")
    Path("in/zero.png").symlink_to("/dev/zero")
    Path("in/good_link.png").symlink_to("good.png")
    Path("in/circle").symlink_to(".")
    Path("in/outside").symlink_to("../elsewhere")
    with socket.socket(socket.AF_UNIX) as unix:
        unix.bind("in/socket.png")
    expected = {
        "in/pipe.png": "is a named pipe, not a photograph",
        "in/to_pipe.png": "is a named pipe, not a photograph",
        "in/loop.png": "is a link that leads to itself",
        "in/nowhere.png": "is a link to absent.png, which is not there",
        "in/zero.png": "is a device, not a photograph",
        "in/socket.png": "is a socket, not a photograph",
    }
    files, failures, said = found("in")
    assert files == {"in/good.png": "good.png"}  # its link is the same file
    assert dict(failures) == {name: f"{name}: {why}" for name, why in expected.items()}
    assert said == ["in/circle and 1 more: links to folders are not followed; name what they lead to"]
    assert dict(found(*expected)[1]) == dict(failures)
    assert dict(found(listed=list(expected))[1]) == dict(failures)
    # a link that is named is followed
    assert list(found("in/outside")[0]) == ["in/outside/x.png"]


def test_many_listed_files_are_no_matter(work):
    """Equal names in many folders: their number is counted once, not for each."""
    for index in range(3000):
        Path(f"{index}").mkdir()
        Path(f"{index}/a.png").touch()
    names = [f"{index}/a.png" for index in range(3000)]
    assert found(listed=names)[0] == {name: name for name in names}
    assert found(*names)[0] == {name: name for name in names}
