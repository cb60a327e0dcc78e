"""Reads one column of strings from a Parquet file: just enough for a list of words.

A Parquet library is forty megabytes; the list of words that comes with the vectors is four. Understood are
the layouts that the usual writers choose for such a column: pages of version 1, plain or with a dictionary,
uncompressed or Snappy. The formats are those of github.com/apache/parquet-format (thrift/parquet.thrift,
Encodings.md) and of Snappy's format_description.txt.
"""

from __future__ import annotations

from typing import Any

import numpy as np

# Numbers of the formats.
_BYTE_ARRAY, _SNAPPY = 6, 1
_DATA_PAGE, _DICTIONARY_PAGE = 0, 2
_PLAIN, _OLD_DICTIONARY, _DICTIONARY = 0, 2, 8


def read_strings(data: bytes) -> list[str]:
    """The first column of a Parquet file, which must hold text and no gaps.

    Raises:
        ValueError: cut short, not Parquet, or a layout that is not understood.
    """
    if len(data) < 12 or data[:4] != b"PAR1" or data[-4:] != b"PAR1":
        raise ValueError("not a whole Parquet file")
    try:
        length = int.from_bytes(data[-8:-4], "little")
        footer = _Thrift(data, len(data) - 8 - length).struct()
        words: list[bytes] = []
        for group in footer[4]:
            words += _column(data, group[1][0][3])
        if len(words) != footer[3]:
            raise ValueError(f"{len(words)} of {footer[3]} rows could be read")
        return [word.decode() for word in words]
    except (IndexError, KeyError, TypeError, RecursionError, OverflowError) as error:
        raise ValueError("a Parquet file that is damaged or of a layout that is not understood") from error


def _column(data: bytes, about: dict[int, Any]) -> list[bytes]:
    kind, codec, count = about[1], about[4], about[5]
    if kind != _BYTE_ARRAY or codec not in (0, _SNAPPY):
        raise ValueError(f"column of type {kind} with compression {codec}")
    place = min(about.get(11) or about[9], about[9])
    dictionary: list[bytes] = []
    values: list[bytes] = []
    while len(values) < count:
        reader = _Thrift(data, place)
        header = reader.struct()
        place = reader.place + header[3]
        page = data[reader.place : place]
        if codec == _SNAPPY:
            page = unsnap(page)
        if header[1] == _DICTIONARY_PAGE:
            dictionary = _plain(page, header[7][1])
        elif header[1] == _DATA_PAGE:
            encoding, number = header[5][2], header[5][1]
            # Which rows are there: a length, then runs. With no gap in the column all are.
            page = page[4 + int.from_bytes(page[:4], "little") :]
            if encoding == _PLAIN:
                values += _plain(page, number)
            elif encoding in (_DICTIONARY, _OLD_DICTIONARY):
                values += [dictionary[i] for i in _hybrid(page[1:], page[0], number)]
            else:
                raise ValueError(f"page with encoding {encoding}")
        else:
            raise ValueError(f"page of type {header[1]}")
    return values


def _plain(page: bytes, count: int) -> list[bytes]:
    """Each value after its length in four bytes."""
    values, place = [], 0
    for _ in range(count):
        end = place + 4 + int.from_bytes(page[place : place + 4], "little")
        values.append(page[place + 4 : end])
        place = end
    if place > len(page):
        raise ValueError("a page is cut short")
    return values


def _hybrid(data: bytes, bits: int, count: int) -> list[int]:
    """Numbers of ``bits`` bits in runs: one value repeated, or groups of eight packed together."""
    reader, numbers = _Thrift(data, 0), []
    while len(numbers) < count:
        head = reader.varint()
        if head & 1:
            size = (head >> 1) * bits
            packed = np.frombuffer(data, np.uint8, size, reader.place)
            groups = np.unpackbits(packed, bitorder="little").reshape(-1, bits)
            numbers += (groups @ (1 << np.arange(bits))).tolist()
        else:
            size = (bits + 7) // 8
            value = int.from_bytes(data[reader.place : reader.place + size], "little")
            numbers += [value] * (head >> 1)
        reader.place += size
    return numbers[:count]


def unsnap(data: bytes) -> bytes:
    """Undo Snappy: literals, and copies of what was already written."""
    reader = _Thrift(data, 0)
    total, place, end = reader.varint(), reader.place, len(data)
    out = bytearray()
    while place < end:
        tag = data[place]
        kind, place = tag & 3, place + 1
        if kind == 0:
            size = (tag >> 2) + 1
            if size > 60:
                extra = size - 60
                size = int.from_bytes(data[place : place + extra], "little") + 1
                place += extra
            out += data[place : place + size]
            place += size
            continue
        if kind == 1:
            size, offset = ((tag >> 2) & 7) + 4, (tag >> 5) << 8 | data[place]
            place += 1
        else:
            width = 2 if kind == 2 else 4
            size, offset = (tag >> 2) + 1, int.from_bytes(data[place : place + width], "little")
            place += width
        start = len(out) - offset
        if offset == 0 or start < 0:
            raise ValueError("damaged Snappy data")
        # A copy may reach into what it writes: then it repeats.
        out += (out[start:] * (size // offset + 1))[:size] if offset < size else out[start : start + size]
    if len(out) != total:
        raise ValueError("damaged Snappy data")
    return bytes(out)


class _Thrift:
    """Thrift's compact protocol: structs become dicts by field number."""

    def __init__(self, data: bytes, place: int) -> None:
        self.data, self.place = data, place

    def varint(self) -> int:
        value = shift = 0
        while True:
            byte = self.data[self.place]
            self.place += 1
            value |= (byte & 127) << shift
            if byte < 128:
                return value
            shift += 7

    def struct(self) -> dict[int, Any]:
        fields, number = {}, 0
        while head := self._byte():
            number = number + (head >> 4) if head >> 4 else self._zigzag()
            kind = head & 15
            fields[number] = kind == 1 if kind in (1, 2) else self._value(kind)
        return fields

    def _byte(self) -> int:
        self.place += 1
        return self.data[self.place - 1]

    def _zigzag(self) -> int:
        value = self.varint()
        return (value >> 1) ^ -(value & 1)

    def _value(self, kind: int) -> Any:
        if kind in (1, 2, 3):
            return self._byte()
        if kind in (4, 5, 6):
            return self._zigzag()
        if kind == 8:
            size = self.varint()
            self.place += size
            return self.data[self.place - size : self.place]
        if kind in (9, 10):
            head = self._byte()
            size = self.varint() if head >> 4 == 15 else head >> 4
            return [self._value(head & 15) for _ in range(size)]
        if kind == 12:
            return self.struct()
        raise ValueError(f"Thrift type {kind}")
