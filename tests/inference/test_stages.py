"""Depth, pages, policies and what happens when memory runs out."""

import hashlib
import re

import numpy as np
import pytest
import tifffile
import torch
from PIL import Image
from skimage.color import rgb2lab

from gan_colorize.data.provenance import Provenance
from gan_colorize.data.tiff_write import tiff_writer
from gan_colorize.inference.batch import Writing, colour_files
from gan_colorize.inference.plan import Job
from gan_colorize.inference.predictor import Predictor, Settings
from gan_colorize.inference.wishes import Wishes, hint_from_json


def run(predictor, source, target, writing=None, **more):
    job = Job(source, (target,), **more.pop("job", {}))
    (result,) = colour_files(predictor, [job], Settings(), writing=writing, **more)
    return result


@pytest.fixture
def grey16(grey_picture):
    fine = np.random.default_rng(0).integers(0, 257, (70, 90)).astype(np.uint16)
    return grey_picture(70, 90).astype(np.uint16) * 255 + fine


def lightness_of(levels):
    rgb = levels / np.iinfo(levels.dtype).max
    return rgb2lab(np.repeat(rgb[..., None], 3, 2) if rgb.ndim == 2 else rgb[..., :3])[..., 0]


@pytest.mark.parametrize("suffix", [".tif", ".png"])
def test_16_bits_in_and_out(predictor, grey16, tmp_path, suffix):
    tifffile.imwrite(tmp_path / "a.tif", grey16, photometric="minisblack", metadata=None)
    result = run(predictor, tmp_path / "a.tif", tmp_path / f"b{suffix}")
    assert result.error is None and result.warnings == []
    from gan_colorize.data.image_io import read_photo

    out = read_photo(tmp_path / f"b{suffix}").pixels
    assert out.dtype == np.uint16
    assert np.abs(lightness_of(out) - lightness_of(grey16)).max() < 0.0012
    assert np.ptp(out.astype(int), axis=2).max() > 2000
    assert len(np.unique(out[..., 1])) > 1500  # not 8 bits in disguise


def test_depth_by_wish_and_by_format(predictor, grey16, tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", grey16, photometric="minisblack", metadata=None)
    run(predictor, tmp_path / "a.tif", tmp_path / "b.tif", Writing(bits=8))
    assert tifffile.imread(tmp_path / "b.tif").dtype == np.uint8
    result = run(predictor, tmp_path / "a.tif", tmp_path / "c.jpg")
    assert any("8 bits" in line for line in result.warnings)
    Image.fromarray((grey16 >> 8).astype(np.uint8)).save(tmp_path / "d.png")
    run(predictor, tmp_path / "d.png", tmp_path / "e.tif", Writing(bits=16))
    assert tifffile.imread(tmp_path / "e.tif").dtype == np.uint16


@pytest.mark.parametrize("samples", [0, 2])
def test_every_page_of_a_tiff(predictor, grey16, tmp_path, samples):
    source = tmp_path / "a.tif"
    eight = (grey16[:40, ::-1] >> 8).astype(np.uint8)
    with tifffile.TiffWriter(source) as writer:
        writer.write(grey16, photometric="minisblack", metadata=None, description="front")
        writer.write(eight, photometric="minisblack", metadata=None, description="back")
    outputs = tuple(tmp_path / f"out{index}.tif" for index in range(max(1, samples)))
    (result,) = colour_files(predictor, [Job(source, outputs)], Settings(samples=samples))
    assert result.error is None and result.pages == 2 and result.outputs == list(outputs)
    for path in outputs:
        with tifffile.TiffFile(path) as tiff:
            first, second = (page.asarray() for page in tiff.pages)
            told = [page.tags["ImageDescription"].value for page in tiff.pages]
        assert first.dtype == np.uint16 and second.dtype == np.uint8
        assert first.shape == (70, 90, 3) and second.shape == (40, 90, 3)
        assert np.abs(lightness_of(first) - lightness_of(grey16)).max() < 0.0012
        assert np.abs(lightness_of(second) - lightness_of(eight)).max() < 0.6
        assert told == ["front", "back"]
    # a page is coloured as the same picture by itself
    Image.fromarray(eight).save(tmp_path / "alone.tif")
    if not samples:
        run(predictor, tmp_path / "alone.tif", tmp_path / "b.tif")
        assert np.array_equal(tifffile.imread(tmp_path / "b.tif"), second)


def test_pages_elsewhere_and_with_hints(predictor, grey16, tmp_path):
    source = tmp_path / "a.tif"
    with tifffile.TiffWriter(source) as writer:
        for page in (grey16, grey16[:50]):
            writer.write(page, photometric="minisblack", metadata=None)
    result = run(predictor, source, tmp_path / "b.png")
    assert any("2 pages; only the first" in line for line in result.warnings)
    assert Image.open(tmp_path / "b.png").size == (90, 70)


def test_a_page_with_colours_is_named_and_copies_are_told_apart(predictor, grey16, tmp_path):
    source, colours = tmp_path / "a.tif", np.zeros((50, 40, 3), np.uint8)
    colours[:25, :, 0], colours[25:, :, 2] = 200, 180
    with tifffile.TiffWriter(source) as writer:
        writer.write(grey16, photometric="minisblack", metadata=None)
        writer.write(colours, photometric="rgb", metadata=None)
    Image.fromarray(colours).save(tmp_path / "c.png")
    writing, settings = Writing(provenance=Provenance("m")), Settings(confidence=True)
    jobs = [
        Job(source, (tmp_path / "b.tif",), tmp_path / "sure.png"),
        Job(tmp_path / "c.png", (tmp_path / "d.png",)),
    ]
    results = {one.source: one for one in colour_files(predictor, jobs, settings, writing=writing)}
    # what is said and drawn of the whole file is of its first page
    assert Image.open(tmp_path / "sure.png").size == (90, 70)
    assert results[source].warnings == ["page 2: the input already has colours; they were replaced"]
    identities = set()
    for job in jobs:
        with Image.open(job.outputs[0]) as image:
            packet = image.info["xmp"].decode()
        assert hashlib.sha256(job.source.read_bytes()).hexdigest() in packet
        identities.add(re.search("xmpMM:InstanceID>([^<]+)<", packet)[1])
    assert len(identities) == 2


@pytest.mark.parametrize(("bits", "expected"), [(8, 4), (16, 8), (None, 8)])
def test_a_file_is_as_large_as_all_its_pages(predictor, tmp_path, monkeypatch, bits, expected):
    """Above 4 GB a TIFF is another kind of file from its first byte; the first page may be the smallest."""
    source, told = tmp_path / "a.tif", []
    with tifffile.TiffWriter(source) as writer:
        writer.write(np.full((8, 9), 90, np.uint8), photometric="minisblack", metadata=None)
        writer.write(np.full((50, 40), 9000, np.uint16), photometric="minisblack", metadata=None)

    def writing(path, size):
        told.append(size)
        return tiff_writer(path, size)

    monkeypatch.setattr("gan_colorize.data.tiff_write.tiff_writer", writing)
    assert run(predictor, source, tmp_path / "b.tif", Writing(bits=bits)).error is None
    assert told == [(8 * 9 + 50 * 40) * expected]


def test_a_damaged_page_is_named_and_nothing_written(predictor, grey16, tmp_path):
    source = tmp_path / "a.tif"
    with tifffile.TiffWriter(source) as writer:
        for _ in range(2):
            writer.write(grey16, photometric="minisblack", metadata=None)
    with tifffile.TiffFile(source, mode="r+b") as tiff:
        tiff.pages[1].tags["StripOffsets"].overwrite(10**6)
    result = run(predictor, source, tmp_path / "out" / "b.tif")
    assert result.status == "failed" and "page 2" in result.error and "ends before" in result.error
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize(
    ("kind", "leave", "left"),
    [
        ("sepia", "toned", True),
        ("sepia", "coloured", False),
        ("colour", "coloured", True),
        ("grey", "toned", False),
    ],
)
def test_inputs_that_are_not_grey(predictor, grey_picture, tmp_path, kind, leave, left):
    grey = grey_picture(60, 60).astype(float)[..., None]
    tint = {"sepia": [1.0, 0.86, 0.66], "grey": [1, 1, 1], "colour": [1, 1, 1]}[kind]
    rgb = grey * tint
    if kind == "colour":
        rgb[:30, :, 0] *= 0.3
        rgb[30:, :, 2] *= 0.2
    Image.fromarray(rgb.astype(np.uint8)).save(tmp_path / "a.png")
    result = run(predictor, tmp_path / "a.png", tmp_path / "b.png", Writing(leave_out=frozenset([leave])))
    assert (result.status == "left out") is left
    assert (tmp_path / "b.png").exists() is not left
    assert bool(result.warnings) is (kind != "grey")


class Cramped(Predictor):
    """A device with room for planes of so many pixels."""

    room = 0
    device_name = "cpu"

    def predict(self, seen, conditions=None):
        if sum(one.plane.size for one in seen) > self.room:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return super().predict(seen, conditions)


def picture(grey_picture, tmp_path):
    Image.fromarray(grey_picture(200, 240)).save(tmp_path / "a.png")
    return tmp_path / "a.png"


def test_out_of_memory_makes_the_working_size_smaller_aloud(network, grey_picture, tmp_path):
    source, lines = picture(grey_picture, tmp_path), []
    cramped = Cramped(network, "cpu", "fp32")
    cramped.room = 64 * 64  # the network sees 64x96 at the whole working size, 64x64 at three quarters
    result = run(cramped, source, tmp_path / "b.png", say=lines.append)
    assert result.error is None and len(lines) == 1
    assert "working size of 48" in lines[0] and str(source) in lines[0]
    assert any("working size of 48" in line for line in result.warnings)
    assert result.seen == (58, 48)
    assert np.ptp(np.asarray(Image.open(tmp_path / "b.png")).astype(int), axis=2).max() > 20


def test_the_cpu_is_the_last_resort_and_never_grey(network, grey_picture, tmp_path, as_gpu):
    source, lines = picture(grey_picture, tmp_path), []
    result = run(as_gpu(Cramped)(network), source, tmp_path / "b.png", say=lines.append)
    assert result.error is None
    assert [("48" in lines[0]), ("32" in lines[1]), ("going on with the CPU" in lines[2])] == [True] * 3
    assert any("made on the CPU" in line for line in result.warnings)
    run(Predictor(network, "cpu"), source, tmp_path / "c.png")
    assert np.array_equal(*(np.asarray(Image.open(tmp_path / name)) for name in ("b.png", "c.png")))


def test_hints_follow_the_smaller_size(network, grey_picture, tmp_path):
    source = picture(grey_picture, tmp_path)
    cramped = Cramped(network, "cpu", "fp32")
    cramped.room = 64 * 64
    hint = hint_from_json({"x": 100, "y": 100, "radius": 20, "color": "#3a7d44"}, "hint")
    result = run(cramped, source, tmp_path / "b.png", job={"wishes": Wishes(hints=(hint,))})
    assert result.error is None and any("working size" in line for line in result.warnings)


def test_memory_for_reading_beside_others(predictor, grey_picture, tmp_path, monkeypatch):
    """A photograph that does not fit beside others is tried again alone."""
    from gan_colorize.inference import stages

    jobs = []
    for index in range(6):
        path = tmp_path / f"{index}.png"
        Image.fromarray(grey_picture(64, 64, seed=index)).save(path)
        jobs.append(Job(path, (tmp_path / "out" / path.name,)))
    real, failed = stages.read_photo, []

    def read_photo(source, **options):
        if source.name == "2.png" and not failed:
            failed.append(source)
            raise MemoryError
        return real(source, **options)

    monkeypatch.setattr(stages, "read_photo", read_photo)
    lines = []
    results = list(colour_files(predictor, jobs, Settings(), say=lines.append))
    assert sorted(result.source.name for result in results) == [f"{index}.png" for index in range(6)]
    assert all(result.error is None for result in results)
    assert failed and any("again alone" in line for line in lines)
