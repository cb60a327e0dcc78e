"""From photographs to a trained model by way of shards on a server, and what the run says of its troubles."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result
from safetensors.numpy import load_file

sys.path.insert(0, str(Path(__file__).parents[1] / "data"))

from shard_server import ShardServer, serving

from gan_colorize.data import download as downloads
from gan_colorize.data.download import Patience


@pytest.fixture
def server(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run: Callable[..., Result]
) -> Iterator[ShardServer]:
    """12 photographs, packed three a shard."""
    monkeypatch.setattr(downloads, "PATIENCE", Patience(stall=0.3, give_up=0.5, first_pause=0.02))
    monkeypatch.setenv("GAN_COLORIZE_CACHE", str(tmp_path / "cache"))
    packed = run("pack", pictures, "--output", tmp_path / "shards", "--images-per-shard", 3, "--jobs", 1)
    assert packed.exit_code == 0, packed.stderr
    with serving(tmp_path / "shards") as server:
        yield server


@pytest.fixture
def train(
    server: ShardServer, tiny_overrides: list[str], run: Callable[..., Result]
) -> Callable[..., Result]:
    """A function: output folder, images, more arguments -> result of training on the shards."""

    def arguments(output: Path, images: int, *more: str) -> list[str]:
        phase = f"phases=[{{train: generator, images: {images}, crop_size: 64, batch_size: 4}}]"
        options = [*tiny_overrides, "data.shard_lanes=2", phase]
        sets = [part for option in options for part in ("--set", option)]
        data = f"{server.url}/train-{{000000..000003}}.tar"
        return ["train", "--data", data, "--output", str(output), *sets, *more, "--device", "cpu"]

    def invoke(output: Path, images: int, *more: str) -> Result:
        return run(*arguments(output, images, *more))

    invoke.command = arguments
    return invoke


def records(output: Path) -> list[dict]:
    return [json.loads(line) for line in (output / "stats.jsonl").read_text().splitlines()]


def test_pack_then_train_over_http(server: ShardServer, train: Callable[..., Result], tmp_path: Path) -> None:
    whole = train(tmp_path / "whole", 48)
    assert whole.exit_code == 0, whole.output
    assert "12 of 12 pictures are usable" in whole.stderr and "10 to learn from, 2 held out" in whole.stderr
    assert (tmp_path / "whole" / "last" / "model.safetensors").is_file()
    assert sum(server.requests.values()) == 5  # the index, and each shard once
    # The shards lie in the cache: another run asks for the index alone.
    again = train(tmp_path / "again", 48)
    assert again.exit_code == 0 and sum(server.requests.values()) == 6
    assert records(tmp_path / "again") == records(tmp_path / "whole")


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL")
def test_killed_and_resumed_it_ends_with_the_same_weights(
    server: ShardServer, train: Callable[..., Result], tmp_path: Path
) -> None:
    assert train(tmp_path / "whole", 160).exit_code == 0
    # The same command in a process of its own, on a machine whose cache is empty.
    command = train.command(tmp_path / "killed", 160)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    environment["GAN_COLORIZE_CACHE"] = str(tmp_path / "other")
    process = subprocess.Popen(
        [sys.executable, "-m", "gan_colorize", *command], stderr=subprocess.PIPE, text=True, env=environment
    )
    deadline = time.monotonic() + 120
    while not (tmp_path / "killed" / "last" / "state.pt").exists():
        assert process.poll() is None and time.monotonic() < deadline, process.stderr.read()
        time.sleep(0.02)
    process.kill()
    process.communicate()
    assert not (tmp_path / "killed" / "model.safetensors").exists()
    resumed = train(tmp_path / "killed", 160, "--resume")
    assert resumed.exit_code == 0, resumed.stderr
    assert records(tmp_path / "killed") == records(tmp_path / "whole")
    one, other = (load_file(tmp_path / name / "model.safetensors") for name in ("killed", "whole"))
    assert one.keys() == other.keys() and all(np.array_equal(one[key], other[key]) for key in one)


def test_a_shard_that_is_gone_is_in_the_log_and_in_the_run_folder(
    server: ShardServer, train: Callable[..., Result], tmp_path: Path
) -> None:
    """The validation pictures come from all four shards here; one of them goes away before training."""
    (server.folder / "train-000002.tar").unlink()
    result = train(tmp_path / "run", 48)
    assert result.exit_code == 0, result.output
    name = f"{server.url}/train-000002.tar"
    log = (tmp_path / "run" / "train.log").read_text()
    assert log.count(name) == 1 and "404 Not Found; the next image takes its place" in log
    assert (tmp_path / "run" / "skipped.txt").read_text() == f"{name}\t404 Not Found\n"


def test_no_shard_is_left(server: ShardServer, train: Callable[..., Result], tmp_path: Path) -> None:
    for path in server.folder.glob("*.tar"):
        path.unlink()
    result = train(tmp_path / "run", 48)
    assert result.exit_code == 1 and "Error: " in result.stderr
    assert "404 Not Found" in result.stderr or "can be read" in result.stderr


def test_a_cache_that_is_too_small_is_told_before_training(
    train: Callable[..., Result], tmp_path: Path
) -> None:
    result = train(tmp_path / "run", 48, "--set", "data.shard_cache_gigabytes=1e-5")
    assert result.exit_code == 1 and "raise it, or lower data.shard_lanes" in result.stderr


def test_the_address_is_no_path(
    train: Callable[..., Result], tmp_path: Path, run: Callable[..., Result]
) -> None:
    result = run("train", "--data", "https://127.0.0.1:9/x-{000..", "--output", tmp_path / "run")
    assert result.exit_code == 1 and "https://127.0.0.1:9/x-{000..: unbalanced braces" in result.stderr
