"""XMP packets: where the colour comes from, put beside what a source says of itself."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final
from xml.sax.saxutils import quoteattr

SOURCE_TYPE: Final = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
# Without the wrapper that marks a packet for those who search whole files for one (ISO 16684-1, 7.3.2): of a small JPEG
# every byte counts.
_PACKET: Final = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    b"</rdf:RDF></x:xmpmeta>"
)
_END: Final = re.compile(rb"</rdf:RDF\s*>")
_ABOUT: Final = re.compile(rb"<rdf:Description[^>]*?\srdf:about\s*=\s*(\"[^\"]*\"|'[^']*')")
# Whatever prefix it has; said twice, a property is wrong.
_OLD_TYPE: Final = re.compile(
    rb"\s[\w.-]+:DigitalSourceType\s*=\s*(?:\"[^\"]*\"|'[^']*')"
    rb"|<([\w.-]+:DigitalSourceType)\b[^>]*(?:/>|>[^<]*</\1\s*>)"
)
_ORIENTATION: Final = re.compile(
    rb"(tiff:Orientation\s*=\s*[\"'])\d(?=[\"'])|(<tiff:Orientation\s*>\s*)\d(?=\s*</tiff:Orientation)"
)


@dataclass(frozen=True, slots=True)
class Provenance:
    """What an output says of its colour.

    Attributes:
        software: the program and its version.
        model, model_sha256: the net.
        source_sha256: of the original's bytes.
    """

    software: str
    model: str
    model_sha256: str
    source_sha256: str


def with_provenance(xmp: bytes, said: Provenance) -> bytes:
    """Return the packet with one description more; what else it says stays.

    Args:
        xmp: a source's packet in UTF-8; empty where it has none.
        said: what is added; an earlier DigitalSourceType gives way. No time, no random id.

    Returns:
        The packet; empty where `xmp` is none that something could be added to.
    """
    packet = _OLD_TYPE.sub(b"", xmp) if xmp else _PACKET
    ends = list(_END.finditer(packet))
    if not ends:
        return b""
    # All descriptions of a packet must be about the same thing.
    about = found[1] if (found := _ABOUT.search(packet)) else b'""'
    return packet[: ends[-1].start()] + _description(about, said) + packet[ends[-1].start() :]


def _description(about: bytes, said: Provenance) -> bytes:
    values = {
        "Iptc4xmpExt:DigitalSourceType": SOURCE_TYPE,
        "colorize:Software": said.software,
        "colorize:Model": said.model,
        "colorize:ModelSha256": said.model_sha256,
        "colorize:SourceSha256": said.source_sha256,
    }
    written = "".join(f" {name}={quoteattr(value)}" for name, value in values.items())
    return (
        b"<rdf:Description rdf:about=" + about + b' xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"'
        b' xmlns:colorize="urn:colorize:provenance:1/"' + written.encode() + b"/>"
    )


def upright(xmp: bytes) -> bytes:
    """Return the packet saying that the picture is upright, where it says anything of that."""
    return _ORIENTATION.sub(lambda found: (found[1] or found[2]) + b"1", xmp)
