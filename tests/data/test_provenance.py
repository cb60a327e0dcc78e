"""Coloured files say so, whatever the packet of the scan is like; read back with xml.dom and exiftool."""

import io
import json
import shutil
import subprocess
import zlib
from datetime import UTC, datetime
from pathlib import Path
from xml.dom import minidom

import numpy as np
import pytest
from picture_files import encode
from PIL import Image

from gan_colorize.data import xmp
from gan_colorize.data.image_io import Photo, read_photo, write_photo
from gan_colorize.data.image_write import encode_photo
from gan_colorize.data.metadata import Metadata
from gan_colorize.data.provenance import SOURCE_TYPE, Provenance, packet_for
from gan_colorize.data.xmp import Packet, XmpError

DATE = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
PROVENANCE = Provenance("default", "ab" * 32, {"temperature": 0.4, "seed": None, "text": "grün"}, DATE)
RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
EXTENSION = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
RGB = np.random.default_rng(0).integers(0, 256, (8, 9, 3), dtype=np.uint8)


def wrapped(inside: str, namespaces: str = "") -> bytes:
    return (
        f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="{RDF}">'
        f'<rdf:Description rdf:about="" {namespaces}>{inside}</rdf:Description></rdf:RDF></x:xmpmeta>'
    ).encode()


def with_packet(kind: str, packet: bytes) -> bytes:
    """A file that holds any bytes as its packet; TIFF and WebP take them as they are."""
    if kind == "TIFF":
        exif = Image.Exif()
        exif[700] = packet
        return encode(RGB, kind, exif=exif)
    return encode(RGB, kind, xmp=packet)


def values(packet: bytes, namespace: str, name: str) -> list[str]:
    document = minidom.parseString(packet)
    found = document.getElementsByTagNameNS(namespace, name)
    return [
        "".join(node.data for node in element.childNodes if node.nodeType == node.TEXT_NODE)
        for element in found
    ]


def test_a_file_without_a_packet_gets_one() -> None:
    packet = packet_for(None, PROVENANCE, "JPEG").tobytes()
    assert values(packet, EXTENSION, "DigitalSourceType") == [
        "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
    ]
    assert packet.decode().count("AI-colorized") == 2  # for people, and in the history
    event = "http://ns.adobe.com/xap/1.0/sType/ResourceEvent#"
    assert values(packet, event, "when") == ["2026-01-02T03:04:05+00:00"]
    assert "ab" * 32 in values(packet, event, "parameters")[0]
    settings = values(packet, xmp.OWN[1:-1], "Settings")
    assert json.loads(settings[0]) == {"temperature": 0.4, "text": "grün"}
    assert packet_for(None, PROVENANCE, "JPEG").tobytes() == packet  # nothing is drawn at random
    assert packet_for(None, None, "JPEG") is None


def test_what_the_scan_said_is_kept_and_put_right() -> None:
    dc, mm = "http://purl.org/dc/elements/1.1/", "http://ns.adobe.com/xap/1.0/mm/"
    source = wrapped(
        '<wrong:title><rdf:Alt><rdf:li xml:lang="x-default">Straße &amp; Hof</rdf:li></rdf:Alt></wrong:title>'
        "<dc:invoice>17</dc:invoice><e:DigitalSourceType>scan</e:DigitalSourceType>"
        "<t:Orientation>6</t:Orientation><xmp:Thumbnails><rdf:Alt><rdf:li>jpeg</rdf:li></rdf:Alt></xmp:Thumbnails>"
        "<ps:Instructions>Handle with care</ps:Instructions><ps:ICCProfile>Dot Gain 20%</ps:ICCProfile>"
        '<mm:History><rdf:Seq><rdf:li rdf:parseType="Resource"/></rdf:Seq></mm:History>',
        f'xmlns:wrong="{dc}" xmlns:dc="urn:another" xmlns:e="{EXTENSION}" '
        'xmlns:t="http://ns.adobe.com/tiff/1.0/" '
        'xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmlns:ps="http://ns.adobe.com/photoshop/1.0/" '
        f'xmlns:mm="{mm}" mm:InstanceID="one" t:ImageWidth="99"',
    )
    packet = Packet.parse(source)
    assert xmp.corrected(packet, (9, 8), turned=True) == []
    said = packet_for(packet.tobytes(), PROVENANCE, "PNG").tobytes()
    assert b"Stra\xc3\x9fe &amp; Hof" in said and values(said, "urn:another", "invoice") == ["17"]
    assert values(said, EXTENSION, "DigitalSourceType") == [SOURCE_TYPE]
    assert values(said, xmp.OWN[1:-1], "OriginalDigitalSourceType") == ["scan"]
    assert values(said, "http://ns.adobe.com/tiff/1.0/", "Orientation") == ["1"]
    assert values(said, "http://ns.adobe.com/tiff/1.0/", "ImageWidth") == ["9"]
    assert b"Thumbnails" not in said and b"Dot Gain" not in said
    photoshop = "http://ns.adobe.com/photoshop/1.0/"
    assert values(said, photoshop, "Instructions")[0].startswith("Handle with care\nAI-colorized")
    history = minidom.parseString(said).getElementsByTagNameNS(mm, "History")[0]
    assert len(history.getElementsByTagNameNS(RDF, "li")) == 2
    reference = "http://ns.adobe.com/xap/1.0/sType/ResourceRef#"
    assert values(said, reference, "instanceID") == ["one"] and values(said, mm, "InstanceID") != ["one"]
    again = packet_for(said, PROVENANCE, "PNG").tobytes()  # colouring twice does not say things twice
    assert values(again, EXTENSION, "DigitalSourceType") == [SOURCE_TYPE]
    assert values(again, xmp.OWN[1:-1], "OriginalDigitalSourceType") == ["scan"]
    assert values(again, photoshop, "Instructions")[0].count("AI-colorized") == 1


def test_copies_of_one_run_have_identities_of_their_own() -> None:
    mm = "http://ns.adobe.com/xap/1.0/mm/"
    packets = [
        packet_for(None, PROVENANCE.of_source(hash_), "JPEG").tobytes() for hash_ in ("a" * 64, "b" * 64)
    ]
    assert [values(packet, xmp.OWN[1:-1], "SourceSHA256") for packet in packets] == [["a" * 64], ["b" * 64]]
    identities = [values(packet, mm, "InstanceID")[0] for packet in packets]
    assert len(set(identities)) == 2
    again = packet_for(packets[0], PROVENANCE, "JPEG").tobytes()  # of a source that nobody named
    assert values(again, xmp.OWN[1:-1], "SourceSHA256") == []


LAUGHS = "<!DOCTYPE l [<!ENTITY a 'ha'>" + "".join(
    f"<!ENTITY {chr(98 + i)} '{f'&{chr(97 + i)};' * 10}'>" for i in range(9)
)
HOSTILE = {
    "entities": (LAUGHS + "]><l>&j;</l>").encode(),
    "outside": b'<!DOCTYPE l [<!ENTITY a SYSTEM "file:///etc/passwd">]>' + wrapped("&a;"),
    "utf16 entities": (LAUGHS + "]><l>&j;</l>").encode("utf-16"),
    "not xml": b"\x00\xff\xfe\x01 nonsense",
    "cut short": wrapped("<a>")[:80],
    "no rdf": b"<x:xmpmeta xmlns:x='adobe:ns:meta/'/>",
    "deep": wrapped("<a>" * 5000 + "</a>" * 5000),
    "many": wrapped("<a/>" * 300_000),
    "unbound prefix": wrapped("<nobody:a/>"),
    "large": b"<!--" + b" " * 17_000_000 + b"-->" + wrapped(""),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_packets_are_left_out_with_a_line(name: str) -> None:
    with pytest.raises(XmpError):
        Packet.parse(HOSTILE[name])
    for kind in ("WEBP", "TIFF"):
        photo = read_photo(with_packet(kind, HOSTILE[name]))
        assert photo.size == (9, 8) and photo.metadata.xmp is None
        assert len(photo.warnings) == 1 and "its XMP" in photo.warnings[0]
        written = encode_photo(".png", RGB, photo, provenance=PROVENANCE)
        with Image.open(io.BytesIO(written)) as image:
            assert SOURCE_TYPE in image.info["xmp"].decode()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32", "latin-1"])
def test_encodings_and_padding(encoding: str) -> None:
    text = (
        '<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?>'
        + wrapped("<d:x>grün</d:x>", 'xmlns:d="urn:d"').decode()
    )
    packet = Packet.parse(text.encode(encoding) + (b"\0" * 40 if encoding == "utf-8" else b""))
    assert packet.text("{urn:d}x") == "grün"


def test_long_packets_of_jpeg_are_continued(tmp_path: Path) -> None:
    history = "".join(f"<d:p{i}>{chr(65 + i) * 50_000}</d:p{i}>" for i in range(4))
    source = wrapped(history + "<d:short>here</d:short>", 'xmlns:d="urn:d"')
    photo = Photo(RGB, metadata=Metadata(xmp=source))
    path = tmp_path / "a.jpg"
    assert write_photo(path, RGB, photo, provenance=PROVENANCE) == []
    with Image.open(path) as image:
        first = image.info["xmp"]
    assert len(first) <= 65_502 and SOURCE_TYPE.encode() in first and b"<d:short>here" in first
    again = read_photo(path)
    assert again.warnings == []
    packet = Packet.parse(again.metadata.xmp)
    for i in range(4):
        assert packet.text(f"{{urn:d}}p{i}") == chr(65 + i) * 50_000
    if shutil.which("exiftool"):
        told = subprocess.run(
            ["exiftool", "-json", "-a", "-G1", "-warning", "-XMP:all", str(path)], capture_output=True
        )
        said = json.loads(told.stdout)[0]
        assert said["XMP-d:P3"] == "D" * 50_000 and "ExifTool:Warning" not in said


def test_a_text_bomb_in_a_png_is_no_reason_to_refuse_it(tmp_path: Path) -> None:
    plain = encode(RGB, "PNG")
    body = b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(b" " * 80_000_000)
    chunk = len(body).to_bytes(4) + b"iTXt" + body + zlib.crc32(b"iTXt" + body).to_bytes(4)
    photo = read_photo(plain[:33] + chunk + plain[33:])
    assert np.array_equal(photo.pixels, RGB) and "text" in photo.warnings[0]


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tif", ".avif"])
def test_a_profile_of_its_own_is_not_called_srgb(suffix: str) -> None:
    from gan_colorize.data.carry import carried

    exif = Image.Exif()
    exif.get_ifd(0x8769)[0x9003] = "1936:05:01 12:00:00"
    photo = read_photo(encode(RGB, "PNG", exif=exif.tobytes()))
    kind = {".jpg": "JPEG", ".tif": "TIFF"}.get(suffix, suffix[1:].upper())
    assert carried(kind, photo.metadata, None).directories.details[0xA001] == 1
    assert carried(kind, photo.metadata, None, srgb=False).directories.details[0xA001] == 0xFFFF
