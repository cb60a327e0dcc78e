"""The Parquet reader, on files put together here by the format's own description."""

import numpy as np
import pytest

from gan_colorize.text.parquet import read_strings, unsnap

WORDS = ["the", "sea", "café", "", "the", "forest", "sea", "sea"]


def varint(value):
    out = b""
    while value > 127:
        out, value = out + bytes([value & 127 | 128]), value >> 7
    return out + bytes([value])


def number(value):  # Thrift's i32 and i64: zigzag
    return varint(value << 1)


def struct(*fields):
    """(number, type, bytes) in rising order; gaps below 16 fit the short form."""
    out, last = b"", 0
    for field, kind, content in fields:
        out, last = out + bytes([(field - last) << 4 | kind]) + content, field
    return out + b"\0"


def listed(kind, items):
    return bytes([len(items) << 4 | kind]) + b"".join(items)


def plain(words):
    return b"".join(len(w.encode()).to_bytes(4, "little") + w.encode() for w in words)


def snap(data):
    """Snappy without a single copy."""
    out = varint(len(data))
    for start in range(0, len(data), 60):
        piece = data[start : start + 60]
        out += bytes([len(piece) - 1 << 2]) + piece
    return out


def page(kind, header_field, count, encoding, content, codec):
    stored = snap(content) if codec else content
    inner = struct((1, 5, number(count)), (2, 5, number(encoding)))
    head = struct(
        (1, 5, number(kind)),
        (2, 5, number(len(content))),
        (3, 5, number(len(stored))),
        (header_field, 12, inner),
    )
    return head + stored


def parquet(words, codec=1, kind=6):
    """Half of the words by a dictionary, bit-packed and as a run, half plain."""
    present = (4).to_bytes(4, "little") + b"\0\0\0\0"  # the reader skips what says which rows are there
    unique = list(dict.fromkeys(words))
    half = len(words) // 2
    codes = [unique.index(word) for word in words[:half]]
    bits = 3
    # The first code as a run of one, the others in a packed group of eight, of which the page needs fewer.
    runs = bytes([bits]) + bytes([1 << 1, codes[0]]) + bytes([1 << 1 | 1])
    padded = codes[1:] + [0] * (8 - len(codes[1:]))
    packed = np.packbits(
        np.array([[code >> k & 1 for k in range(bits)] for code in padded], np.uint8), bitorder="little"
    )
    body = b"PAR1"
    dictionary = len(body)
    body += page(2, 7, len(unique), 0, plain(unique), codec)
    data = len(body)
    body += page(0, 5, half, 8, present + runs + packed.tobytes(), codec)
    body += page(0, 5, len(words) - half, 0, present + plain(words[half:]), codec)
    meta = struct(
        (1, 5, number(kind)),
        (4, 5, number(codec)),
        (5, 6, number(len(words))),
        (9, 6, number(data)),
        (11, 6, number(dictionary)),
    )
    group = struct((1, 9, listed(12, [struct((2, 6, number(4)), (3, 12, meta))])))
    footer = struct((1, 5, number(2)), (3, 6, number(len(words))), (4, 9, listed(12, [group])))
    return body + footer + len(footer).to_bytes(4, "little") + b"PAR1"


@pytest.mark.parametrize("codec", [0, 1])
def test_words_come_back_from_dictionary_and_plain_pages(codec):
    assert read_strings(parquet(WORDS, codec)) == WORDS


def test_snappy_copies_may_overlap_what_they_write():
    # "ab", then 6 bytes from 2 back (one-byte offset), then "c", then 4 bytes from 9 back (two-byte offset)
    data = varint(13) + b"\x04ab" + bytes([(6 - 4) << 2 | 1, 2]) + b"\x00c" + bytes([3 << 2 | 2, 9, 0])
    assert unsnap(data) == b"ab" + b"ababab" + b"c" + b"abab"
    long = bytes(range(256)) * 2
    assert unsnap(varint(512) + bytes([61 << 2]) + (511).to_bytes(2, "little") + long) == long
    with pytest.raises(ValueError, match="damaged"):
        unsnap(varint(9) + b"\x04ab" + bytes([1, 7]))


def test_what_is_not_understood_is_refused():
    whole = parquet(WORDS)
    for broken in (b"", b"PAR1PAR1", whole[:-9], b"X" + whole[1:], whole[:40] + whole[60:]):
        with pytest.raises(ValueError):
            read_strings(broken)
    with pytest.raises(ValueError, match="type 1"):
        read_strings(parquet(WORDS, kind=1))
