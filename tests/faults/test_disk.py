"""Disks that are full, read-only, or give back other bytes than they were given; folders that go away."""

import errno
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from training_faults import HoldAtStep, NoWritingFrom, fail_from
from training_runs import Run, finish, leftovers, one_line_of_reason, whole_state

from gan_colorize.errors import UserError
from gan_colorize.files import save_bytes


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """A function that mounts a file system of its own with these options, or mounts it anew."""
    folder = tmp_path / "disk"

    def mount(options: str) -> Path:
        there = folder.exists()
        folder.mkdir(exist_ok=True)
        options = f"remount,{options}" if there else options
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
        may = sys.platform == "linux" and os.geteuid() == 0
        if not may or subprocess.run(command, capture_output=True).returncode:
            pytest.skip("mounting a file system needs root on Linux")
        return folder

    yield mount
    if folder.is_mount():
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


# Of a disk for what the whole run writes: nothing fits, the first checkpoint does not, the last does not.
@pytest.mark.parametrize("share", [0.02, 0.3, 0.9])
def test_a_disk_that_is_really_full(train, tmp_path, same, undisturbed, disk, share):
    needed = sum(path.stat().st_size + 4096 for path in undisturbed.rglob("*") if path.is_file())
    folder = disk(f"size={int(needed * share) // 1024}k") / "run"
    run = train(folder)
    assert run.wait() == 1, run.said
    assert "No space left on device" in one_line_of_reason(run.said)
    assert leftovers(folder) == []
    if (folder / "last" / "state.pt").exists():
        whole_state(folder)
    disk("size=64m")
    finish(train(folder, "--resume"))
    assert leftovers(folder) == []
    same(folder)


@pytest.mark.parametrize(("number", "error"), [(12, errno.EROFS), (31, errno.EIO)])
def test_a_disk_that_fails_under_way(train, tmp_path, same, number, error):
    folder = tmp_path / "run"
    run = train(folder, fault=NoWritingFrom(number, error))
    assert run.wait() == 1, run.said
    assert os.strerror(error) in one_line_of_reason(run.said)
    assert leftovers(folder) == []
    finish(train(folder, "--resume"))
    same(folder)


def test_every_operation_of_a_checkpoint_may_fail_and_a_whole_state_stays(tmp_path, monkeypatch):
    """Whatever fails, ``state.pt`` is whole and the newest or the one before, and so is ``previous.pt``."""
    newest, older = tmp_path / "state.pt", tmp_path / "previous.pt"
    number, saved = 1, False
    while not saved:
        older.write_bytes(b"1")
        newest.write_bytes(b"2")
        with monkeypatch.context() as patch:
            for place, name in ((Path, "replace"), (os, "fsync"), (os, "link"), (os, "open")):
                patch.setattr(place, name, getattr(place, name))  # put back afterwards
            fail_from(number)
            try:
                save_bytes(newest, b"3", older)
                saved = True
            except UserError as error:
                assert "No space left on device" in str(error)
        assert not list(tmp_path.glob(".part-*"))
        states = newest.read_bytes(), older.read_bytes()
        assert states == (b"3", b"2") if saved else states in ((b"2", b"1"), (b"2", b"2"))
        number += 1
    assert number > 5  # making, syncing, linking and two renamings


def test_without_hard_links_the_older_state_is_kept_too(tmp_path, monkeypatch):
    def refuse(*arguments: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    newest, older = tmp_path / "state.pt", tmp_path / "previous.pt"
    for content in (b"1", b"2", b"3"):
        save_bytes(newest, content, older)
    assert (newest.read_bytes(), older.read_bytes()) == (b"3", b"2")
    assert len(list(tmp_path.iterdir())) == 2


def test_a_read_only_folder_is_told_at_once(train, tmp_path, undisturbed, disk):
    folder = disk("size=64m") / "run"
    shutil.copytree(undisturbed, folder)
    disk("ro")
    for place, extra in ((folder, ("--resume",)), (folder.with_name("new"), ())):
        assert "Read-only file system" in one_line_of_reason(refused(train(place, *extra)))


def refused(run: Run) -> str:
    """What a run said that ended with 1."""
    assert run.wait() == 1, run.said
    return run.said


def test_a_folder_that_is_removed_under_way_is_told_and_not_made_anew(train, tmp_path, same):
    folder, gate = tmp_path / "run", tmp_path / "gate"
    run = train(folder, fault=HoldAtStep(4, gate))
    run.wait_for(gate)
    shutil.rmtree(folder)
    gate.unlink()
    assert "the run folder was removed or moved under way" in one_line_of_reason(refused(run))
    assert not folder.exists()


def test_a_folder_that_is_moved_under_way_goes_on_where_it_is_now(train, tmp_path, same):
    folder, elsewhere, gate = tmp_path / "run", tmp_path / "elsewhere", tmp_path / "gate"
    run = train(folder, fault=HoldAtStep(4, gate))
    run.wait_for(gate)
    folder.rename(elsewhere)
    gate.unlink()
    assert "removed or moved" in one_line_of_reason(refused(run))
    finish(train(elsewhere, "--resume"))
    assert leftovers(elsewhere) == []
    same(elsewhere)


def damaged(path: Path, kind: str) -> None:
    content = bytearray(path.read_bytes())
    if kind == "cut":
        del content[len(content) // 2 :]
    elif kind == "flipped":
        middle = len(content) // 2
        content[middle] ^= 1
    path.unlink()  # another file, or the name that both have would be damaged too
    if kind != "gone":
        path.write_bytes(content)


@pytest.mark.parametrize("kind", ["cut", "flipped", "gone"])
def test_a_damaged_state_gives_way_to_the_one_before(train, tmp_path, same, undisturbed, kind):
    folder = tmp_path / "run"
    shutil.copytree(undisturbed, folder)
    damaged(folder / "last" / "state.pt", kind)
    run = train(folder, "--resume")
    assert run.wait() == 0, run.said
    assert "state.pt is damaged or gone; going on from the checkpoint before it, at 40 images" in run.said
    same(folder)
    whole_state(folder, "previous.pt")


def test_without_a_whole_state_nothing_is_begun_and_nothing_is_lost(train, tmp_path, undisturbed):
    folder = tmp_path / "run"
    shutil.copytree(undisturbed, folder)
    for name in ("state.pt", "previous.pt"):
        damaged(folder / "last" / name, "flipped")
    before = {path: path.read_bytes() for path in folder.rglob("*.safetensors")}
    reason = one_line_of_reason(refused(train(folder, "--resume")))
    assert "previous.pt: cannot resume, the file is damaged" in reason and "--init" in reason
    assert before == {path: path.read_bytes() for path in folder.rglob("*.safetensors")}
