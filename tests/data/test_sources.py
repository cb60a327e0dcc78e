"""Folders, lists, shards: what is found, in which order, and what changes the fingerprint."""

import io
import os
import pickle
import tarfile
from pathlib import Path

import pytest
import webdataset

from gan_colorize.data.folder import evenly_spread, open_source, open_sources
from gan_colorize.errors import UserError


@pytest.mark.parametrize(
    ("total", "count", "chosen"),
    [(10, 4, [0, 3, 6, 9]), (3, 7, [0, 1, 2]), (5, 1, [0]), (101, 3, [0, 50, 100]), (6, 5, [0, 1, 2, 4, 5])],
)
def test_evenly_spread(total: int, count: int, chosen: list[int]) -> None:
    assert evenly_spread(total, count) == chosen


def names(source: object) -> list[str]:
    return [source.name(i) for i in range(len(source))]


def write_tar(path: Path, members: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w") as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "tree"
    for name in ("b.jpg", "a/z.PNG", "a/y.webp", "c/d/e.tiff", "notes.csv", ".hidden/x.jpg", "a/._y.jpg"):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
    (root / "__MACOSX").mkdir()
    (root / "__MACOSX" / "b.jpg").write_bytes(b"")
    return root


def test_folder_is_sorted_and_recursive(tree: Path) -> None:
    source = open_source(tree)
    expected = [str(tree / name) for name in ("a/y.webp", "a/z.PNG", "b.jpg", "c/d/e.tiff")]
    assert names(source) == expected
    assert [source.read(i) for i in range(4)] == [b"a/y.webp", b"a/z.PNG", b"b.jpg", b"c/d/e.tiff"]


def test_links_are_followed_once(tree: Path) -> None:
    try:
        (tree / "loop").symlink_to(tree, target_is_directory=True)
    except OSError:
        pytest.skip("links need a privilege on this system")
    assert len(open_source(tree)) == 4


def test_fingerprint(tree: Path) -> None:
    before = open_source(tree).fingerprint()
    assert open_source(str(tree)).fingerprint() == before
    moved = tree.rename(tree.with_name("moved"))
    assert open_source(moved).fingerprint() == before
    os.utime(moved / "b.jpg", (1, 1))
    touched = open_source(moved).fingerprint()
    (moved / "new.jpg").write_bytes(b"")
    assert len({before, touched, open_source(moved).fingerprint()}) == 3


def test_list_file(tree: Path) -> None:
    listing = tree / "list.txt"
    listing.write_text("b.jpg\n\na/z.PNG\nmissing.jpg\n", encoding="utf-8-sig")
    source = open_source(listing)
    assert len(source) == 3 and source.read(1) == b"a/z.PNG"
    with pytest.raises(UserError, match=r"missing\.jpg: No such file"):
        source.read(2)
    assert len(source.fingerprint()) == 64
    listing.write_text("\n")
    with pytest.raises(UserError, match="empty"):
        open_source(listing)
    listing.write_bytes(b"\xff\xfe\x00a")
    with pytest.raises(UserError, match="UTF-8"):
        open_source(listing)


def test_one_image_and_joined(tree: Path) -> None:
    joined = open_sources([tree / "b.jpg", tree / "a"])
    assert [joined.read(i) for i in range(len(joined))] == [b"b.jpg", b"a/y.webp", b"a/z.PNG"]
    assert joined.name(2) == str(tree / "a/z.PNG")
    with pytest.raises(IndexError):
        joined.read(3)
    other = open_sources([tree / "a", tree / "b.jpg"])
    assert joined.fingerprint() != other.fingerprint()


@pytest.mark.parametrize(
    ("name", "message"),
    [("nowhere", "no such file or folder"), ("notes.csv", "not an image"), ("x-{00..02}.tar", "No such file"),
     ("empty", "no images"), ("data.tar.gz", "compressed"), ("x-{00..02.tar", "no such|unbalanced")],
)  # fmt: skip
def test_nothing_there(tree: Path, name: str, message: str) -> None:
    (tree / "empty").mkdir()
    (tree / "data.tar.gz").write_bytes(b"")
    with pytest.raises(UserError, match=message) as caught:
        open_source(tree / name)
    assert "\n" not in str(caught.value)
    with pytest.raises(UserError, match="no data"):
        open_sources([])


def test_shards_agree_with_webdataset(tmp_path: Path) -> None:
    """Keys and images as the package itself reads them."""
    first = {"a.jpg": b"A", "a.txt": b"a cat", "b.seg.png": b"mask", "b.JPG": b"B", "dir/c.json": b"{}"}
    second = {"dir/d.png": b"D", "dir/d.cls": b"3", "__meta__/x.jpg": b"no", "e.webp": b"E"}
    write_tar(tmp_path / "s-000.tar", first)
    write_tar(tmp_path / "s-001.tar", second)
    expected = []
    for sample in webdataset.WebDataset([str(p) for p in sorted(tmp_path.glob("*.tar"))], shardshuffle=False):
        expected += [sample[k] for k in ("jpg", "png", "webp") if k in sample]
    assert expected == [b"A", b"B", b"D", b"E"]
    pattern = str(tmp_path / "s-{000..001}.tar")
    for source in (
        open_source(tmp_path),
        open_source(pattern),
        pickle.loads(pickle.dumps(open_source(pattern))),
    ):
        assert [source.read(i) for i in range(len(source))] == expected
        assert source.name(2) == str(tmp_path / "s-001.tar") + "/dir/d.png"
    assert open_source(tmp_path).fingerprint() == open_source(pattern).fingerprint()
    (tmp_path / "f.jpg").write_bytes(b"F")  # images and shards in one folder
    mixed = open_source(tmp_path)
    assert [mixed.read(i) for i in range(len(mixed))] == [b"F", *expected]


def test_broken_shards(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    members = {f"{i:03}.jpg": bytes([i]) * 1000 for i in range(8)}
    shard = write_tar(tmp_path / "s.tar", members)
    shard.write_bytes(shard.read_bytes()[:6000])
    source = open_source(shard)
    assert 0 < len(source) < 8 and source.read(0) == members["000.jpg"]
    assert "cut short" in caplog.text
    shard.write_bytes(b"this is text" * 100)
    with pytest.raises(UserError, match="not an uncompressed tar"):
        open_source(shard)
    write_tar(shard, {"readme.txt": b"hello"})
    with pytest.raises(UserError, match="no images"):
        open_source(shard)


def test_shard_that_goes_away(tmp_path: Path) -> None:
    shard = write_tar(tmp_path / "s.tar", {"0.jpg": b"x" * 2000})
    source = open_source(shard)
    shard.write_bytes(b"")
    with pytest.raises(UserError, match=r"s\.tar/0\.jpg: .*cut short"):
        source.read(0)
    source = pickle.loads(pickle.dumps(source))
    shard.unlink()
    with pytest.raises(UserError, match="No such file"):
        source.read(0)


def test_more_shards_than_handles(tmp_path: Path) -> None:
    for i in range(80):
        write_tar(tmp_path / f"{i:03}.tar", {"x.jpg": b"%d" % i})
    source = open_source(tmp_path)
    for _ in range(2):
        assert [source.read(i) for i in range(80)] == [b"%d" % i for i in range(80)]


def test_development_data(shared: Path) -> None:
    source = open_source(shared / "data" / "photos128" / "photos128-{000000..000001}.tar")
    assert source.name(5).endswith("photos128-000000.tar/000005.webp")
    assert source.read(5)[:4] == b"RIFF"
