"""The scan's verdicts, its histogram against other code, and that nothing stops it."""

import errno
import json
import os
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from gan_colorize.color.bins import bin_centres
from gan_colorize.color.lab import lab_to_rgb
from gan_colorize.data import scan as scan_module
from gan_colorize.data.folder import FileSource, open_source
from gan_colorize.data.pixel_cache import PixelCacheWriter
from gan_colorize.data.scan import scan_source
from gan_colorize.data.scan_pool import run_chunks
from gan_colorize.data.scan_worker import ScanTask, colourfulness, inspect_chunk
from gan_colorize.errors import UserError
from gan_colorize.evaluation.colorfulness import colorfulness

_OPTIONS = {"min_colourfulness": 15.0, "short_side": 32, "cache_gigabytes": 1.0, "workers": 0}


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GAN_COLORIZE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """4 colourful, 1 grey, 1 sepia, 1 text, 1 truncated, 1 tiny, in the order of their names."""
    root = tmp_path / "photos"
    root.mkdir()
    rng = np.random.default_rng(0)
    for i in range(4):
        colours = Image.fromarray(rng.integers(0, 256, (4, 5, 3), dtype=np.uint8))
        colours.resize((60, 48), Image.Resampling.BICUBIC).save(root / f"a{i}.png")
    grey = Image.fromarray(rng.integers(0, 256, (4, 5), dtype=np.uint8)).resize((60, 48))
    grey.save(root / "b.jpg")
    Image.blend(grey.convert("RGB"), Image.new("RGB", grey.size, (120, 105, 95)), 0.5).save(root / "c.png")
    (root / "d.jpg").write_text("not a picture")
    Image.open(root / "a0.png").save(root / "e.jpg", quality=95)
    (root / "e.jpg").write_bytes((root / "e.jpg").read_bytes()[:900])
    Image.open(root / "a1.png").resize((20, 8)).save(root / "f.png")
    return root


def test_verdicts(folder: Path) -> None:
    seen = []
    scan = scan_source(open_source(folder), **_OPTIONS, progress=lambda *p: seen.append(p))
    assert scan.kept.tolist() == [0, 1, 2, 3] and scan.kept.dtype == np.int64
    assert [Path(name).name for name in scan.greyish] == ["b.jpg", "c.png"]
    assert [Path(name).name for name, _ in scan.broken] == ["d.jpg", "e.jpg", "f.png"]
    reasons = [reason for _, reason in scan.broken]
    assert "not an image" in reasons[0] and "truncated" in reasons[1] and "20x8" in reasons[2]
    assert seen[-1] == (9, 9)


def test_pixel_cache_holds_what_was_decoded(folder: Path) -> None:
    scan = scan_source(open_source(folder), **_OPTIONS)
    for i in range(4):
        expected = Image.open(folder / f"a{i}.png").resize((40, 32), Image.Resampling.BICUBIC)
        assert np.array_equal(scan.cache.read(i), np.asarray(expected))
    with pytest.raises(IndexError):
        scan.cache.read(4)
    assert scan_source(open_source(folder), **{**_OPTIONS, "cache_gigabytes": 0.0}).cache is None


def test_histogram_of_one_colour(tmp_path: Path) -> None:
    """A flat picture in the colour of a bin: nearly all of the mass of 5 neighbours at sigma 5 is there."""
    wanted = int((bin_centres() - torch.tensor([20.0, -10.0])).square().sum(1).argmin())
    lab = torch.tensor([60.0, *bin_centres()[wanted].tolist()]).view(3, 1, 1)
    rgb = (lab_to_rgb(lab) * 255).round().byte().expand(3, 32, 32).permute(1, 2, 0).numpy()
    Image.fromarray(np.ascontiguousarray(rgb)).save(tmp_path / "flat.png")
    scan = scan_source(open_source(tmp_path / "flat.png"), **{**_OPTIONS, "min_colourfulness": 0.0})
    assert scan.histogram.shape == (313,) and scan.histogram.dtype == np.float64
    assert scan.histogram.sum() == pytest.approx(1)
    # Four neighbours at distance 10 have exp(-100 / 50) each: 1 / (1 + 4 exp(-2)) is left in the middle.
    assert scan.histogram.argmax() == wanted
    assert scan.histogram[wanted] == pytest.approx(1 / (1 + 4 * np.exp(-2)), abs=0.05)


def test_every_image_counts_the_same(tmp_path: Path) -> None:
    for name, colour, size in (("small", (200, 40, 40), 24), ("large", (40, 40, 200), 240)):
        Image.new("RGB", (size, size), colour).save(tmp_path / f"{name}.png")

    def histogram(path: Path) -> np.ndarray:
        options = {**_OPTIONS, "min_colourfulness": 0.0, "cache_gigabytes": 0.0}
        return scan_source(open_source(path), **options).histogram

    both = histogram(tmp_path)
    each = [histogram(tmp_path / f"{name}.png") for name in ("small", "large")]
    assert np.allclose(both, np.mean(each, 0), atol=1e-6)


def test_colourfulness_agrees_with_the_metric() -> None:
    rng = np.random.default_rng(4)
    for scale in (256, 40, 2):
        rgb8 = rng.integers(0, scale, (30, 20, 3), dtype=np.uint8)
        metric = float(colorfulness(torch.from_numpy(rgb8.transpose(2, 0, 1).copy())[None])[0])
        assert colourfulness(rgb8) == pytest.approx(metric, rel=1e-5)
    assert colourfulness(np.full((20, 20, 3), 99, np.uint8)) == 0


def test_is_stored_and_reused(folder: Path, own_cache: Path) -> None:
    first = scan_source(open_source(folder), **_OPTIONS)
    calls = []
    again = scan_source(open_source(folder), **_OPTIONS, progress=lambda *p: calls.append(p))
    assert not calls
    assert again.kept.tolist() == first.kept.tolist() and again.broken == first.broken
    assert again.greyish == first.greyish and np.array_equal(again.histogram, first.histogram)
    assert np.array_equal(again.cache.read(2), first.cache.read(2))

    moved = folder.rename(folder.with_name("elsewhere"))
    again = scan_source(open_source(moved), **_OPTIONS, progress=lambda *p: calls.append(p))
    assert not calls and again.broken[0][0] == str(moved / "d.jpg")

    scan_source(
        open_source(moved), **{**_OPTIONS, "min_colourfulness": 5.0}, progress=lambda *p: calls.append(p)
    )
    assert calls


@pytest.mark.parametrize("damage", ["no pixels", "short pixels", "no scan", "cut scan"])
def test_damaged_store_is_made_again(folder: Path, own_cache: Path, damage: str) -> None:
    first = scan_source(open_source(folder), **_OPTIONS)
    picture = first.cache.read(3)
    (stored,) = (own_cache / "scans").glob("*.npz")
    (pixels,) = (own_cache / "scans").glob("*.pixels")
    if damage == "no pixels":
        pixels.unlink()
    elif damage == "short pixels":
        pixels.write_bytes(pixels.read_bytes()[:-5])
    elif damage == "no scan":
        stored.unlink()
    else:
        stored.write_bytes(stored.read_bytes()[:300])
    again = scan_source(open_source(folder), **_OPTIONS)
    assert np.array_equal(again.histogram, first.histogram)
    assert np.array_equal(again.cache.read(3), picture)


def test_nothing_usable(tmp_path: Path, own_cache: Path) -> None:
    Image.new("L", (40, 40), 90).save(tmp_path / "grey.png")
    (tmp_path / "text.jpg").write_text("hello")
    with pytest.raises(UserError) as caught:
        scan_source(open_source(tmp_path), **_OPTIONS)
    line = str(caught.value)
    assert "\n" not in line and "none of the 2" in line and "text.jpg" in line and "min_colourfulness" in line
    assert not list(own_cache.rglob("*.npz"))


def test_pixels_that_do_not_fit(folder: Path, caplog: pytest.LogCaptureFixture, own_cache: Path) -> None:
    scan = scan_source(open_source(folder), **{**_OPTIONS, "cache_gigabytes": 1e-5})
    assert scan.cache is None and len(scan.kept) == 4
    assert "no pixel cache" in caplog.text
    assert not list(own_cache.rglob("*.pixels")) and not list(own_cache.rglob(".part*"))
    caplog.clear()
    assert scan_source(open_source(folder), **{**_OPTIONS, "cache_gigabytes": 0}).cache is None
    assert not caplog.text


def test_cache_folder_that_cannot_be_written(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("GAN_COLORIZE_CACHE", str(tmp_path / "file"))
    scan = scan_source(open_source(folder), **_OPTIONS)
    assert len(scan.kept) == 4 and scan.cache is None
    assert "not kept" in caplog.text and "no pixel cache" in caplog.text


def test_disk_that_fills_up(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    class Full:
        def write(self, data: bytes) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        def close(self) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

    with PixelCacheWriter(tmp_path / "x.pixels", 1.0) as writer:
        writer._file.close()
        writer._file = Full()
        writer.add(0, np.zeros((4, 4, 3), np.uint8))
        writer.add(1, np.zeros((4, 4, 3), np.uint8))
        assert writer.finish() is None
    assert "No space left" in caplog.text and not list(tmp_path.iterdir())


def test_old_pixels_are_deleted(folder: Path, own_cache: Path) -> None:
    (own_cache / "scans").mkdir(parents=True)
    stale = [own_cache / "scans" / name for name in ("old.pixels", ".part-1-x.pixels")]
    fresh = own_cache / "scans" / "fresh.pixels"
    for path in (*stale, fresh):
        path.write_bytes(b"")
    for path in stale:
        os.utime(path, (time.time() - 30 * 86_400,) * 2)
    scan_source(open_source(folder), **_OPTIONS)
    assert fresh.exists() and not any(path.exists() for path in stale)


class _Killed(BaseException):
    pass


@pytest.mark.parametrize("killed", [False, True])
def test_two_scans_of_the_same_data_at_once(
    folder: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch, killed: bool
) -> None:
    """A second run does its whole scan, images arriving in another order, just before the first is done; the
    first then goes on, or ends between its pixels and the rest."""
    for i in range(20):  # three chunks
        colours = np.random.default_rng(i).integers(0, 256, (32, 40, 3), dtype=np.uint8)
        Image.fromarray(colours).save(folder / f"g{i:02}.png")
    source = open_source(folder)
    in_order, second = run_chunks, []

    def backwards(function, task, chunks, workers):
        return in_order(function, task, chunks[::-1], workers)

    def before_the_end(done: int, total: int) -> None:
        if done == total:
            with monkeypatch.context() as patch:
                patch.setattr(scan_module, "run_chunks", backwards)
                second.append(scan_source(source, **_OPTIONS))
            if killed:
                monkeypatch.setattr(np, "savez", die)

    def die(*args: object, **arrays: object) -> None:
        raise _Killed

    def right(scan) -> bool:
        task = ScanTask(source, _OPTIONS["short_side"], True, 0.0)
        return all(
            np.array_equal(scan.cache.read(i), pixels) for i, pixels in inspect_chunk(task, scan.kept).kept
        )

    try:
        first = scan_source(source, **_OPTIONS, progress=before_the_end)
    except _Killed:
        first = second[0]
    assert len(first.kept) == 24 and right(second[0]) and right(first)
    third = scan_source(source, **_OPTIONS, progress=lambda *p: pytest.fail("scanned again"))
    assert right(third) and third.kept.tolist() == first.kept.tolist()
    assert len(list((own_cache / "scans").glob("*.pixels"))) == 1  # one run took what the other had stored


class _Guarded(FileSource):
    """A source of which one file may not be read, as long as the class says so."""

    error: BaseException | None = None

    def read(self, i: int) -> bytes:
        if i == 2 and _Guarded.error is not None:
            raise UserError(f"{self.paths[i]}: trouble") from _Guarded.error
        return super().read(i)


@pytest.mark.parametrize(
    ("error", "passes"),
    [
        (PermissionError(errno.EACCES, "Permission denied"), True),
        (OSError(errno.ESTALE, "Stale file handle"), True),
        (MemoryError(), True),
        (FileNotFoundError(errno.ENOENT, "No such file"), False),  # the fingerprint tells when it comes back
        (OSError("it was cut short"), False),  # what FileRanges says of a shard
    ],
)
def test_a_scan_with_passing_trouble_is_not_stored(
    folder: Path,
    own_cache: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    error: BaseException,
    passes: bool,
) -> None:
    source, at_exit = _Guarded(sorted(folder.iterdir()), folder), []
    monkeypatch.setattr(scan_module.atexit, "register", at_exit.append)
    monkeypatch.setattr(_Guarded, "error", error)
    first = scan_source(source, **_OPTIONS)
    assert first.kept.tolist() == [0, 1, 3] and len(first.broken) == 4 and len(first.cache.read(3)) == 32
    assert ("not kept" in caplog.text) == passes
    monkeypatch.setattr(_Guarded, "error", None)
    again = scan_source(source, **_OPTIONS)
    assert again.kept.tolist() == ([0, 1, 2, 3] if passes else [0, 1, 3])
    for delete in at_exit:
        delete()
    assert len(list(own_cache.rglob("*.pixels"))) == 1


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="root may read everything")
def test_an_image_that_may_be_read_again_is_used(folder: Path) -> None:
    (folder / "a2.png").chmod(0)
    assert scan_source(open_source(folder), **_OPTIONS).kept.tolist() == [0, 1, 3]
    (folder / "a2.png").chmod(0o600)
    assert scan_source(open_source(folder), **_OPTIONS).kept.tolist() == [0, 1, 2, 3]


def test_a_scan_in_which_a_process_died_is_not_stored(
    folder: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_order = run_chunks

    def one_dies(function, task, chunks, workers):
        yield [0], None
        yield from in_order(function, task, [[i for chunk in chunks for i in chunk][1:]], workers)

    with monkeypatch.context() as patch:
        patch.setattr(scan_module, "run_chunks", one_dies)
        first = scan_source(open_source(folder), **_OPTIONS)
    assert first.kept.tolist() == [1, 2, 3] and "crashed" in first.broken[0][1]
    assert not list(own_cache.rglob("*.npz"))
    assert scan_source(open_source(folder), **_OPTIONS).kept.tolist() == [0, 1, 2, 3]


def test_reading_that_runs_out_of_memory_is_told(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def read(self: FileSource, i: int) -> bytes:
        raise MemoryError

    monkeypatch.setattr(FileSource, "read", read)
    result = inspect_chunk(ScanTask(open_source(folder), 32, True, 0.0), [0])
    assert result.broken == [(0, "does not fit into memory")] and result.passing == 1


def test_processes_find_the_same(tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for i in range(70):  # so many that processes are worth their start
        (folder / f"g{i:02}.png").write_bytes((folder / f"a{i % 4}.png").read_bytes())
    source = open_source(folder)
    one = scan_source(source, **_OPTIONS)
    monkeypatch.setenv("GAN_COLORIZE_CACHE", str(tmp_path / "other cache"))
    other = scan_source(source, **{**_OPTIONS, "workers": 2})
    assert one.kept.tolist() == other.kept.tolist() and len(one.kept) == 74
    assert json.dumps(one.broken) == json.dumps(other.broken)
    assert np.allclose(one.histogram, other.histogram, atol=1e-12)
    assert all(np.array_equal(one.cache.read(i), other.cache.read(i)) for i in one.kept)
