"""Names that other systems do not take, that are too long, and that are one on some of them."""

import os
import unicodedata
from pathlib import Path, PurePath

import pytest

from gan_colorize import file_names
from gan_colorize.file_names import NameRules, short_enough, windows_name, windows_path


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("plain photo.jpg", "plain photo.jpg"),
        ('a<b>c:d"e|f?g*h.jpg', "a_b_c_d_e_f_g_h.jpg"),
        ("back\\slash.jpg", "back_slash.jpg"),
        ("line\nbreak\x1b.jpg", "line_break_.jpg"),
        ("dot.", "dot_"),
        ("spaces  ", "spaces__"),
        ("con.jpg", "con_.jpg"),
        ("NUL", "NUL_"),
        ("Com1.tar.jpg", "Com1_.tar.jpg"),
        ("lpt9 .png", "lpt9_.png"),
        ("COM\u00b2.png", "COM\u00b2_.png"),
        ("console.jpg", "console.jpg"),
        ("com10.jpg", "com10.jpg"),
        (".jpg", ".jpg"),
    ],
)
def test_windows_names(name, expected):
    assert windows_name(name) == expected
    assert windows_name(expected) == expected


def test_every_part_of_a_path():
    assert windows_path(PurePath("aux", "a?", "b.jpg")) == PurePath("aux_", "a_", "b.jpg")


def test_long_names_are_cut_at_a_character_and_stay_different():
    fits = Path("out", "a" * 251 + ".png")
    assert short_enough(fits) == fits
    long = [short_enough(Path("out", "\u00e9" * 130 + end)) for end in (".sample1.png", ".sample2.png")]
    assert long[0] != long[1]
    for path in long:
        assert 250 < len(os.fsencode(path.name)) <= 255
        assert path.parent == Path("out") and path.suffix == ".png" and "~" in path.name
        os.fsencode(path.name).decode()  # no half characters
    assert short_enough(Path("\u00e9" * 130 + ".sample1.png")).name == long[0].name


def test_the_file_system_is_asked_only_about_names_that_might_be_one(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(file_names, "_ask", lambda folder: asked.append(folder) or (True, True))
    assert NameRules(tmp_path, [Path("a.jpg"), Path("b.jpg")]).key("A.jpg") == os.path.normcase("A.jpg")
    assert not asked
    composed, decomposed = (unicodedata.normalize(form, "caf\u00e9.jpg") for form in ("NFC", "NFD"))
    rules = NameRules(tmp_path, [Path(composed), Path(decomposed)])
    assert asked == [tmp_path]
    assert rules.key(composed) == rules.key(decomposed) == rules.key(composed.upper())


def test_asking_tells_the_truth_and_leaves_nothing(tmp_path):
    (tmp_path / "x").touch()
    truth = (tmp_path / "X").exists()
    case, _ = file_names._ask(tmp_path / "not" / "yet")
    assert case is truth
    assert [path.name for path in tmp_path.iterdir()] == ["x"]


def test_a_folder_that_cannot_be_asked_tells_nothing_apart(tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise PermissionError

    monkeypatch.setattr(file_names.tempfile, "NamedTemporaryFile", refuse)
    rules = NameRules(tmp_path, [Path("a.jpg"), Path("A.jpg")])
    assert rules.key("a.jpg") == rules.key("A.jpg")
