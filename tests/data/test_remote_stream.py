"""Training from shards that are fetched: the same images for any workers and ranks, however interrupted."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from shard_server import ShardServer, serving, write_shards

from gan_colorize.data import download as downloads
from gan_colorize.data.download import Patience
from gan_colorize.data.folder import ImageSource, open_source, open_sources
from gan_colorize.data.held_out import split, spread
from gan_colorize.data.loader import TrainingStream
from gan_colorize.data.order import WindowedOrder
from gan_colorize.data.scan import Scan, scan_source
from gan_colorize.data.sharded import check_cache, scan_all
from gan_colorize.errors import UserError

_COUNTS = [9, 14, 11, 8, 12, 10, 13, 7]
_TOTAL = sum(_COUNTS)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(downloads, "PATIENCE", Patience(stall=0.3, give_up=0.6, first_pause=0.02))
    monkeypatch.setenv("GAN_COLORIZE_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ShardServer]:
    write_shards(tmp_path / "shards", _COUNTS)
    with serving(tmp_path / "shards") as server:
        yield server


def source_of(server: ShardServer) -> ImageSource:
    return open_source(f"{server.url}/train-{{000000..000007}}.tar")


def scan_of(source: ImageSource, **options: float) -> Scan:
    return scan_all(
        source,
        **{"min_colourfulness": 0.0, "short_side": 64, "cache_gigabytes": 1.0, "workers": 0, **options},
    )


def stream_of(server: ShardServer, **options: object) -> TrainingStream:
    source = source_of(server)
    options = {"batch_size": 8, "crop_size": 32, "seed": 3, "lanes": 4, **options}
    return TrainingStream(source, scan_of(source), **options)


def reds(stream: TrainingStream, batches: int) -> list[int]:
    """Which images come: their red is their number."""
    batch = iter(stream)
    return torch.cat([next(batch).rgb[:, 0, 0, 0] for _ in range(batches)]).tolist()


def test_every_image_once_an_epoch_and_every_shard_fetched_once(server: ShardServer) -> None:
    shown = reds(stream_of(server), 2 * _TOTAL // 8)
    assert sorted(shown[:_TOTAL]) == list(range(_TOTAL)) == sorted(shown[_TOTAL : 2 * _TOTAL])
    expected = WindowedOrder(np.arange(_TOTAL), np.cumsum([0, *_COUNTS]), 3, 4)
    assert shown == [expected(number) for number in range(2 * _TOTAL)]
    assert [server.requests[f"train-{s:06d}.tar"] for s in range(8)] == [1] * 8


def test_workers_ranks_and_resume_change_nothing(server: ShardServer) -> None:
    whole = reds(stream_of(server), 20)
    assert reds(stream_of(server, workers=2), 20) == whole
    assert reds(stream_of(server, position=56, workers=1), 13) == whole[56:]
    halves = [reds(stream_of(server, rank=rank, world=2), 20) for rank in (0, 1)]
    assert [red for pair in zip(*halves, strict=True) for red in pair] == whole
    assert [server.requests[f"train-{s:06d}.tar"] for s in range(8)] == [1] * 8


_RUN = """
import sys
from gan_colorize.data.folder import open_source
from gan_colorize.data.loader import TrainingStream
from gan_colorize.data.sharded import scan_all
source = open_source(sys.argv[1])
scan = scan_all(source, min_colourfulness=0, short_side=64, cache_gigabytes=0, workers=0)
position = int(sys.argv[2])
for batch in TrainingStream(source, scan, batch_size=8, crop_size=32, seed=3, lanes=4, position=position):
    print(batch.position, *batch.rgb[:, 0, 0, 0].tolist(), flush=True)
    if batch.position >= 160:
        break
"""


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL")
def test_killed_in_the_middle_and_resumed(server: ShardServer) -> None:
    """Killed without warning while shards are under way; the rest is exactly what would have come."""
    whole = reds(stream_of(server), 20)
    pattern = f"{server.url}/train-{{000000..000007}}.tar"
    for path in (Path(os.environ["GAN_COLORIZE_CACHE"]) / "shards").glob("*.tar"):
        path.unlink()
    shown: dict[int, int] = {}
    for lines_before_the_kill in (6, 5, 99):
        command = [sys.executable, "-c", _RUN, pattern, str(len(shown))]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            for count, line in enumerate(process.stdout, 1):
                position, *batch = (int(word) for word in line.split())
                assert not set(range(position - 8, position)) & set(shown)  # nothing comes twice
                shown |= dict(zip(range(position - 8, position), batch, strict=True))
                if count == lines_before_the_kill:
                    process.send_signal(signal.SIGKILL)
                    break
    assert [shown[number] for number in range(160)] == whole


def test_a_shard_that_is_gone_is_told_once(
    server: ShardServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    stream = stream_of(server, report=tmp_path / "skipped.txt", workers=2)
    (server.folder / "train-000001.tar").unlink()
    shown = reds(stream, 3 * _TOTAL // 8)
    gone = set(range(9, 23))
    assert not gone & set(shown) and set(shown) == set(range(_TOTAL)) - gone
    name = f"{server.url}/train-000001.tar"
    assert caplog.text.count(name) == 1 and "404 Not Found" in caplog.text
    assert (tmp_path / "skipped.txt").read_text() == f"{name}\t404 Not Found\n"
    reds(stream_of(server, report=tmp_path / "skipped.txt"), 12)  # the run goes on another day
    assert (tmp_path / "skipped.txt").read_text().count("\n") == 1


def test_images_of_the_others_come_as_they_would_have(server: ShardServer) -> None:
    whole = reds(stream_of(server), 24)
    stream = stream_of(server)
    stream._loader.dataset._source.cache.folder = Path(os.environ["GAN_COLORIZE_CACHE"]) / "empty"
    server.always("train-000004.tar", 503)
    shown = reds(stream, 24)
    gone = set(range(42, 54))
    assert [red for red in whole if red not in gone] == [
        red for red, before in zip(shown, whole, strict=True) if before not in gone
    ]


def test_all_shards_are_gone(server: ShardServer) -> None:
    streams = [stream_of(server, workers=workers) for workers in (0, 1)]
    for path in server.folder.glob("*.tar"):
        path.unlink()
    for stream in streams:
        with pytest.raises(UserError, match=r"no image can be read any more.*\.tar: 404 Not Found") as caught:
            reds(stream, 1)
        assert "\n" not in str(caught.value)


def test_the_scan_reads_no_shard_and_finds_what_a_look_finds(server: ShardServer) -> None:
    source = source_of(server)
    for threshold in (0.0, 50.0, 55.0):
        scan = scan_of(source, min_colourfulness=threshold)
        look = scan_source(
            open_source(server.folder),
            min_colourfulness=threshold,
            short_side=64,
            cache_gigabytes=0.0,
            workers=0,
        )
        assert np.array_equal(scan.kept, look.kept) and len(scan.greyish) == len(look.greyish)
    whole = scan_of(source)
    look = scan_source(
        open_source(server.folder), min_colourfulness=0, short_side=64, cache_gigabytes=0, workers=0
    )
    np.testing.assert_allclose(whole.histogram, look.histogram, atol=1e-6)
    assert set(server.requests) == {"index.json"}


def test_held_out_pictures_come_from_few_shards(server: ShardServer) -> None:
    source = source_of(server)
    scan = scan_of(source)
    train, held = split(source, scan, 12, seed=5)
    assert len(held) == 12 and sorted([*train, *held]) == list(range(_TOTAL))
    assert len({source.shard_of(i) for i in held}) == 4
    again = split(source, scan, 12, seed=5)
    assert np.array_equal(held, again[1]) and not np.array_equal(held, split(source, scan, 12, seed=6)[1])
    chosen = spread(source, 16)
    assert len(chosen) == 16 and len({source.shard_of(i) for i in chosen}) == 4
    assert len(split(source, scan, 500, seed=5)[1]) == _TOTAL // 5


def test_files_and_shards_together(server: ShardServer, pictures: Path) -> None:
    source = open_sources([pictures, f"{server.url}/train-{{000000..000007}}.tar"])
    scan = scan_of(source)
    assert len(scan.kept) == 12 + _TOTAL and scan.cache is None
    parts = [(12, open_source(pictures)), (_TOTAL, source_of(server))]
    mixed = sum(count * scan_of(part).histogram for count, part in parts) / (12 + _TOTAL)
    np.testing.assert_allclose(scan.histogram, mixed, atol=1e-9)
    options = {"batch_size": 6, "crop_size": 32, "seed": 3, "lanes": 4}
    shown = reds(TrainingStream(source, scan, **options), (12 + _TOTAL) // 6)
    assert len(set(shown) & set(range(_TOTAL))) >= _TOTAL - 4


def test_the_next_shards_are_fetched_before_they_are_needed(server: ShardServer) -> None:
    stream = stream_of(server, lanes=1)
    order = WindowedOrder(np.arange(_TOTAL), np.cumsum([0, *_COUNTS]), 3, 1)
    now, later, _ = order.shards_of(0)
    assert now and later and not set(now) & set(later)
    next(iter(stream))
    cache = stream._loader.dataset._source.cache
    shards = stream._loader.dataset._source.shards
    deadline = time.monotonic() + 10
    while not all(cache.has(shards[number]) for number in [*now, *later]):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert sum(cache.has(shard) for shard in shards) == len(now) + len(later)  # and no more than that


def test_a_cache_too_small_for_what_is_drawn_from(server: ShardServer) -> None:
    source = source_of(server)
    source.cache.limit = 4 * source.largest
    check_cache(source, lanes=2, window=2)
    with pytest.raises(UserError, match=r"data\.shard_cache_gigabytes=.* 6 shards"):
        check_cache(source, lanes=3, window=2)


def test_a_small_cache_is_enough(server: ShardServer) -> None:
    stream = stream_of(server, lanes=2)
    cache = stream._loader.dataset._source.cache
    cache.limit = 4 * stream._loader.dataset._source.largest
    batches = iter(stream)
    for _ in range(2 * _TOTAL // 8):
        next(batches)
        held = [path.stat().st_size for path in cache.folder.iterdir() if path.suffix == ".tar"]
        assert sum(held) <= cache.limit
    assert sum(server.requests.values()) <= 1 + 4 * 8  # an epoch fetches a shard once, or twice at a cut
