"""The contact sheet: pictures paired by name, before on the left, after on the right."""

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image

from gan_colorize.errors import UserError


@pytest.fixture
def sheet(script: Callable[[str], ModuleType]) -> ModuleType:
    return script("contact_sheet")


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    before, after = tmp_path / "before", tmp_path / "after"
    before.mkdir()
    after.mkdir()
    for name, size in (("a", (100, 50)), ("b", (50, 50)), ("lost", (50, 50))):
        Image.new("L", size, 60).save(before / f"{name}.jpg")
        if name != "lost":
            Image.new("RGB", size, (200, 30, 30)).save(after / f"{name}.png")
    return before, after


def test_pictures_are_paired_by_stem(sheet: ModuleType, folders: tuple[Path, Path]) -> None:
    assert [(left.name, right.name) for left, right in sheet.pairs(*folders)] == [
        ("a.jpg", "a.png"),
        ("b.jpg", "b.png"),
    ]


def test_before_is_left_and_after_is_right(sheet: ModuleType, folders: tuple[Path, Path]) -> None:
    tile = np.asarray(sheet.pair_tile(folders[0] / "a.jpg", folders[1] / "a.png"))
    assert tile.shape == (sheet.WIDTH // 2, 2 * sheet.WIDTH, 3)
    assert np.abs(tile[:, : sheet.WIDTH].astype(int) - 60).max() <= 2
    assert (tile[:, sheet.WIDTH :] == (200, 30, 30)).all()


def test_columns_end_level(sheet: ModuleType) -> None:
    heights = (100, 300, 100, 100)
    tiles = [Image.new("RGB", (2 * sheet.WIDTH, height), "black") for height in heights]
    picture = np.asarray(sheet.contact_sheet(tiles))
    gap, wide = sheet.GAP, 2 * sheet.WIDTH
    assert picture.shape == (3 * 100 + 4 * gap, 2 * wide + 3 * gap, 3)
    assert (picture == 0).all(axis=2).sum() == sum(heights) * wide


def test_sheet_is_written(sheet: ModuleType, folders: tuple[Path, Path], tmp_path: Path) -> None:
    sheet.main(str(folders[0]), str(folders[1]), str(tmp_path / "new" / "sheet.jpg"))
    with Image.open(tmp_path / "new" / "sheet.jpg") as picture:
        assert picture.width == 4 * sheet.WIDTH + 3 * sheet.GAP


def test_a_full_disk_is_told_and_leaves_nothing(
    sheet: ModuleType, folders: tuple[Path, Path], small_disk: Path
) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (400, 420, 3), dtype=np.uint8)
    Image.fromarray(noise).save(folders[1] / "a.png")
    with pytest.raises(UserError, match="No space left"):
        sheet.main(str(folders[0]), str(folders[1]), str(small_disk / "sheet.jpg"))
    assert list(small_disk.iterdir()) == []


def test_nothing_to_pair_is_an_error(sheet: ModuleType, folders: tuple[Path, Path], tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(UserError, match="no picture named like one"):
        sheet.pairs(folders[0], empty)
