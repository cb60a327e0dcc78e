"""The manifest: every line is there at once, half lines are repaired, one run has it at a time."""

import errno
import json
import os
from pathlib import Path

import pytest

from gan_colorize.errors import UserError
from gan_colorize.files import no_more_room
from gan_colorize.inference.history import History
from gan_colorize.inference.manifest import Manifest
from gan_colorize.inference.sweep import sweep

ABOUT = {"settings": {"quality": 95}}


def begun(path, run="aaa"):
    manifest = Manifest(path)
    manifest.begin(run, ABOUT)
    return manifest


def done(path, original="/in/a.png", size=3, **more):
    entry = {"event": "file", "run": "aaa", "input": "a.png", "original": original, "status": "coloured"}
    return entry | {"outputs": [{"path": path}], "bytes": [size], **more}


def test_lines_are_there_at_once_and_come_to_what_holds(tmp_path):
    path = tmp_path / "new" / "m.jsonl"
    manifest = begun(path)
    manifest.add(done("a.png"))
    manifest.add(done("b.png", "/in/b.png", size=4))
    manifest.add(done("a.png", "/in/other/a.png", size=5))
    manifest.add({"event": "file", "run": "aaa", "original": "/in/c", "status": "failed", "error": "oops"})
    events = [json.loads(line)["event"] for line in path.read_text().splitlines()]
    assert events == ["run", "file", "file", "file", "file"]
    manifest.close()
    history = Manifest(path).history
    assert history.made["a.png"]["original"] == "/in/other/a.png"
    assert history.made["b.png"]["settings"] == {"quality": 95}  # those of its run
    assert history.sizes == {"a.png": 5, "b.png": 4}
    assert [entry["original"] for entry in history.entries()] == ["/in/other/a.png", "/in/b.png", "/in/c"]
    assert history.unended == {"aaa"}


def test_names_that_are_no_unicode_come_back(tmp_path):
    name = os.fsdecode(b"caf\xe9\x1b[2J.png")
    manifest = begun(tmp_path / "m")
    manifest.add(done(name))
    manifest.close()
    assert (tmp_path / "m").read_bytes().isascii()
    assert list(Manifest(tmp_path / "m").history.made) == [name]


@pytest.mark.parametrize("cut", [1, 20, 60])
def test_a_torn_last_line_is_cut_off_and_the_next_one_is_whole(tmp_path, cut):
    path = tmp_path / "m"
    manifest = begun(path)
    manifest.add(done("a.png"))
    manifest.add(done("b.png"))
    manifest.close()
    path.write_bytes(path.read_bytes()[:-cut])
    again = Manifest(path)
    assert list(again.history.made) == ["a.png"]
    again.begin("bbb", ABOUT)
    again.add(done("c.png"))
    again.close()
    lines = [json.loads(line) for line in path.read_bytes().splitlines()]
    assert [line["event"] for line in lines] == ["run", "file", "run", "file"]


def test_damaged_lines_are_counted_and_passed_over(tmp_path):
    path, said = tmp_path / "m", []
    manifest = begun(path)
    manifest.add(done("a.png"))
    manifest.close()
    with path.open("ab") as file:
        file.write(b'\x00\x00\x00\n[1]\n{"event": "file"}\n' + json.dumps(done("z.png")).encode() + b"\n")
    manifest = Manifest(path, said.append)
    assert list(manifest.history.made) == ["a.png", "z.png"]
    (line,) = said
    assert "damaged lines were passed over: 3" in line


@pytest.mark.parametrize("content", [b"Dear diary", b"Dear\ndiary\n", b'{"files": []}\n', b"\xff\xfe\n"])
def test_another_file_of_that_name_is_refused_and_kept(tmp_path, content):
    path = tmp_path / "m"
    path.write_bytes(content)
    with pytest.raises(UserError, match="move it away"):
        Manifest(path)
    assert path.read_bytes() == content


def test_one_run_at_a_time(tmp_path):
    path = tmp_path / "m"
    first = begun(path)
    with pytest.raises(UserError, match=f"another run writes there.*process {os.getpid()} on") as caught:
        Manifest(path)
    assert len(str(caught.value).splitlines()) == 1
    first.close()
    Manifest(path).close()


def test_a_run_that_began_since_one_looked(tmp_path):
    late = Manifest(tmp_path / "m")
    begun(tmp_path / "m").close()
    with pytest.raises(UserError, match="another run has begun"):
        late.begin("bbb", ABOUT)
    late.close()
    assert len((tmp_path / "m").read_text().splitlines()) == 1


def test_a_file_system_without_locks_is_told_of(tmp_path, monkeypatch):
    fcntl = pytest.importorskip("fcntl")

    def refuse(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    begun(tmp_path / "m").close()
    monkeypatch.setattr(fcntl, "flock", refuse)
    said = []
    manifest = Manifest(tmp_path / "m", said.append)
    assert manifest.locked is None and "no locks" in said[0]
    manifest.close()


def test_a_full_disk_leaves_whole_lines(small_disk):
    """A line that does not fit is taken back, whatever part of it did."""
    manifest = begun(small_disk / "m")
    with pytest.raises(UserError, match="No space left") as caught:
        for index in range(1000):
            manifest.add(done(f"{index}.png", more="x" * 3000))
    assert no_more_room(caught.value)
    manifest.close()
    lines = [json.loads(line) for line in (small_disk / "m").read_bytes().splitlines()]
    assert len(lines) > 10 and lines[-1]["event"] == "file"


def test_a_disk_that_is_full_from_the_start_leaves_no_empty_manifest(tmp_path, monkeypatch):
    manifest = Manifest(tmp_path / "m")

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(UserError, match="No space left"):
        manifest.begin("aaa", ABOUT)
    assert not list(tmp_path.iterdir())


def test_unfinished_results_are_known_by_size_and_time(tmp_path):
    manifest = begun(tmp_path / "m")
    for name in ("a.png", "b.png", "c.png"):
        (tmp_path / name).write_bytes(b"abc")
        manifest.place("aaa", tmp_path / name, tmp_path / name)
    manifest.add(done("c.png"))
    manifest.close()
    (tmp_path / "b.png").write_bytes(b"abcd")
    history = Manifest(tmp_path / "m").history
    assert history.is_unfinished("a.png", tmp_path / "a.png")
    assert not history.is_unfinished("b.png", tmp_path / "b.png")  # somebody else's
    assert not history.is_unfinished("c.png", tmp_path / "c.png")  # done
    os.utime(tmp_path / "a.png", (1, 1))
    assert not history.is_unfinished("a.png", tmp_path / "a.png")


def test_a_run_that_is_killed_before_the_renaming_does_not_disown_what_an_earlier_one_left(tmp_path):
    manifest = begun(tmp_path / "m")
    (tmp_path / "a.png").write_bytes(b"abc")
    manifest.place("aaa", tmp_path / "a.png", tmp_path / "a.png")  # renamed, but never said to be done
    (tmp_path / ".part").write_bytes(b"other")
    manifest.place("aaa", tmp_path / "a.png", tmp_path / ".part")  # not renamed
    manifest.close()
    assert Manifest(tmp_path / "m").history.is_unfinished("a.png", tmp_path / "a.png")


def test_sweeping_takes_only_what_those_runs_left(tmp_path):
    (tmp_path / "deep").mkdir()
    names = ".part-aaa-1.png", "deep/.part-aaa-2.png", ".part-bbb-1.png", ".part-x.png", "part-aaa-.png"
    for name in names:
        (tmp_path / name).touch()
    assert sweep(tmp_path, {"aaa"}) == 2
    assert not {path.name for path in tmp_path.rglob("*aaa-[12]*")}
    assert {path.name for path in tmp_path.iterdir()} == {"deep", *names[2:]}
    assert sweep(tmp_path, set()) == 0


def test_many_files_are_no_matter(tmp_path):
    """Every result made twice over: reading is one pass, and nothing is looked for in a list."""
    lines = [json.dumps(done(f"{index}.png", f"/in/{index}")).encode() for index in range(20_000)]
    history = History()
    assert history.read([*lines, *lines], Path("m")) == 0
    assert len(history.entries()) == 20_000
