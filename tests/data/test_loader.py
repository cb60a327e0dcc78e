"""The stream is a function of (seed, position): the same for any workers and after any resume."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from gan_colorize.data.folder import open_source
from gan_colorize.data.loader import TrainingStream, load_validation, validation_split
from gan_colorize.data.scan import Scan, scan_source
from gan_colorize.errors import UserError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """10 flat pictures, picture i with a red of 10 i."""
    root = tmp_path / "flat"
    root.mkdir()
    for i in range(10):
        Image.new("RGB", (40, 32), (10 * i, 200, 30)).save(root / f"{i}.png")
    return root


def scan_of(folder: Path, cached: bool = True) -> Scan:
    return scan_source(
        open_source(folder), min_colourfulness=0, short_side=48, cache_gigabytes=float(cached), workers=0
    )


def take(stream: TrainingStream, count: int) -> list:
    batches = iter(stream)
    return [next(batches) for _ in range(count)]


def stream_of(folder: Path, scan: Scan, **options: object) -> TrainingStream:
    return TrainingStream(
        open_source(folder), scan, **{"batch_size": 4, "crop_size": 32, "seed": 1, **options}
    )


def test_shape_and_position(folder: Path) -> None:
    batches = take(stream_of(folder, scan_of(folder)), 3)
    assert [b.position for b in batches] == [4, 8, 12]
    assert batches[0].rgb.shape == (4, 3, 32, 32) and batches[0].rgb.dtype == torch.uint8
    assert batches[0].rgb.is_contiguous()


def test_every_epoch_shows_every_picture_once(folder: Path) -> None:
    """Flat pictures survive cropping, so their red tells which they are."""
    reds = torch.cat([b.rgb[:, 0, 0, 0] for b in take(stream_of(folder, scan_of(folder)), 15)]).reshape(6, 10)
    assert all(sorted(epoch) == [10 * i for i in range(10)] for epoch in reds.tolist())
    assert len({tuple(epoch) for epoch in reds.tolist()}) > 4  # in another order each time


def test_workers_change_nothing(pictures: Path) -> None:
    scan = scan_of(pictures)
    alone = take(stream_of(pictures, scan), 6)
    for workers in (1, 2):
        others = take(stream_of(pictures, scan, workers=workers), 6)
        assert all(
            torch.equal(a.rgb, b.rgb) and a.position == b.position for a, b in zip(alone, others, strict=True)
        )


def test_resume(pictures: Path) -> None:
    scan = scan_of(pictures)
    whole = take(stream_of(pictures, scan), 8)
    for workers in (0, 2):
        rest = take(stream_of(pictures, scan, position=whole[4].position, workers=workers), 3)
        assert all(torch.equal(a.rgb, b.rgb) for a, b in zip(whole[5:], rest, strict=True))


def test_another_batch_size_shows_the_same_pictures(pictures: Path) -> None:
    scan = scan_of(pictures)
    small = torch.cat([b.rgb for b in take(stream_of(pictures, scan, batch_size=3), 4)])
    large = torch.cat([b.rgb for b in take(stream_of(pictures, scan, batch_size=6), 2)])
    assert torch.equal(small, large)


def test_seed_changes_order_and_crops(pictures: Path) -> None:
    scan = scan_of(pictures)
    first, second = (take(stream_of(pictures, scan, seed=s), 1)[0].rgb for s in (1, 2))
    assert not torch.equal(first, second)
    one = scan.kept[:1]
    crops = take(stream_of(pictures, scan, indices=one), 1)[0].rgb
    assert len({crop.numpy().tobytes() for crop in crops}) == 4  # one picture, four different crops


def test_without_a_cache(folder: Path) -> None:
    """Textured pictures, larger than the cache keeps them: crops of other pixels would differ."""
    rng = np.random.default_rng(0)
    for i in range(4):
        Image.fromarray(rng.integers(0, 256, (90, 70, 3), np.uint8)).save(folder / f"noise{i}.png")
    cached = take(stream_of(folder, scan_of(folder)), 3)
    decoded = take(stream_of(folder, scan_of(folder, cached=False), workers=2), 3)
    assert all(torch.equal(a.rgb, b.rgb) for a, b in zip(cached, decoded, strict=True))


def test_a_file_that_breaks_later(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    scan = scan_of(folder, cached=False)
    (folder / "3.png").write_bytes(b"oops")
    for workers in (0, 2):
        caplog.clear()
        reds = torch.cat([b.rgb[:, 0, 0, 0] for b in take(stream_of(folder, scan, workers=workers), 10)])
        assert 30 not in reds and len(reds) == 40
        assert caplog.text.count("3.png") == 1  # reported once, not every epoch
    streams = [stream_of(folder, scan, workers=workers) for workers in (0, 1)]
    for path in folder.iterdir():
        path.unlink()
    for stream in streams:
        with pytest.raises(UserError, match="no image can be read any more") as caught:
            take(stream, 1)
        assert "\n" not in str(caught.value)


def test_split(folder: Path) -> None:
    scan = scan_of(folder)
    train, held = validation_split(scan, 2, seed=3)
    assert len(held) == 2 and sorted([*train, *held]) == list(range(10))
    again = validation_split(scan, 2, seed=3)
    assert np.array_equal(train, again[0]) and np.array_equal(held, again[1])
    assert any(not np.array_equal(held, validation_split(scan, 2, seed=s)[1]) for s in (4, 5))
    assert len(validation_split(scan, 64)[1]) == 2  # a fifth of a small folder at most
    reds = torch.cat([b.rgb[:, 0, 0, 0] for b in take(stream_of(folder, scan, indices=train), 4)])
    assert not {10 * int(i) for i in held} & set(reds.tolist())
    with pytest.raises(UserError, match="no image left"):
        stream_of(folder, scan, indices=train[:0])


def test_one_picture_serves_both_ways(folder: Path) -> None:
    scan = scan_of(folder / "4.png")
    train, held = validation_split(scan, 5)
    assert train.tolist() == held.tolist() == [0]


def test_validation_pictures(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    source = open_source(folder)
    pictures = load_validation(source, np.array([2, 7]), 24)
    assert pictures.shape == (2, 3, 24, 24) and pictures.dtype == torch.uint8
    assert pictures[:, 0, 0, 0].tolist() == [20, 70] and (pictures[:, 1] == 200).all()
    (folder / "2.png").write_bytes(b"")
    assert len(load_validation(source, np.array([2, 7]), 24)) == 1 and "2.png" in caplog.text
    with pytest.raises(UserError, match="none of the 1"):
        load_validation(source, np.array([2]), 24)
