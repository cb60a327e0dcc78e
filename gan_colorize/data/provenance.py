"""What a coloured file says of its colours: that a network made them, which one, how and when.

In the XMP packet, in these places, so that every kind of reader finds one that it knows:

- ``Iptc4xmpExt:DigitalSourceType`` is IPTC's "composite with trained algorithmic media": a photograph, and
  colours of a model that learned from others. What stood there of the scan is kept as
  ``ganColorize:OriginalDigitalSourceType``.
- ``photoshop:Instructions``, which programs show as "Instructions", ends with a sentence that begins
  "AI-colorized". The description of the picture is left to those who wrote it.
- ``xmpMM:History`` ends with an event: software, time, and model, hash and settings as parameters.
- ``Iptc4xmpExt:AISystemUsed`` and ``AISystemVersionUsed`` (IPTC Photo Metadata Standard 2025.1).
- ``ganColorize:`` Software, Model, ModelSHA256, SourceSHA256 (of the file that was coloured), Settings (JSON)
  and Date, for programs.
- ``xmp:CreatorTool`` only where there was none: it names the tool that made the scan.
- ``xmpMM:InstanceID`` is new, and ``xmpMM:DerivedFrom`` says of which file this is a copy.

The dates of the photograph and of its scan stay as they are; ``xmp:MetadataDate`` is new. In EXIF data
``ProcessingSoftware`` names this program, and ``Software`` where nothing was named.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any
from xml.etree import ElementTree as ET

from .. import __version__
from . import xmp
from .xmp import DC, EVENT, IPTC_EXTENSION, MM, OWN, PHOTOSHOP, RDF, REFERENCE, XMP, Packet, XmpError

SOFTWARE = "gan_colorize"
SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
_MIME = {
    "JPEG": "image/jpeg",
    "PNG": "image/png",
    "WEBP": "image/webp",
    "TIFF": "image/tiff",
    "AVIF": "image/avif",
}
# PNG's own keywords (PNG specification, section 11.3.4.2) that XMP has names for.
_NAMES_OF_KEYWORDS = {
    "title": (DC + "title", "Alt"),
    "author": (DC + "creator", "Seq"),
    "description": (DC + "description", "Alt"),
    "copyright": (DC + "rights", "Alt"),
    "source": (DC + "source", ""),
    "software": (XMP + "CreatorTool", ""),
}


@dataclass(frozen=True)
class Provenance:
    """How colours were made.

    model:        what the weights are called.
    model_sha256: of the file of weights, in hexadecimal; None for a network that came from no file.
    settings:     how the colours were drawn; what is None is left out.
    date:         when, with its time zone.
    version:      of this program.
    source_sha256: of the file that was coloured; tells the copies of one run apart.
    """

    model: str
    model_sha256: str | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    date: datetime = field(default_factory=lambda: datetime.now(UTC))
    version: str = __version__
    source_sha256: str | None = None

    @property
    def software(self) -> str:
        """Name and version of this program."""
        return f"{SOFTWARE} {self.version}"

    def with_settings(self, **settings: Any) -> Provenance:
        """The same of a file that was drawn with other settings."""
        return replace(self, settings={**self.settings, **settings})

    def of_source(self, sha256: str | None) -> Provenance:
        """The same of the copy of another file."""
        return replace(self, source_sha256=sha256)

    def settings_json(self) -> str:
        """The settings that say something, in one line."""
        said = {key: value for key, value in self.settings.items() if value is not None}
        return json.dumps(said, sort_keys=True, default=str, ensure_ascii=False)

    def sentence(self) -> str:
        """For people."""
        return (
            f"AI-colorized with {self.software}, model {self.model}: "
            "the colours are a network's estimate, not a record."
        )


def packet_for(
    source: bytes | None,
    provenance: Provenance | None,
    kind: str,
    text: tuple[tuple[str, str], ...] = (),
) -> Packet | None:
    """The packet of a written file; None when there is nothing to say.

    Args:
        source: the packet of the source, as :func:`~gan_colorize.data.metadata.read_metadata` left it.
        provenance: None says nothing about colours.
        kind: "JPEG", "PNG", "WEBP", "TIFF" or "AVIF".
        text: (keyword, text) that this kind of file has no other place for.
    """
    if source is None and provenance is None and not text:
        return None
    try:
        packet = Packet() if source is None else Packet.parse(source)
    except XmpError:  # only for a packet that nobody has looked at: reading leaves out what is damaged
        packet = Packet()
    if packet.text(DC + "format"):
        packet.put(DC + "format", _MIME[kind])
    _put_text(packet, text)
    if provenance is not None:
        _put_provenance(packet, provenance)
    return packet


def _put_text(packet: Packet, text: tuple[tuple[str, str], ...]) -> None:
    other = []
    for keyword, value in text:
        name, array = _NAMES_OF_KEYWORDS.get(keyword.lower(), (None, ""))
        if name is None or packet.text(name):
            if packet.text(name or OWN) != value:
                other.append(xmp.item(f"{keyword}: {value}"))
        elif array:
            items = [xmp.item(value, "x-default" if array == "Alt" else None)]
            packet.put(name, xmp.array(name, array, items))
        else:
            packet.put(name, value)
    if other:
        packet.put(OWN + "Text", xmp.array(OWN + "Text", "Bag", other))


def _put_provenance(packet: Packet, provenance: Provenance) -> None:
    when = provenance.date.isoformat(timespec="seconds")
    before = packet.text(IPTC_EXTENSION + "DigitalSourceType")
    if before and before != SOURCE_TYPE:
        packet.put(OWN + "OriginalDigitalSourceType", before)
    packet.put(IPTC_EXTENSION + "DigitalSourceType", SOURCE_TYPE)
    packet.put(IPTC_EXTENSION + "AISystemUsed", SOFTWARE)
    packet.put(IPTC_EXTENSION + "AISystemVersionUsed", f"{provenance.version}, model {provenance.model}")

    instructions, sentence = packet.text(PHOTOSHOP + "Instructions"), provenance.sentence()
    if not instructions or sentence not in instructions:
        packet.put(PHOTOSHOP + "Instructions", f"{instructions}\n{sentence}" if instructions else sentence)
    if not packet.text(XMP + "CreatorTool"):
        packet.put(XMP + "CreatorTool", provenance.software)
    packet.put(XMP + "MetadataDate", when)

    packet.put(OWN + "Software", provenance.software)
    packet.put(OWN + "Model", provenance.model)
    hashes = {"ModelSHA256": provenance.model_sha256, "SourceSHA256": provenance.source_sha256}
    for name, sha256 in hashes.items():
        packet.take(OWN + name)  # of an earlier colouring
        if sha256:
            packet.put(OWN + name, sha256)
    packet.put(OWN + "Settings", provenance.settings_json())
    packet.put(OWN + "Date", when)
    instance = _new_instance(packet, provenance)
    _add_event(packet, provenance, when, instance)


def _new_instance(packet: Packet, provenance: Provenance) -> str:
    """Give the copy an identity of its own, made of what it was and what was done, and name its source."""
    identities = {
        REFERENCE + local: packet.text(MM + name)
        for local, name in (
            ("instanceID", "InstanceID"),
            ("documentID", "DocumentID"),
            ("originalDocumentID", "OriginalDocumentID"),
        )
    }
    known = {name: value for name, value in identities.items() if value}
    told = [*known.values(), provenance.model_sha256, provenance.settings_json(), provenance.date.isoformat()]
    if provenance.source_sha256:  # most scans have no identity yet, and a run has one date
        told.append(provenance.source_sha256)
    instance = f"xmp.iid:{uuid.uuid5(uuid.NAMESPACE_OID, json.dumps(told))}"
    if known:
        packet.put(MM + "DerivedFrom", xmp.structure(ET.Element(MM + "DerivedFrom"), known))
    packet.put(MM + "InstanceID", instance)
    return instance


def _add_event(packet: Packet, provenance: Provenance, when: str, instance: str) -> None:
    history = packet.take(MM + "History")
    events = history.find(RDF + "Seq") if history is not None else None
    if events is None:
        history = xmp.array(MM + "History", "Seq", [])
        events = history[0]
    parameters = f"AI-colorized; model {provenance.model}"
    if provenance.model_sha256:
        parameters += f"; sha256 {provenance.model_sha256}"
    fields = {
        EVENT + "action": "edited",
        EVENT + "instanceID": instance,
        EVENT + "when": when,
        EVENT + "softwareAgent": provenance.software,
        EVENT + "changed": "/content",
        EVENT + "parameters": f"{parameters}; settings {provenance.settings_json()}",
    }
    events.append(xmp.structure(xmp.item(), fields))
    packet.put(MM + "History", history)
