"""A folder of results: which belongs to which photograph, and in which size it is measured."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gan_colorize.data.folder import open_source
from gan_colorize.errors import UserError
from gan_colorize.evaluation.benchmark.external import ExternalResults, read_result
from gan_colorize.evaluation.frames import read_frame


def pictures(folder: Path, *names: str, size: tuple[int, int] = (40, 40)) -> Path:
    for number, name in enumerate(names):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", size, (10 * number + 20, 90, 60)).save(path)
    return folder


def matched(truth: Path, results: Path) -> dict[str, str]:
    source = open_source(truth)
    found = ExternalResults(results).match(source, list(range(len(source))))
    return {
        str(Path(source.name(i)).relative_to(truth)): str(Path(path).relative_to(results))
        for i, path in found.of.items()
    }


def test_by_stem_and_by_folder(tmp_path: Path) -> None:
    truth = pictures(tmp_path / "truth", "a.png", "deep/b.png", "x/c.png", "y/c.png")
    results = pictures(tmp_path / "results", "a.jpg", "b.jpg", "x/c.png", "y/c.jpg", "extra.png")
    assert matched(truth, results) == {
        "a.png": "a.jpg",
        "deep/b.png": "b.jpg",
        "x/c.png": "x/c.png",
        "y/c.png": "y/c.jpg",
    }
    source = open_source(truth)
    assert ExternalResults(results).match(source, [0]).extra == [
        "extra.png"
    ]  # what a limit leaves is no extra


def test_the_same_suffix_goes_first(tmp_path: Path) -> None:
    truth = pictures(tmp_path / "truth", "a.png", "a.jpg")
    results = pictures(tmp_path / "results", "a.png", "a.jpg")
    assert matched(truth, results) == {"a.png": "a.png", "a.jpg": "a.jpg"}


def test_what_cannot_be_told_is_refused_by_name(tmp_path: Path) -> None:
    truth = pictures(tmp_path / "truth", "a.webp")
    with pytest.raises(UserError, match=r"both a\.jpg and a\.png could be the result for .*a\.webp"):
        matched(truth, pictures(tmp_path / "two", "a.png", "a.jpg"))
    truth = pictures(tmp_path / "folders", "x/a.png", "y/a.png")
    with pytest.raises(UserError, match="keep the photographs' folders"):
        matched(truth, pictures(tmp_path / "flat", "a.png"))


def test_missing_results_are_listed(tmp_path: Path) -> None:
    truth = pictures(tmp_path / "truth", "a.png", "b.png")
    source = open_source(truth)
    results = ExternalResults(pictures(tmp_path / "results", "b.png"))
    matches = results.match(source, [0, 1])
    assert [Path(name).name for name in matches.missing] == ["a.png"] and list(matches.of) == [1]
    assert results.match(source, [1]).missing == []


def test_sizes(tmp_path: Path) -> None:
    """A result of the photograph's size is cropped as it was; one of the measured size is used as it is."""
    left_and_right = np.zeros((40, 80, 3), np.uint8)
    left_and_right[:, :20], left_and_right[:, 60:] = 255, 255
    (tmp_path / "truth").mkdir()
    Image.fromarray(left_and_right).save(tmp_path / "truth" / "a.png")
    frame = read_frame(open_source(tmp_path / "truth"), 0, "centre-crop", 32)
    Image.fromarray(left_and_right).save(tmp_path / "whole.png")
    whole, _ = read_result(str(tmp_path / "whole.png"), frame, "centre-crop", 32)
    assert whole.shape == (32, 32, 3) and whole.max() == 0  # the white ends are cropped away
    noise = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "small.png")
    small, _ = read_result(str(tmp_path / "small.png"), frame, "centre-crop", 32)
    assert np.array_equal(small, noise)
    Image.fromarray(noise[:20]).save(tmp_path / "other.png")
    with pytest.raises(UserError, match=r"is 32x20; .* must be 32x32 or 80x40"):
        read_result(str(tmp_path / "other.png"), frame, "centre-crop", 32)
    (tmp_path / "text.png").write_text("no picture")
    with pytest.raises(UserError, match=r"text\.png"):
        read_result(str(tmp_path / "text.png"), frame, "centre-crop", 32)
