"""EXIF data and the first directory of a TIFF: read, made true of an upright sRGB copy, written again.

Pillow reads and writes the directories. Its dictionaries (``Image.Exif``) guess the types anew and turn every
letter outside ASCII into a question mark, so that values are copied here with the types they had.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import BinaryIO

from PIL import ExifTags, TiffTags
from PIL.TiffImagePlugin import ImageFileDirectory_v2

EXIF, GPS = 0x8769, 0x8825
XMP, IPTC, PHOTOSHOP = 700, 33723, 34377
X_RESOLUTION, Y_RESOLUTION, RESOLUTION_UNIT = 282, 283, 296
ORIENTATION, SOFTWARE, PROCESSING_SOFTWARE, MAKER_NOTE = 274, 305, 11, 37500
DESCRIPTION = 270
Y_CB_CR_POSITIONING = 531

# What damaged directories make Pillow raise.
DAMAGE = (OSError, SyntaxError, ValueError, KeyError, IndexError, TypeError, AttributeError, struct.error)

# Tags of a first directory that say how its bytes are laid out or its colours encoded (TIFF 6.0 and its
# supplements, TIFF/EP, DNG, ImageJ), where other directories lie, or that are carried in another way.
_LAYOUT = frozenset(
    [
        *(254, 255, *range(256, 260), *range(262, 267), 273, ORIENTATION, *range(277, 282), 284),
        *(*range(288, 294), 300, 301, *range(317, 336), *range(338, 352), *range(400, 405)),
        *(*range(433, 436), *range(512, 522), *range(529, 535), 559, XMP, 32932, *range(32953, 32957)),
        *(*range(32995, 33000), 33421, 33422, IPTC, PHOTOSHOP, 34675, EXIF, GPS, 37724, 40965),
        *(50838, 50839, *range(50706, 52600)),
    ]
)
# Of the ones above 32767 these are known to hold values and not places in the old file.
_KNOWN_PRIVATE = frozenset([33432, 42112, 42113, 18246, 18249])
_GEOGRAPHIC = frozenset([33550, 33922, 34264, *range(34735, 34738)])  # GeoTIFF: by columns and rows
# Of the details: a pointer, and what the old encoding was like.
_OLD_ENCODING = frozenset([40965, 37122, 42240])
_PLACES_IN_PICTURE = frozenset([37396, 41492])  # SubjectArea, SubjectLocation: columns and rows
_SRGB = 1
# Descriptions by which programs tell their own readers how a stack is laid out.
_LAYOUT_DESCRIPTIONS = (b'{"shape":', b"ImageJ=", b"<?xml version", b"<OME ")


@dataclass(frozen=True)
class Directories:
    """The first directory, and those of details (EXIF) and place (GPS) that hang on it, empty if absent."""

    main: ImageFileDirectory_v2
    details: ImageFileDirectory_v2
    place: ImageFileDirectory_v2

    def empty(self) -> bool:
        """Whether nothing at all is said."""
        return not (len(self.main) or len(self.details) or len(self.place))


def parse(data: bytes) -> Directories | None:
    """Directories of EXIF data, with or without "Exif\\0\\0" before them; None when it is none."""
    while data.startswith(b"Exif\0\0"):
        data = data[6:]
    if data[:4] not in (b"II*\0", b"MM\0*"):
        return None
    stream = io.BytesIO(data)
    try:
        return hanging_on(stream, load(stream, int.from_bytes(data[4:8], _order(data))))
    except DAMAGE:
        return None


def load(stream: BinaryIO, offset: int, group: int | None = None) -> ImageFileDirectory_v2:
    """The directory at ``offset`` of a TIFF or of EXIF data."""
    stream.seek(0)
    head = stream.read(4)
    directory = empty(head[:2], int.from_bytes(head[2:], _order(head)) == 43, group)
    stream.seek(offset)
    directory.load(stream)
    for tag in (XMP, IPTC, PHOTOSHOP):  # bytes, whatever their writers say: of numbers Pillow takes the first
        if tag in directory.tagtype:
            directory.tagtype[tag] = TiffTags.UNDEFINED
    return directory


def hanging_on(stream: BinaryIO, main: ImageFileDirectory_v2) -> Directories:
    """A first directory with the two that it points to; what cannot be read is empty."""
    others = []
    for tag in (EXIF, GPS):
        try:
            offset = main[tag][0] if isinstance(main[tag], tuple) else main[tag]
            others.append(load(stream, offset, tag))
        except DAMAGE:
            others.append(like(main, tag))
    return Directories(main, *others)


def like(main: ImageFileDirectory_v2, group: int | None = None) -> ImageFileDirectory_v2:
    """An empty directory of the same byte order; never of a BigTIFF, which EXIF data cannot be."""
    return empty(main.prefix, False, group)


def empty(prefix: bytes, big: bool, group: int | None = None) -> ImageFileDirectory_v2:
    """A directory without tags, of a byte order (b"II" or b"MM"), for a classic TIFF or a BigTIFF."""
    # Pillow knows a BigTIFF by the head of a little-endian one alone.
    head = b"II\x2b\0\x08\0\0\0" + bytes(8) if big else b"II*\0\x08\0\0\0"
    return ImageFileDirectory_v2(head, prefix=prefix, group=group)


def corrected(
    old: Directories, size: tuple[int, int], turned: bool, swapped: bool, most: int
) -> tuple[Directories, list[str]]:
    """What stays true of an upright sRGB copy, and a line for each tag that could not be carried.

    Args:
        old: as read.
        size: (width, height) of the copy.
        turned: the picture was stored in another orientation; swapped: and its rows are now columns.
        most: bytes a tag may have.
    """
    notes: list[str] = []
    geographic = frozenset() if turned else _GEOGRAPHIC

    def keeps(tag: int) -> bool:
        if tag in _LAYOUT or (tag in _GEOGRAPHIC and turned):
            return False
        is_number = old.main.tagtype.get(tag) in (
            TiffTags.LONG,
            TiffTags.IFD,
            TiffTags.LONG8,
            TiffTags.SIGNED_LONG,
        )
        if tag <= 32767 or tag in geographic | _KNOWN_PRIVATE or not is_number:
            return old.main.tagtype.get(tag) != TiffTags.IFD
        notes.append(f"its private tag {tag} may point into the old file and was left out")
        return False

    main = _copied(old.main, like(old.main), keeps, most, notes)
    described = as_stored(main.get(DESCRIPTION, b""))
    # a damaged one can be of any type
    if isinstance(described, bytes) and described.startswith(_LAYOUT_DESCRIPTIONS):
        del main[DESCRIPTION]
        if not described.startswith(_LAYOUT_DESCRIPTIONS[0]):
            notes.append("its description tells how the old file is laid out and was left out")
    if swapped and X_RESOLUTION in main and Y_RESOLUTION in main:
        main[X_RESOLUTION], main[Y_RESOLUTION] = main[Y_RESOLUTION], main[X_RESOLUTION]

    gone = _OLD_ENCODING | (_PLACES_IN_PICTURE if turned else frozenset())
    details = _copied(old.details, like(old.main, EXIF), lambda tag: tag not in gone, most, notes)
    if len(details):
        put(details, ExifTags.Base.ExifImageWidth, TiffTags.LONG, size[0])
        put(details, ExifTags.Base.ExifImageHeight, TiffTags.LONG, size[1])
        put(details, ExifTags.Base.ColorSpace, TiffTags.SHORT, _SRGB)
    place = _copied(old.place, like(old.main, GPS), lambda tag: True, most, notes)
    return Directories(main, details, place), notes


def put(directory: ImageFileDirectory_v2, tag: int, kind: int, value: object) -> None:
    """Set a tag of a type of :mod:`PIL.TiffTags`; text as UTF-8."""
    directory.tagtype[tag] = kind
    directory[tag] = value.encode() if isinstance(value, str) else value


def resolution(main: ImageFileDirectory_v2) -> tuple[float, float] | None:
    """Dots per inch (x, y) by a first directory; None when it does not say or names no unit."""
    try:
        unit = {2: 1.0, 3: 2.54}[main.get(RESOLUTION_UNIT, 2)]
        return float(main[X_RESOLUTION]) * unit, float(main[Y_RESOLUTION]) * unit
    except (*DAMAGE, ArithmeticError):
        return None


def serialise(directories: Directories, leave_out: Iterable[int] = ()) -> bytes:
    """EXIF data as files carry it, "Exif\\0\\0" first. ``leave_out``: tags of the details."""
    main = _copied(directories.main, like(directories.main), lambda tag: True)
    others = {}
    for tag, directory in ((EXIF, directories.details), (GPS, directories.place)):
        kept = _copied(directory, like(main, tag), lambda each: each not in leave_out)
        if len(kept):
            others[tag] = kept
            put(main, tag, TiffTags.LONG, 0)
    offset, parts = 8 + len(main.tobytes(8)), []
    for tag, directory in others.items():
        main[tag] = offset
        parts.append(directory.tobytes(offset))
        offset += len(parts[-1])
    head = b"II*\0\x08\0\0\0" if main.prefix == b"II" else b"MM\0*\0\0\0\x08"
    return b"Exif\0\0" + head + main.tobytes(8) + b"".join(parts)


def _copied(
    old: ImageFileDirectory_v2,
    new: ImageFileDirectory_v2,
    keeps: Callable[[int], bool],
    most: int | None = None,
    notes: list[str] | None = None,
) -> ImageFileDirectory_v2:
    """``new`` with the tags of ``old`` that ``keeps`` says, in their types; damaged ones are missing."""
    for tag in sorted(old):
        if not keeps(tag):
            continue
        try:
            value, kind = old[tag], old.tagtype[tag]
            if kind == TiffTags.ASCII:
                value = as_stored(value)
            kind = TiffTags.LONG if kind in (TiffTags.LONG8, TiffTags.IFD) else kind
            length = 0
            if most is not None:  # from outside: one that cannot be written would spoil all others
                alone = like(new, new.group)
                put(alone, tag, kind, value)
                length = len(alone.tobytes())
        except DAMAGE:
            if notes is not None:
                notes.append(f"its tag {tag} is damaged and was left out")
            continue
        if most is not None and length > most:
            notes.append(f"its tag {tag} has {length / 1e6:.0f} MB and was left out")
            continue
        new.tagtype[tag] = kind
        new[tag] = value
    return new


def as_stored(text: str | bytes | tuple) -> bytes:
    """The letters of an ASCII tag as they were stored: Pillow reads them as Latin-1."""
    if isinstance(text, tuple) and all(isinstance(part, str | bytes) for part in text):
        return b"\0".join(as_stored(part) for part in text)
    return text.encode("latin-1") if isinstance(text, str) else text


def _order(head: bytes) -> str:
    return "little" if head[:2] == b"II" else "big"
