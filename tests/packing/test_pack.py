"""Packing: shards that webdataset reads, the same bytes every time, and a report that tells all."""

import hashlib
import io
import json
import os
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import webdataset
from click.testing import Result
from PIL import Image, ImageOps

from gan_colorize.data.folder import open_source
from gan_colorize.data.shard_index import parse_index, spread_histogram
from gan_colorize.errors import UserError
from gan_colorize.packing.pack import PackOptions, pack
from gan_colorize.packing.shard_writer import ShardWriter


def picture(seed: int, width: int = 96, height: int = 64) -> Image.Image:
    """Large soft fields of colour, as photographs have."""
    rng = np.random.default_rng(seed)
    small = Image.fromarray(rng.integers(0, 256, (8, 8, 3), np.uint8))
    return small.resize((width, height), Image.Resampling.BICUBIC)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """20 photographs, one of them 40 px high, one grey, one damaged."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(17):
        picture(number).save(folder / f"{number:02d}.png")
    picture(17, 80, 40).save(folder / "small.png")
    picture(18).convert("L").save(folder / "grey.png")
    (folder / "damaged.jpg").write_bytes(b"no picture")
    return folder


def shards_in(folder: Path) -> dict[str, str]:
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.iterdir())
        if path.is_file()
    }


def report_in(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "report.jsonl").read_text().splitlines()]


def test_what_webdataset_reads(photos: Path, tmp_path: Path, run: Callable[..., Result]) -> None:
    output = tmp_path / "shards"
    result = run(
        "pack", photos, "--output", output, "--images-per-shard", 5, "--short-side", 48, "--jobs", 1,
        "--min-side", 50, "--min-colourfulness", 5, "--format", "jpg", "--quality", 95,
    )  # fmt: skip
    assert result.exit_code == 1  # one could not be read
    assert "17 of 20 photographs in 4 shards" in result.stderr
    assert all(f"1 {kind}" in result.stderr for kind in ("grey", "small", "unreadable"))
    names = [f"train-{number:06d}.tar" for number in range(4)]
    assert sorted(shards_in(output)) == ["index.json", "report.jsonl", *names]
    pattern = str(output / "train-{000000..000003}.tar")
    samples = list(webdataset.WebDataset(pattern, shardshuffle=False).decode("pil"))
    assert len(samples) == 17 and all(sample["jpg"].size == (72, 48) for sample in samples)
    source = open_source(photos)
    for sample in samples:  # the key is the photograph's number
        original = Image.open(source.name(int(sample["__key__"]))).resize((72, 48), Image.Resampling.BICUBIC)
        assert np.abs(np.asarray(original, int) - np.asarray(sample["jpg"], int)).mean() < 3
    assert sorted(sample["__key__"] for sample in samples) != [sample["__key__"] for sample in samples]


def test_the_index_and_the_report_are_true(photos: Path, tmp_path: Path) -> None:
    pack(open_source(photos), tmp_path / "shards", PackOptions(images_per_shard=7, min_side=50))
    index = parse_index((tmp_path / "shards" / "index.json").read_bytes(), "index")
    lines = report_in(tmp_path / "shards")
    packed = {(line["shard"], line["member"]): line["source"] for line in lines if "shard" in line}
    for record in index.records:
        path = tmp_path / "shards" / record.name
        assert record.bytes == path.stat().st_size
        assert record.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
        with tarfile.open(path) as archive:
            members = archive.getmembers()
            assert [member.name for member in members] == record.members
            for row, member in enumerate(members):
                assert (member.offset_data, member.size) == (record.offsets[row], record.sizes[row])
                image = Image.open(io.BytesIO(archive.extractfile(member).read()))
                assert image.size == (record.widths[row], record.heights[row]) == (96, 64)
                assert Path(packed.pop((record.name, member.name))).parent == photos
    assert not packed and len(lines) == 20
    left = {Path(line["source"]).name: line["left_out"] for line in lines if "left_out" in line}
    assert left == {"small.png": "small", "damaged.jpg": "unreadable"}
    grey = [c for record in index.records for c in record.colourfulness if c < 1]
    assert len(grey) == 1  # it was not asked to be left out
    assert index.histograms.sum() == pytest.approx(18, abs=0.05) and index.histograms[
        0
    ].sum() == pytest.approx(1, abs=0.01)
    colours = np.array([c for record in index.records for c in record.colourfulness])
    assert spread_histogram(index.histograms, colours, 5).sum() == pytest.approx(1)


def test_the_same_photographs_give_the_same_bytes(photos: Path, tmp_path: Path) -> None:
    options = PackOptions(shard_megabytes=0.02, no_duplicates=True)
    for name, workers in (("one", 0), ("two", 2)):
        pack(open_source(photos), tmp_path / name, options, workers=workers)
    one = shards_in(tmp_path / "one")
    assert one == shards_in(tmp_path / "two") and len(one) > 3
    assert all(path.stat().st_size >= 20_000 for path in sorted((tmp_path / "one").glob("*.tar"))[:-1])


class _Killed(BaseException):
    pass


def test_resume_gives_the_bytes_of_an_undisturbed_packing(photos: Path, tmp_path: Path) -> None:
    for copy in range(3):  # duplicates of what was packed before the interruption are known after it
        for number in range(0, 17, 2):
            picture(number).save(photos / f"{number:02d}-{copy}.png", compress_level=copy)
    options = PackOptions(images_per_shard=3, no_duplicates=True)
    whole = pack(open_source(photos), tmp_path / "whole", options)
    assert whole.left_out["duplicate"] == 27
    ended = 0
    for steps in (9, 21, 4, 1000):
        steps_left = iter(range(ended + steps))

        def step(failed: bool, steps_left: Iterator[int] = steps_left) -> None:
            if next(steps_left, None) is None:
                raise _Killed

        try:
            result = pack(open_source(photos), tmp_path / "parts", options, resume=True, step=step)
        except _Killed:
            ended += steps
            assert not (tmp_path / "parts" / "index.json").exists()
    assert shards_in(tmp_path / "parts") == shards_in(tmp_path / "whole")
    assert (result.images, result.left_out) == (whole.images, whole.left_out)


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL")
def test_killed_and_resumed_by_the_command(photos: Path, tmp_path: Path, run: Callable[..., Result]) -> None:
    for number in range(20, 150):
        picture(number).save(photos / f"more{number}.png")
    arguments = ["pack", str(photos), "--images-per-shard", "4", "--jobs", "1"]
    run(*arguments, "--output", tmp_path / "whole")
    command = [sys.executable, "-m", "gan_colorize", *arguments, "--output", str(tmp_path / "parts")]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    while not (tmp_path / "parts" / ".pack" / "000003.json").exists() and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    refused = run(*arguments, "--output", tmp_path / "parts")
    assert refused.exit_code == 1 and "--resume" in refused.stderr
    assert not (tmp_path / "parts" / "index.json").exists()
    run(*arguments, "--output", tmp_path / "parts", "--resume")
    assert shards_in(tmp_path / "parts") == shards_in(tmp_path / "whole")


def test_duplicates(photos: Path, tmp_path: Path) -> None:
    """The same pixels in another file, and the same picture in another size, compression, tone."""
    base = picture(3, 300, 200)
    base.save(photos / "base.png")
    base.save(photos / "same.bmp")
    base.resize((150, 100), Image.Resampling.BICUBIC).save(photos / "half.jpg", quality=60)
    ImageOps.mirror(base).save(photos / "mirrored.png")
    ImageOps.colorize(base.convert("L"), "#201000", "#ffe0b0").save(photos / "sepia.png")
    (photos / "03.png").unlink()  # drawn from the same seed
    options = PackOptions(no_duplicates=True, format="keep")
    result = pack(open_source(photos), tmp_path / "shards", options)
    left = {Path(line["source"]).name: line for line in report_in(tmp_path / "shards") if "of" in line}
    family = {"base.png", "same.bmp", "half.jpg"}
    assert set(left) < family and len(left) == 2
    assert all(Path(line["of"]).name in family for line in left.values())
    assert result.left_out["near duplicate"] >= 1
    assert result.images == len(list(photos.iterdir())) - 3  # and the damaged one


def test_keep_packs_files_as_they_are(photos: Path, tmp_path: Path) -> None:
    turned = picture(40, 300, 200)
    exif = turned.getexif()
    exif[0x0112] = 6  # to be turned by 90 degrees
    turned.save(photos / "turned.JPG", exif=exif)
    pack(open_source(photos), tmp_path / "shards", PackOptions(format="keep"))
    source, packed = open_source(photos), open_source(tmp_path / "shards")
    for place in range(len(packed)):
        member = packed.name(place).rpartition("/")[2]
        assert packed.read(place) == source.read(int(Path(member).stem))
        assert Path(member).suffix == Path(source.name(int(Path(member).stem))).suffix.lower()
    record = parse_index((tmp_path / "shards" / "index.json").read_bytes(), "index").records[0]
    number = next(row for row, name in enumerate(record.members) if name.endswith(".jpg"))
    assert (record.widths[number], record.heights[number]) == (200, 300)


def test_nothing_is_overwritten(photos: Path, tmp_path: Path) -> None:
    source, output = open_source(photos), tmp_path / "shards"
    pack(source, output, PackOptions())
    before = shards_in(output)
    for resume, message in ((False, "not empty"), (True, "complete")):
        with pytest.raises(UserError, match=message):
            pack(source, output, PackOptions(), resume=resume)
    with pytest.raises(UserError, match="no packing to resume"):
        pack(source, photos, PackOptions(), resume=True)
    assert shards_in(output) == before
    (output / "index.json").unlink()
    (output / ".pack").mkdir()
    (output / ".pack" / "plan.json").write_text('{"quality": 50}')
    with pytest.raises(UserError, match="was begun with"):
        pack(source, output, PackOptions(), resume=True)


def test_nothing_to_pack(photos: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="none of the 20 photographs can be packed: 19 small, 1 unreadable"):
        pack(open_source(photos), tmp_path / "shards", PackOptions(min_side=500))
    pack(open_source(photos), tmp_path / "shards", PackOptions())  # and another try is not in its own way


def test_a_full_disk(photos: Path, small_disk: Path) -> None:
    with pytest.raises(UserError, match="No space left"):
        pack(open_source(photos), small_disk / "shards", PackOptions(format="keep"))
    assert not list((small_disk / "shards").glob("*.tar"))


def test_offsets_are_those_of_tar(tmp_path: Path) -> None:
    with ShardWriter(tmp_path, "train-000000.tar") as writer:
        for number, size in enumerate((0, 1, 511, 512, 513, 9000)):
            writer.add(f"{number}.webp", bytes([number]) * size, 16, 16, 20.0, np.full(313, 1 / 313))
        writer.finish()
    with tarfile.open(tmp_path / "train-000000.tar") as archive:
        found = [(member.name, member.offset_data, member.size) for member in archive]
    record = writer.record
    assert found == list(zip(record.members, record.offsets, record.sizes, strict=True))
    assert (tmp_path / "train-000000.tar").stat().st_size == record.bytes


def test_index_only(photos: Path, tmp_path: Path, run: Callable[..., Result]) -> None:
    folder = tmp_path / "shards"
    pack(open_source(photos), folder, PackOptions(images_per_shard=8))
    before = parse_index((folder / "index.json").read_bytes(), "index")
    refused = run("pack", folder, "--index-only")
    assert refused.exit_code == 1 and "delete it" in refused.stderr
    (folder / "index.json").unlink()
    done = run("pack", folder / "train-{000000..000002}.tar", "--index-only", "--jobs", "2")
    assert done.exit_code == 0 and "19 images in 3 shards" in done.stderr
    after = parse_index((folder / "index.json").read_bytes(), "index")
    for one, other in zip(before.records, after.records, strict=True):
        assert (one.members, one.offsets, one.sha256) == (other.members, other.offsets, other.sha256)
        assert (one.widths, one.heights) == (other.widths, other.heights)
        assert one.colourfulness == other.colourfulness
    np.testing.assert_allclose(before.histograms, after.histograms, atol=1e-3)
    (folder / "index.json").unlink()
    (folder / "train-000001.tar").write_bytes(b"x" * 5000)
    broken = run("pack", folder, "--index-only", "--jobs", 1)
    assert broken.exit_code == 1 and "train-000001.tar: not an uncompressed tar" in broken.stderr
    assert not (folder / "index.json").exists()


def test_usage(photos: Path, tmp_path: Path, run: Callable[..., Result]) -> None:
    output = ["--output", tmp_path / "x"]
    for arguments in (
        [],
        [*output, "--shard-megabytes", 5, "--images-per-shard", 5],
        [*output, "--format", "keep", "--short-side", 64],
        [*output, "--index-only"],
    ):
        result = run("pack", photos, *arguments)
        assert result.exit_code == 2 and "Error" in result.stderr
    assert run("pack", tmp_path / "nothing", *output).exit_code == 1
