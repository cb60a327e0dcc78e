"""Files are whole or absent, and it is known beforehand whether they can be written."""

import errno
import os
from pathlib import Path

import pytest
from PIL import Image

from gan_colorize import files
from gan_colorize.errors import UserError
from gan_colorize.files import check_writable, no_more_room, save_bytes, save_image


def test_bytes_and_pictures(tmp_path: Path) -> None:
    save_bytes(tmp_path / "deep" / "a", b"content")
    assert (tmp_path / "deep" / "a").read_bytes() == b"content"
    save_image(tmp_path / "a.png", Image.new("L", (4, 3), 77), "PNG")
    with Image.open(tmp_path / "a.png") as image:
        assert (image.size, image.getpixel((2, 2))) == ((4, 3), 77)
    save_image(tmp_path / "a.jpg", Image.new("L", (4, 3), 77), "JPEG", quality=90)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.jpg", "a.png", "deep"]


def test_a_full_disk_leaves_nothing_and_says_that_no_more_fits(small_disk: Path) -> None:
    noise = Image.frombytes("L", (400, 400), os.urandom(160_000))
    for kind in ("JPEG", "PNG"):
        with pytest.raises(UserError, match="No space left") as caught:
            save_image(small_disk / "a", noise, kind)
        assert no_more_room(caught.value)
    assert list(small_disk.iterdir()) == []


def test_a_write_that_fails_late(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Network file systems say it only when the data must reach the disk."""

    def full(number: int) -> None:
        raise OSError(errno.EDQUOT, "Disk quota exceeded")

    (tmp_path / "a.jpg").write_bytes(b"older")
    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(UserError, match="quota") as caught:
        save_image(tmp_path / "a.jpg", Image.new("L", (4, 3)), "JPEG")
    assert no_more_room(caught.value)
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"older"]


def test_other_failures_leave_room() -> None:
    assert not no_more_room(PermissionError(errno.EACCES, "Permission denied"))
    assert not no_more_room(UserError("damaged"))


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such permissions")
def test_permissions_are_those_of_any_new_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The umask is the whole process's: setting it, be it for a moment, opens the files of other threads."""
    before = os.umask(0o027)
    monkeypatch.setattr(os, "umask", None)
    try:
        save_bytes(tmp_path / "a", b"content")
    finally:
        monkeypatch.undo()
        os.umask(before)
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o640


def test_checking_a_folder_leaves_no_trace(tmp_path: Path) -> None:
    check_writable(tmp_path / "new" / "deep")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="cannot write to"):
        check_writable(tmp_path / "file" / "below")
