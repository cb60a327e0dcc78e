"""The folder as a browser sees it: what is listed, and that nothing outside can be named."""

import os

import pytest

from gan_colorize.errors import UserError
from gan_colorize.ui.folder import Folder, Outside


@pytest.fixture
def tree(tmp_path):
    """A folder with images two levels deep, and a secret beside it."""
    folder = tmp_path / "scans"
    for name in ("b.jpg", "a/z.PNG", "a/deep/y.tif", "a.webp", "notes.txt", ".hidden.jpg", ".cache/x.jpg"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")
    (tmp_path / "secret.jpg").write_bytes(b"secret")
    (tmp_path / "scans-other").mkdir()
    (tmp_path / "scans-other" / "near.jpg").write_bytes(b"near")
    return folder


def link(at, to):
    try:
        at.symlink_to(to)
    except OSError:
        pytest.skip("links cannot be made here")


def test_images_are_listed_sorted_with_their_folders(tree):
    assert Folder(tree).page() == (["a.webp", "a/deep/y.tif", "a/z.PNG", "b.jpg"], False)
    assert Folder(tree).name == "scans"


def test_pages_follow_each_other(tree):
    folder = Folder(tree)
    first, more = folder.page(count=3)
    assert (len(first), more) == (3, True)
    assert folder.page(after=first[-1], count=3) == (["b.jpg"], False)
    assert folder.page(after="b.jpg") == ([], False)


def test_new_files_are_seen_when_the_list_begins_anew(tree):
    folder = Folder(tree)
    folder.page()
    (tree / "new.jpg").write_bytes(b"x")
    assert "new.jpg" in folder.page()[0]


def test_names_lead_to_files(tree):
    folder = Folder(tree)
    for name in folder.page()[0]:
        assert folder.resolve(name) == (tree / name).resolve()


@pytest.mark.parametrize(
    "name",
    [
        "../secret.jpg",
        "a/../../secret.jpg",
        "a/../b.jpg",
        "..\\secret.jpg",
        "a\\..\\..\\secret.jpg",
        "./b.jpg",
        "/etc/x.jpg",
        "\\windows\\x.jpg",
        "//host/share/x.jpg",
        "\\\\host\\share\\x.jpg",
        "C:/x.jpg",
        "C:x.jpg",
        "a//z.PNG",
        "b.jpg\0",
        "\0b.jpg",
        "",
        ".",
        "a",
        "notes.txt",
        "../scans-other/near.jpg",
        "b.jpg/",
        "\udcff.jpg",
    ],
)
def test_names_that_are_not_plain_are_refused(tree, name):
    with pytest.raises(Outside):
        Folder(tree).resolve(name)


def test_an_absolute_name_is_refused_even_inside(tree):
    with pytest.raises(Outside):
        Folder(tree).resolve(str(tree / "b.jpg"))


def test_what_is_not_there(tree):
    (tree / "folder.jpg").mkdir()
    for name in ("gone.jpg", "a/gone.jpg", "b.jpg/x.jpg", "folder.jpg", "x" * 300 + ".jpg"):
        with pytest.raises(FileNotFoundError, match="no such image"):
            Folder(tree).resolve(name)


def test_links_out_of_the_folder_are_neither_listed_nor_followed(tree):
    link(tree / "out.jpg", tree.parent / "secret.jpg")
    link(tree / "way", tree.parent)
    link(tree / "near.jpg", tree.parent / "scans-other" / "near.jpg")  # shares the beginning of its name
    link(tree / "inside.jpg", tree / "b.jpg")
    folder = Folder(tree)
    names = folder.page()[0]
    assert "inside.jpg" in names
    assert not {"out.jpg", "near.jpg"} & set(names)
    assert not any(name.startswith("way/") for name in names)
    for name in ("out.jpg", "way/secret.jpg", "near.jpg", "way/scans/b.jpg/../../secret.jpg"):
        with pytest.raises(Outside):
            folder.resolve(name)
    assert folder.resolve("inside.jpg") == (tree / "b.jpg").resolve()


def test_a_loop_of_links_is_no_image(tree):
    link(tree / "loop.jpg", tree / "loop.jpg")
    link(tree / "gone.jpg", tree / "deleted.jpg")
    with pytest.raises(FileNotFoundError):
        Folder(tree).resolve("loop.jpg")
    assert Folder(tree).page() == (["a.webp", "a/deep/y.tif", "a/z.PNG", "b.jpg"], False)


def test_a_folder_that_is_itself_a_link(tree, tmp_path):
    link(tmp_path / "shortcut", tree)
    folder = Folder(tmp_path / "shortcut")
    assert folder.resolve("a/z.PNG") == (tree / "a" / "z.PNG").resolve()


@pytest.mark.skipif(os.name == "nt", reason="names are Unicode there")
def test_a_file_whose_name_is_no_unicode_is_left_out(tree):
    try:
        (tree / os.fsdecode(b"\xff.jpg")).write_bytes(b"x")
    except OSError:
        pytest.skip("the file system takes no such name")
    assert len(Folder(tree).page()[0]) == 4


def test_what_is_no_folder(tree):
    for path in (tree / "b.jpg", tree / "gone"):
        with pytest.raises(UserError, match=path.name):
            Folder(path)
