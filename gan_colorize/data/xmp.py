"""XMP packets: parsed with bounds, corrected for an upright sRGB copy, and written (ISO 16684-1)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from xml.etree import ElementTree as ET

MOST_BYTES = 16_000_000
_MOST_ELEMENTS, _MOST_DEPTH = 200_000, 100

X = "{adobe:ns:meta/}"
RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"
DC = "{http://purl.org/dc/elements/1.1/}"
XMP = "{http://ns.adobe.com/xap/1.0/}"
MM = "{http://ns.adobe.com/xap/1.0/mm/}"
EVENT = "{http://ns.adobe.com/xap/1.0/sType/ResourceEvent#}"
REFERENCE = "{http://ns.adobe.com/xap/1.0/sType/ResourceRef#}"
TIFF = "{http://ns.adobe.com/tiff/1.0/}"
EXIF = "{http://ns.adobe.com/exif/1.0/}"
PHOTOSHOP = "{http://ns.adobe.com/photoshop/1.0/}"
IPTC_EXTENSION = "{http://iptc.org/std/Iptc4xmpExt/2008-02-29/}"
NOTE = "{http://ns.adobe.com/xmp/note/}"
LANGUAGE = "{http://www.w3.org/XML/1998/namespace}lang"
_ABOUT = RDF + "about"
# This program's own. A namespace has to be a URI and not an address; this one was drawn at random.
OWN = "{urn:uuid:6d1f3c0a-5b7e-4a52-9c7b-0d6c51c2a1e4#}"

_PREFIXES = {
    RDF: "rdf", DC: "dc", XMP: "xmp", MM: "xmpMM", EVENT: "stEvt", REFERENCE: "stRef", TIFF: "tiff",
    EXIF: "exif", PHOTOSHOP: "photoshop", IPTC_EXTENSION: "Iptc4xmpExt", NOTE: "xmpNote", X: "x",
    OWN: "ganColorize",
}  # fmt: skip

# Of another picture than the copy: thumbnails, digests of the old EXIF data, and where gain maps, videos
# and depth maps lie behind the old picture.
_STALE = (
    XMP + "Thumbnails", XMP + "ThumbnailsInfo", TIFF + "NativeDigest", EXIF + "NativeDigest",
    TIFF + "BitsPerSample", TIFF + "Compression", TIFF + "PhotometricInterpretation",
    TIFF + "SamplesPerPixel",
    TIFF + "PlanarConfiguration", TIFF + "YCbCrSubSampling", TIFF + "YCbCrPositioning", TIFF + "WhitePoint",
    TIFF + "TransferFunction", TIFF + "PrimaryChromaticities", TIFF + "YCbCrCoefficients",
    TIFF + "ReferenceBlackWhite", EXIF + "CompressedBitsPerPixel", EXIF + "Gamma", PHOTOSHOP + "ColorMode",
    NOTE + "HasExtendedXMP",
)  # fmt: skip
_STALE_NAMESPACES = (
    "{http://ns.adobe.com/hdr-gain-map/1.0/}",
    "{http://ns.google.com/photos/1.0/image/}",
    "{http://ns.google.com/photos/1.0/container/}",
    "{http://ns.google.com/photos/1.0/camera/}",
    "{http://ns.google.com/photos/1.0/depthmap/}",
    "{http://ns.apple.com/HDRGainMap/1.0/}",
)
# Regions: by columns and rows of the picture as it was stored.
_PLACES_IN_PICTURE = (
    "{http://www.metadataworkinggroup.com/schemas/regions/}Regions",
    "{http://ns.microsoft.com/photo/1.2/}RegionInfo",
    IPTC_EXTENSION + "ImageRegion",
    EXIF + "SubjectArea",
    EXIF + "SubjectLocation",
)


class XmpError(ValueError):
    """No XMP packet, or one that is not safe to read; the message completes "its XMP ..."."""


class Packet:
    """The properties of one packet, by names such as ``DC + "title"``."""

    def __init__(self, root: ET.Element | None = None, prefixes: dict[str, str] | None = None) -> None:
        self._rdf = ET.Element(RDF + "RDF") if root is None else root
        self._prefixes = prefixes or {}
        self._ours: ET.Element | None = None

    @classmethod
    def parse(cls, data: bytes | str) -> Packet:
        """Read a packet.

        Raises:
            XmpError: too large, too deep, with a document type (whose entities can grow without bound), not
                XML, or without rdf:RDF.
        """
        if len(data) > MOST_BYTES:
            raise XmpError(f"has {len(data) / 1e6:.0f} MB")
        text = data if isinstance(data, str) else _decoded(data)
        if "<!DOCTYPE" in text or "<!ENTITY" in text:
            raise XmpError("declares entities")
        start, end = text.find("<"), text.rfind(">")
        root, prefixes = _parsed(text[start : end + 1] if start >= 0 else "")
        rdf = root if root.tag == RDF + "RDF" else next(root.iter(RDF + "RDF"), None)
        if rdf is None:
            raise XmpError("holds no rdf:RDF")
        return cls(rdf, prefixes)

    def _descriptions(self) -> list[ET.Element]:
        return self._rdf.findall(RDF + "Description")

    def names(self) -> Iterator[str]:
        """Of all properties."""
        for description in self._descriptions():
            yield from (
                name for name in description.attrib if not name.startswith((RDF, "{http://www.w3.org/XML"))
            )
            yield from (str(child.tag) for child in description)

    def text(self, name: str) -> str | None:
        """A property's value: its own text, or the first of its items; None when there is none."""
        for description in self._descriptions():
            if name in description.attrib:
                return description.attrib[name]
            child = description.find(name)
            if child is not None:
                item = child.find(f".//{RDF}li")
                found = child.text if item is None else item.text
                return (found or child.get(RDF + "resource", "")).strip() or None
        return None

    def take(self, name: str) -> ET.Element | None:
        """Remove a property, wherever it stands; returns its element if it was one."""
        taken = None
        for description in self._descriptions():
            description.attrib.pop(name, None)
            for child in description.findall(name):
                description.remove(child)
                taken = child
        return taken

    def put(self, name: str, value: str | ET.Element) -> None:
        """Set a property in place of what there is of that name."""
        self.take(name)
        if isinstance(value, str):
            element = ET.Element(name)
            element.text = value
            value = element
        if self._ours is None:
            descriptions = self._descriptions()
            about = descriptions[0].get(_ABOUT, "") if descriptions else ""
            self._ours = ET.SubElement(self._rdf, RDF + "Description", {_ABOUT: about})
        self._ours.append(value)

    def absorb(self, other: Packet) -> None:
        """Take over the properties of another packet."""
        self._rdf.extend(other._descriptions())
        self._prefixes = other._prefixes | self._prefixes

    def split(self, most: int) -> tuple[bytes, bytes | None]:
        """The packet in at most that many bytes, and the largest properties in a second one if it must be."""
        whole, rest = self.tobytes(), Packet(prefixes=self._prefixes)
        parts = [(len(ET.tostring(child)), child, owner) for owner in self._descriptions() for child in owner]
        parts.sort(key=lambda part: part[0])
        second = None
        while len(whole) > most and parts:
            excess = len(whole) - most
            while (
                excess > 0 and parts
            ):  # what an element takes by itself, an upper bound: often enough at once
                size, child, owner = parts.pop()
                owner.remove(child)
                if second is None:
                    second = ET.SubElement(rest._rdf, RDF + "Description", {_ABOUT: owner.get(_ABOUT, "")})
                second.append(child)
                excess -= size
            whole = self.tobytes()
        return whole, None if second is None else rest.tobytes()

    def tobytes(self) -> bytes:
        """The packet as files carry it, UTF-8."""
        known = {uri: prefix for uri, prefix in _PREFIXES.items() if uri != X}
        used: dict[str, str] = {}

        def named(name: str) -> str:
            uri, brace, local = name.rpartition("}")
            if not brace:
                return name
            uri += brace
            if uri == "{http://www.w3.org/XML/1998/namespace}":
                return f"xml:{local}"
            if uri not in used:
                wanted = known.get(uri) or self._prefixes.get(uri)
                if not wanted or wanted in used.values() or (uri not in known and wanted in known.values()):
                    wanted = f"ns{len(used)}"
                used[uri] = wanted
            return f"{used[uri]}:{local}"

        def renamed(element: ET.Element) -> ET.Element:
            copy = ET.Element(
                named(element.tag), {named(key): _printable(value) for key, value in element.attrib.items()}
            )
            copy.text, copy.tail = _printable(element.text), _printable(element.tail)
            copy.extend(renamed(child) for child in element)
            return copy

        root = renamed(self._rdf)
        for uri, prefix in used.items():
            root.set(f"xmlns:{prefix}", uri[1:-1])
        body = ET.tostring(root, encoding="unicode").encode("utf-8", "replace")
        return (
            b'<?xpacket begin="\xef\xbb\xbf" id="W5M0MpCehiHzreSzNTczkc9d"?>\n'
            b'<x:xmpmeta xmlns:x="adobe:ns:meta/">\n' + body + b'\n</x:xmpmeta>\n<?xpacket end="w"?>'
        )


def corrected(packet: Packet, size: tuple[int, int], turned: bool) -> list[str]:
    """Make a packet true of an upright sRGB copy of ``size`` (width, height); returns lines of what is lost.

    turned: the picture was stored in another orientation.
    """
    names = set(packet.names())
    for name in names:
        if name in _STALE or name.startswith(_STALE_NAMESPACES):
            packet.take(name)
    lost = []
    for name in _PLACES_IN_PICTURE:
        if turned and name in names:
            packet.take(name)
            lost.append(f"its {name.rpartition('}')[2]} are of the picture before it was turned; left out")
    true = {TIFF + "Orientation": 1, EXIF + "ColorSpace": 1}
    true |= {TIFF + "ImageWidth": size[0], TIFF + "ImageLength": size[1]}
    true |= {EXIF + "PixelXDimension": size[0], EXIF + "PixelYDimension": size[1]}
    for name in names & true.keys():
        packet.put(name, str(true[name]))
    if PHOTOSHOP + "ICCProfile" in names:
        packet.put(PHOTOSHOP + "ICCProfile", "sRGB IEC61966-2.1")
    if turned:
        for name in (TIFF + "XResolution", TIFF + "YResolution"):
            packet.take(name)  # those of the file, which readers prefer, were put right
    return lost


def array(name: str, kind: str, items: list[ET.Element]) -> ET.Element:
    """A property that is a "Bag", "Seq" or "Alt" of rdf:li elements."""
    element = ET.Element(name)
    ET.SubElement(element, RDF + kind).extend(items)
    return element


def item(text: str | None = None, language: str | None = None) -> ET.Element:
    """An element of an array."""
    element = ET.Element(RDF + "li", {LANGUAGE: language} if language else {})
    element.text = text
    return element


def structure(element: ET.Element, fields: dict[str, str]) -> ET.Element:
    """Give an element the fields of a structure."""
    element.set(RDF + "parseType", "Resource")
    for name, text in fields.items():
        ET.SubElement(element, name).text = text
    return element


def _decoded(data: bytes) -> str:
    """A packet's text, by its first bytes (XMP part 1, section 7.3.2)."""
    names = {
        b"\xff\xfe\0\0": "utf-32",
        b"\0\0\xfe\xff": "utf-32",
        b"\xff\xfe": "utf-16",
        b"\xfe\xff": "utf-16",
    }
    names |= {b"<\0?\0": "utf-16-le", b"\0<\0?": "utf-16-be"}
    name = next((name for start, name in names.items() if data.startswith(start)), "utf-8-sig")
    try:
        return data.decode(name)
    except UnicodeDecodeError:
        return data.decode("latin-1")  # some programs write it in spite of the standard


def _parsed(text: str) -> tuple[ET.Element, dict[str, str]]:
    """(root, prefix by "{namespace}"), element by element, so that a bomb is found before it has grown."""
    parser = ET.XMLPullParser(events=("start", "end", "start-ns"))
    prefixes: dict[str, str] = {}
    root, count, depth = None, 0, 0
    # the declaration of an encoding no longer holds for text
    text = re.sub(r"^<\?xml[^>]*\?>", "", text)
    try:
        for at in range(0, len(text), 1 << 16):
            parser.feed(text[at : at + (1 << 16)])
            for event, found in parser.read_events():
                if event == "start-ns":
                    prefix, uri = found
                    if re.fullmatch(r"[A-Za-z_][\w.-]*", prefix or "") and not re.match(
                        "(?i)xml|ns[0-9]", prefix
                    ):
                        prefixes.setdefault(f"{{{uri}}}", prefix)
                elif event == "start":
                    root = found if root is None else root
                    count, depth = count + 1, depth + 1
                    if count > _MOST_ELEMENTS or depth > _MOST_DEPTH or len(prefixes) > 1000:
                        raise XmpError("is too deep or has too many parts")
                else:
                    depth -= 1
        parser.close()
    except (ET.ParseError, ValueError) as error:
        if isinstance(error, XmpError):
            raise
        raise XmpError("is damaged") from error
    if root is None:
        raise XmpError("is empty")
    return root, prefixes


def _printable(text: str | None) -> str | None:
    """Without the characters that XML cannot hold."""
    return text and re.sub(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "", text)
