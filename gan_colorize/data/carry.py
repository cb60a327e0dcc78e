"""What a written file says beside its pixels, put where its format keeps such things.

JPEG and PNG hold everything: EXIF, XMP, IPTC-IIM and comments. WebP and AVIF have EXIF and XMP: resolution
goes into the one, comments go into the other, and IPTC-IIM has no place. BMP has its resolution.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from PIL import ExifTags, PngImagePlugin, TiffTags
from PIL.TiffImagePlugin import IFDRational, ImageFileDirectory_v2

from . import exif as exif_data
from . import photoshop, xmp
from .exif import MAKER_NOTE, PROCESSING_SOFTWARE, SOFTWARE, Directories, put
from .jpeg_segments import comment_segment, xmp_segments
from .metadata import Metadata
from .provenance import Provenance, packet_for
from .xmp import Packet

# A segment of a JPEG holds 65,533 bytes; the keyword of a PNG's text 79.
_MOST_EXIF, _MOST_KEYWORD = 65_533, 79
_UNCALIBRATED = 0xFFFF
_COMPONENTS = 37121  # ComponentsConfiguration


@dataclass(frozen=True)
class Carried:
    """What goes into one file.

    directories: of EXIF data; packet: of XMP; photoshop: resource blocks; text: (keyword, text), where the
    format has a place for it; dpi: (x, y). notes: what has no place, a line each.
    """

    directories: Directories | None
    packet: Packet | None
    photoshop: bytes | None
    text: tuple[tuple[str, str], ...]
    dpi: tuple[float, float] | None
    notes: list[str]


def carried(kind: str, metadata: Metadata, provenance: Provenance | None, srgb: bool = True) -> Carried:
    """What a file of a format says.

    Args:
        kind: "JPEG", "PNG", "WEBP", "TIFF", "AVIF" or "BMP".
        metadata: of the source.
        provenance: of the colours; None leaves the file without a word about them.
        srgb: the file is written in sRGB, and not in the profile of its source.
    """
    if kind == "BMP":
        lost = metadata.exif or metadata.xmp or metadata.photoshop or metadata.text
        notes = ["BMP holds no metadata: what the source says beside its pixels was left out"] if lost else []
        return Carried(None, None, None, (), metadata.dpi, notes)
    notes = []
    kept, elsewhere = _where_text_goes(kind, metadata.text)
    packet = packet_for(metadata.xmp, provenance, kind, elsewhere)
    if packet is not None and not srgb:
        packet.take(xmp.PHOTOSHOP + "ICCProfile")
        if packet.text(xmp.EXIF + "ColorSpace"):
            packet.put(xmp.EXIF + "ColorSpace", str(_UNCALIBRATED))
    blocks = metadata.photoshop
    if blocks and kind in ("WEBP", "AVIF"):
        what = "IPTC" if photoshop.iptc_of(blocks) else "Photoshop"
        notes.append(f"{kind} has no place for {what} data; left out")
        blocks = None
    directories = _directories(kind, metadata, provenance, srgb)
    return Carried(directories, packet, blocks, kept, metadata.dpi, notes)


def encoder_options(
    kind: str, metadata: Metadata, provenance: Provenance | None = None, srgb: bool = True
) -> tuple[dict[str, Any], list[str]]:
    """Options for Pillow's encoder of a format, and a line for everything that it cannot hold.

    Arguments are those of :func:`carried`, without "TIFF", for which there is
    :mod:`~gan_colorize.data.tiff_tags`.
    """
    said = carried(kind, metadata, provenance, srgb)
    notes, options = said.notes, {}
    if said.dpi and (kind in ("PNG", "BMP") or (kind == "JPEG" and max(said.dpi) < 65_535)):
        options["dpi"] = said.dpi
    if said.directories is not None:
        options["exif"] = exif_data.serialise(said.directories)
    if kind == "JPEG":
        if said.directories is not None and len(options["exif"]) > _MOST_EXIF:
            options["exif"] = _short_exif(said.directories, notes)
        extra = b"" if said.packet is None else xmp_segments(said.packet)
        extra += photoshop.jpeg_segments(said.photoshop) if said.photoshop else b""
        options["extra"] = extra + b"".join(comment_segment(text) for _, text in said.text)
    elif kind == "PNG":
        options["pnginfo"] = _png_text(said)
    elif said.packet is not None:
        options["xmp"] = said.packet.tobytes()
    return options, notes


def _where_text_goes(
    kind: str, text: Sequence[tuple[str, str]]
) -> tuple[tuple[tuple[str, str], ...], tuple[tuple[str, str], ...]]:
    """(what the format has a place for, what goes into XMP)."""
    if kind == "PNG":
        return tuple(text), ()
    kept = tuple(pair for pair in text if kind == "JPEG" and pair[0] == "Comment")
    return kept, tuple(pair for pair in text if pair not in kept)


def _directories(
    kind: str, metadata: Metadata, provenance: Provenance | None, srgb: bool
) -> Directories | None:
    """EXIF directories of the source, with what this program and the format add."""
    found = exif_data.parse(metadata.exif) if metadata.exif else None
    if found is None:
        main = exif_data.empty(b"II", False)
        found = Directories(main, exif_data.like(main, exif_data.EXIF), exif_data.like(main, exif_data.GPS))
    main = found.main
    if provenance is not None:
        put(main, PROCESSING_SOFTWARE, TiffTags.ASCII, provenance.software)
        if SOFTWARE not in main:
            put(main, SOFTWARE, TiffTags.ASCII, provenance.software)
    if not srgb and len(found.details):
        put(found.details, ExifTags.Base.ColorSpace, TiffTags.SHORT, _UNCALIBRATED)
    lacking = metadata.dpi and exif_data.X_RESOLUTION not in main
    # WebP and AVIF have no other place for it, and EXIF data of a JPEG is not valid without it
    if lacking and (kind in ("WEBP", "AVIF") or (kind == "JPEG" and not found.empty())):
        tags = (exif_data.X_RESOLUTION, exif_data.Y_RESOLUTION)
        for tag, value in zip(tags, metadata.dpi, strict=True):
            exact = Fraction(value).limit_denominator(10_000)
            put(main, tag, TiffTags.RATIONAL, IFDRational(exact.numerator, exact.denominator))
        put(main, exif_data.RESOLUTION_UNIT, TiffTags.SHORT, 2)
    if kind == "TIFF":  # which says them in its first directory
        for tag in (_COMPONENTS, ExifTags.Base.ExifImageWidth, ExifTags.Base.ExifImageHeight):
            found.details.pop(tag, None)
    if kind == "JPEG" and not found.empty():
        put(main, exif_data.Y_CB_CR_POSITIONING, TiffTags.SHORT, 1)  # 4:4:4, where it moves nothing
    return None if found.empty() else found


def _short_exif(directories: Directories, notes: list[str]) -> bytes:
    """EXIF data that fits into a JPEG: without the maker's notes, and the largest tags if it must be."""
    tags = sorted(directories.details, key=lambda tag: (tag == MAKER_NOTE, _length(directories.details, tag)))
    gone: list[int] = []
    while tags:
        gone.append(tags.pop())
        data = exif_data.serialise(directories, gone)
        if len(data) <= _MOST_EXIF:
            names = ", ".join(ExifTags.TAGS.get(tag, str(tag)) for tag in gone)
            notes.append(f"a JPEG holds 64 KB of EXIF data; left out: {names}")
            return data
    main = directories.main
    while len(main):
        del main[max(main, key=lambda tag: _length(main, tag))]
        data = exif_data.serialise(directories, gone)
        if len(data) <= _MOST_EXIF:
            break
    notes.append("a JPEG holds 64 KB of EXIF data; most of it was left out")
    return data


def _length(directory: ImageFileDirectory_v2, tag: int) -> int:
    value = directory[tag]
    return len(value) if isinstance(value, bytes | str | tuple) else 1


def _png_text(said: Carried) -> PngImagePlugin.PngInfo:
    info = PngImagePlugin.PngInfo()
    for keyword, text in said.text:
        keyword = keyword.encode("latin-1", "ignore")[:_MOST_KEYWORD].strip()
        if keyword:
            info.add_text(keyword, text.replace("\0", ""))
    if said.photoshop:  # as ImageMagick, for PNG has no chunk for it
        digits = said.photoshop.hex()
        lines = "\n".join(digits[at : at + 72] for at in range(0, len(digits), 72))
        info.add_text("Raw profile type iptc", f"\niptc\n{len(said.photoshop):8d}\n{lines}\n", zip=True)
    if said.packet is not None:
        info.add_itxt("XML:com.adobe.xmp", said.packet.tobytes().decode())
    return info
