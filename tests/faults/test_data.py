"""Photographs and the processes that read them go bad under way."""

import os
import signal
import tarfile
from pathlib import Path

import pytest
from training_faults import HoldAtStep
from training_runs import finish, leftovers, one_line_of_reason, whole_state

_BLOCK = 512  # of tar


@pytest.fixture
def shards(tmp_path: Path, photographs: Path) -> Path:
    """Two shards of six pictures each."""
    folder = tmp_path / "shards"
    folder.mkdir()
    paths = sorted(photographs.iterdir())
    for number in range(2):
        with tarfile.open(folder / f"{number}.tar", "w") as archive:
            for path in paths[6 * number : 6 * number + 6]:
                archive.add(path, path.name)
    return folder


def flip(path: Path, members: range, offset: int) -> None:
    """Turn bytes over in some members of a shard: in their data at ``offset``, or before it in the header."""
    with tarfile.open(path) as archive:
        places = [member.offset_data for member in archive.getmembers()]
    with path.open("r+b") as file:
        for member in members:
            file.seek(places[member] + offset)
            there = file.read(64)
            file.seek(places[member] + offset)
            file.write(bytes(255 - value for value in there))


def cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


@pytest.mark.parametrize("damage", ["data", "header", "cut"])
def test_a_shard_that_is_damaged_under_way(train, tmp_path, shards, damage):
    folder, gate = tmp_path / "run", tmp_path / "gate"
    run = train(folder, data=shards, fault=HoldAtStep(3, gate))
    run.wait_for(gate)
    if damage == "cut":
        cut(shards / "0.tar")
    else:
        flip(shards / "0.tar", range(6), 1 if damage == "data" else -_BLOCK)
    gate.unlink()
    assert run.wait() == 0, run.said
    log = (folder / "train.log").read_text()
    # the pixels of a picture whose header is gone are still where they were
    assert ("the next image takes its place" in log) == (damage != "header")
    whole_state(folder)

    (folder / "model.safetensors").unlink()
    again = train(folder, "--resume", data=shards)
    code = again.wait()
    assert leftovers(folder) == []
    if code == 0:
        assert "the data are not those of the saved run" in again.said or damage == "data"
        assert (folder / "model.safetensors").stat().st_size > 0
    else:
        assert code == 1 and "0.tar" in one_line_of_reason(again.said)


def test_nothing_left_to_read_is_a_clean_stop(train, tmp_path, shards):
    folder, gate = tmp_path / "run", tmp_path / "gate"
    kept = {path: path.read_bytes() for path in shards.iterdir()}
    run = train(folder, data=shards, fault=HoldAtStep(3, gate))
    run.wait_for(gate)
    for path in shards.iterdir():
        os.truncate(path, 0)
    gate.unlink()
    assert run.wait() == 1, run.said
    one_line_of_reason(run.said)
    whole_state(folder)
    assert leftovers(folder) == []
    for path, content in kept.items():
        path.write_bytes(content)
    finish(train(folder, "--resume", data=shards))


def children(pid: int) -> list[int]:
    """The data workers of a process: its children but for Python's own helpers."""
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        found += map(int, (task / "children").read_text().split())
    return [child for child in found if b"tracker" not in Path(f"/proc/{child}/cmdline").read_bytes()]


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="finds children in /proc")
def test_a_data_worker_that_is_killed_is_a_clean_stop(train, tmp_path, same):
    folder, gate = tmp_path / "run", tmp_path / "gate"
    run = train(folder, data__workers="1", fault=HoldAtStep(4, gate))
    run.wait_for(gate)
    workers = children(run.pid)
    assert workers
    for worker in workers:
        os.kill(worker, signal.SIGKILL)
    gate.unlink()
    assert run.wait() == 1, run.said
    assert "a data worker died" in one_line_of_reason(run.said)
    whole_state(folder)
    assert leftovers(folder) == []
    finish(train(folder, "--resume", data__workers="1"))
    same(folder)
