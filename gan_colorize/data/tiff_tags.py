"""Metadata for TIFF files that tifffile writes: its extra tags, and directories appended afterwards."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import tifffile
from PIL import TiffTags
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from . import exif as exif_data
from . import photoshop
from .carry import Carried, carried
from .exif import EXIF, GPS, IPTC, PHOTOSHOP, RESOLUTION_UNIT, X_RESOLUTION, XMP, Y_RESOLUTION, Directories
from .metadata import Metadata
from .provenance import Provenance

# (tag, data type, count, value, first page only), as tifffile takes them.
ExtraTag = tuple[int | str, int, int | None, Any, bool]
_BY_RESOLUTION_ARGUMENT = (X_RESOLUTION, Y_RESOLUTION, RESOLUTION_UNIT)
# A place that every TIFF has: tifffile drops tags that point to none. It is written with 8 bytes, which hold
# it in either kind of file, and overwritten with those that the file wants.
_NOWHERE = 8
_NAMES = {EXIF: "ExifTag", GPS: "GPSTag"}  # by number tifffile would leave them out


class TiffPageTags:
    """What one page says beside its pixels.

    extra_tags: for ``TiffWriter.write(extratags=...)``, which must also be called with ``software=False`` and
        ``metadata=None``; the places of other directories are empty until :func:`add_directories`.
    resolution: keyword arguments for it; none when the source has no resolution.
    notes:      what has no place in a TIFF, a line each.
    """

    def __init__(self, metadata: Metadata, provenance: Provenance | None = None, srgb: bool = True) -> None:
        said = carried("TIFF", metadata, provenance, srgb)
        self._directories = said.directories
        self.extra_tags = _extra_tags(said)
        self.resolution = _resolution(said)
        self.notes = said.notes

    def hanging(self) -> dict[int, ImageFileDirectory_v2]:
        """The directories that a page points to, by tag."""
        return {} if self._directories is None else _hanging(self._directories)


def add_directories(path: Path | str, pages: Sequence[TiffPageTags]) -> None:
    """Append the EXIF and GPS directories of every page to a finished file, classic or BigTIFF.

    pages: as many and in the order in which the pages were written.
    """
    if not any(page.hanging() for page in pages):
        return
    with tifffile.TiffFile(path, mode="r+b") as tiff:
        if len(tiff.pages) != len(pages):
            raise ValueError(f"{len(tiff.pages)} pages in the file and {len(pages)} with metadata")
        file = tiff.filehandle
        for number, page in enumerate(pages):
            for tag, directory in page.hanging().items():
                file.seek(0, 2)
                if file.tell() % 2:
                    file.write(b"\0")
                offset = file.tell()
                file.write(_in_file(directory, tiff, tag).tobytes(offset))
                kind = tifffile.DATATYPE.LONG8 if tiff.is_bigtiff else tifffile.DATATYPE.LONG
                tiff.pages[number].tags[tag].overwrite(offset, dtype=kind)


def _hanging(directories: Directories) -> dict[int, ImageFileDirectory_v2]:
    both = {EXIF: directories.details, GPS: directories.place}
    return {tag: directory for tag, directory in both.items() if len(directory)}


def _in_file(directory: ImageFileDirectory_v2, tiff: tifffile.TiffFile, tag: int) -> ImageFileDirectory_v2:
    """A copy in the byte order and with the lengths of offsets of the file."""
    new = exif_data.empty(b"II" if tiff.byteorder == "<" else b"MM", tiff.is_bigtiff, tag)
    for each in directory:
        value = directory[each]
        kind = directory.tagtype[each]
        exif_data.put(new, each, kind, exif_data.as_stored(value) if kind == TiffTags.ASCII else value)
    return new


def _extra_tags(said: Carried) -> list[ExtraTag]:
    tags: list[ExtraTag] = []
    if said.packet is not None:
        tags.append(_bytes_tag(XMP, TiffTags.BYTE, said.packet.tobytes()))
    if said.photoshop:
        # apart from each other, as readers look for IPTC-IIM in the tag of that name
        iptc, others = photoshop.iptc_of(said.photoshop), photoshop.without_iptc(said.photoshop)
        if iptc:
            # said to be numbers of four bytes, as libtiff wants it
            tags.append((IPTC, int(TiffTags.LONG), None, iptc + bytes(-len(iptc) % 4), False))
        if others:
            tags.append(_bytes_tag(PHOTOSHOP, TiffTags.BYTE, others))
    if said.directories is not None:
        main = said.directories.main
        tags += [_tag(main, tag) for tag in sorted(main) if tag not in (*_BY_RESOLUTION_ARGUMENT, EXIF, GPS)]
        tags += [(_NAMES[tag], TiffTags.LONG8, 1, _NOWHERE, False) for tag in _hanging(said.directories)]
    return tags


def _bytes_tag(tag: int, kind: int, data: bytes) -> ExtraTag:
    return tag, int(kind), len(data), data, False


def _tag(directory: ImageFileDirectory_v2, tag: int) -> ExtraTag:
    kind, value = directory.tagtype[tag], directory[tag]
    if kind == TiffTags.ASCII:
        value = exif_data.as_stored(value)
    if isinstance(value, bytes):
        return _bytes_tag(tag, kind, value)
    values = value if isinstance(value, tuple | list) else (value,)
    count = len(values)
    if kind in (TiffTags.RATIONAL, TiffTags.SIGNED_RATIONAL):
        values = [part for each in values for part in (each.numerator, each.denominator)]
    return tag, int(kind), count, tuple(values), False


def _resolution(said: Carried) -> dict[str, Any]:
    """The source's own numbers where they say the same as ``dpi``, which other formats may have rounded."""
    if said.dpi is None:
        return {}
    main = said.directories.main if said.directories is not None else None
    stored = None if main is None else exif_data.resolution(main)
    if stored and all(abs(a - b) < 1 for a, b in zip(stored, said.dpi, strict=True)):
        pair = [(main[tag].numerator, main[tag].denominator) for tag in (X_RESOLUTION, Y_RESOLUTION)]
        return {"resolution": tuple(pair), "resolutionunit": main.get(RESOLUTION_UNIT, 2)}
    exact = [Fraction(value).limit_denominator(10_000) for value in said.dpi]
    return {"resolution": tuple((each.numerator, each.denominator) for each in exact), "resolutionunit": 2}
