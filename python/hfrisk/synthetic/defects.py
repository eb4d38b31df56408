"""What goes wrong with real ECG files: each defect takes a good file and returns the bad one.

The names and what a parser should make of them follow the catalogue of MUSE files met in the wild.
"""

from __future__ import annotations

import base64
import re
import zlib
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from hfrisk.synthetic.ecg import LSB_UV, Counts, twelve_leads
from hfrisk.synthetic.muse import wrapped

if TYPE_CHECKING:
    from collections.abc import Callable

Outcome = Literal["converted", "rejected"]

_LEAD = re.compile(rb"\s*<LeadData>.*?</LeadData>", re.DOTALL)
_PAYLOAD = re.compile(rb"(<WaveFormData>)(.*?)(</WaveFormData>)", re.DOTALL)
_RHYTHM = b"<WaveformType>Rhythm</WaveformType>"


class Defect(NamedTuple):
    """One way to be broken, or only odd.

    Attributes:
        name: As in defects.csv.
        outcome: What conversion should make of it when it is not strict.
        apply: From a good file to the bad one.
    """

    name: str
    outcome: Outcome
    apply: Callable[[bytes], bytes]


def _split(document: bytes) -> tuple[bytes, bytes]:
    """Cut before the rhythm's `Waveform`."""
    at = document.rindex(b"<Waveform>", 0, document.index(_RHYTHM))
    return document[:at], document[at:]


def _text(tag: str, document: bytes, value: bytes) -> bytes:
    """Replace the content of every `tag`."""
    name = tag.encode()
    return re.sub(rb"(<%b>)[^<]*(</%b>)" % (name, name), lambda found: found[1] + value + found[2], document)


def _rhythm_leads(document: bytes, change: Callable[[int, bytes], bytes]) -> bytes:
    """Pass each `LeadData` of the rhythm, with its number, through `change`."""
    head, rhythm = _split(document)
    number = iter(range(99))
    return head + _LEAD.sub(lambda found: change(next(number), found[0]), rhythm)


def _counts(lead: bytes) -> Counts:
    found = _PAYLOAD.search(lead)
    return np.frombuffer(base64.b64decode(found[2]) if found else b"", "<i2")


def _with_counts(lead: bytes, counts: Counts) -> bytes:
    """Put other samples into a lead, with the right checksum; the stated number of samples stays."""
    payload = counts.astype("<i2").tobytes()
    lead = _text("LeadDataCRC32", lead, str(zlib.crc32(payload)).encode())
    return _PAYLOAD.sub(lambda found: found[1] + b"\n" + wrapped(payload).encode() + b"         " + found[3], lead)


def _one_sample_short(document: bytes) -> bytes:
    return _rhythm_leads(document, lambda _, lead: _with_counts(lead, _counts(lead)[:-1]))


def _mixed_lengths(document: bytes) -> bytes:
    return _rhythm_leads(document, lambda number, lead: _with_counts(lead, _counts(lead)[:1249]) if number >= 6 else lead)


def _median_only(document: bytes) -> bytes:
    head, _ = _split(document)
    return head.rstrip() + b"\n</RestingECG>\n"


def _no_waveform(document: bytes) -> bytes:
    return document[: document.index(b"<Waveform>")].rstrip() + b"\n</RestingECG>\n"


def _missing_lead(document: bytes) -> bytes:
    return _rhythm_leads(document, lambda _, lead: b"" if b"<LeadID>V3<" in lead else lead)


def _duplicate_lead(document: bytes) -> bytes:
    return _rhythm_leads(document, lambda _, lead: lead.replace(b"<LeadID>V2<", b"<LeadID>V1<"))


def _empty_payload(document: bytes) -> bytes:
    return _rhythm_leads(document, lambda number, lead: _PAYLOAD.sub(rb"\1\3", lead) if number >= 5 else lead)


def _wrong_checksum(document: bytes) -> bytes:
    return _rhythm_leads(document, lambda number, lead: _text("LeadDataCRC32", lead, b"123456789") if number == 4 else lead)


def _zero_checksum(document: bytes) -> bytes:
    return _text("LeadDataCRC32", document, b"0")


def _flat_lead(document: bytes) -> bytes:
    return _rhythm_leads(document, lambda number, lead: _with_counts(lead, 0 * _counts(lead)) if number == 7 else lead)


def _negative_gain(document: bytes) -> bytes:
    """The dialect of one Korean hospital: a single untyped block of twelve leads, gain -10 and no checksum."""
    head, rhythm = _split(document)
    eight = np.stack([_counts(lead) for lead in _LEAD.findall(rhythm)])
    names = ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")
    leads = b""
    for name, microvolts in zip(names, twelve_leads(eight), strict=True):
        counts = np.rint(microvolts / -10).astype("<i2")
        fields = (
            f"<LeadSampleCountTotal>{counts.size}</LeadSampleCountTotal><LeadAmplitudeUnitsPerBit>-10</LeadAmplitudeUnitsPerBit>"
            f"<LeadAmplitudeUnits>MICROVOLTS</LeadAmplitudeUnits><LeadID>{name}</LeadID><LeadSampleSize>2</LeadSampleSize>"
        )
        leads += b"<LeadData>" + fields.encode() + b"<WaveFormData>" + base64.b64encode(counts.tobytes()) + b"</WaveFormData></LeadData>\n"
    found = re.search(rb"<SampleBase>\d+</SampleBase>", rhythm)
    base = found[0] if found else b""
    head = head[: head.index(b"<Waveform>")]
    block = (
        b"<Waveform><NumberofLeads>12</NumberofLeads>" + base + b"<HighPassFilter/><LowPassFilter/><ACFilter/>" + leads + b"</Waveform>\n"
    )
    return head + block + b"</RestingECG>\n"


def _fifteen_leads(document: bytes) -> bytes:
    def extra(_: int, lead: bytes) -> bytes:
        if b"<LeadID>V6<" not in lead:
            return lead
        return lead + b"".join(lead.replace(b"<LeadID>V6<", b"<LeadID>%b<" % name) for name in (b"V3R", b"V4R", b"V7"))

    return _rhythm_leads(document, extra).replace(b"<NumberofLeads>8<", b"<NumberofLeads>11<")


def _millivolts(document: bytes) -> bytes:
    document = _text("LeadAmplitudeUnits", document, b"MILLIVOLTS")
    return _text("LeadAmplitudeUnitsPerBit", document, f"{LSB_UV / 1000:.2e}".encode())


def _rhythm_first(document: bytes) -> bytes:
    first, last = document.index(b"<Waveform>"), document.rindex(b"</Waveform>") + len(b"</Waveform>")
    head, rhythm = _split(document[first:last])
    return document[:first] + rhythm + b"\n   " + head.rstrip() + document[last:]


def _unwrapped(document: bytes) -> bytes:
    return _PAYLOAD.sub(lambda found: found[1] + b"".join(found[2].split()) + found[3], document)


def _one_line_header(document: bytes) -> bytes:
    at = document.index(b"<Waveform>")
    return re.sub(rb">\s+<", b"><", document[:at]) + document[at:]


def _korean_name(document: bytes) -> bytes:
    # Korea's John Doe, in the encoding of a Korean Windows under the label ISO-8859-1.
    return _text("PatientLastName", document, "\ud64d\uae38\ub3d9".encode("cp949"))


def _raw_ampersand(document: bytes) -> bytes:
    return _text("LocationName", document, b"EAR & NOSE < THROAT")


def _control_characters(document: bytes) -> bytes:
    return _text("RoomID", document, b"ROOM\x0b&#x0;1")


def _foreign_root(_: bytes) -> bytes:
    return (
        b'<?xml version="1.0" encoding="ISO8859-1"?>\n<CardiologyXML>\n <StripData>\n  <SampleRate units="Hz">500</SampleRate>\n'
        b'  <WaveformData lead="I">0,1,2,3</WaveformData>\n </StripData>\n</CardiologyXML>\n'
    )


DEFECTS = (
    Defect("one_sample_short", "converted", _one_sample_short),
    Defect("median_only", "rejected", _median_only),
    Defect("missing_lead", "rejected", _missing_lead),
    Defect("truncated_in_payload", "rejected", lambda document: document[: len(document) * 3 // 4]),
    Defect("empty_file", "rejected", lambda _: b""),
    Defect("not_xml", "rejected", lambda _: b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n1 0 obj\n<< /Type /Catalog >>\nendobj\n"),
    Defect("wrong_checksum", "converted", _wrong_checksum),
    Defect("masked_date", "converted", lambda document: _text("AcquisitionDate", document, b"XX-XX-XXXX")),
    Defect("one_line_header", "converted", _one_line_header),
    Defect("korean_name", "converted", _korean_name),
    Defect("missing_sample_base", "rejected", lambda document: re.sub(rb"\s*<SampleBase>\d+</SampleBase>", b"", document)),
    Defect("foreign_root", "rejected", _foreign_root),
    Defect("negative_gain", "converted", _negative_gain),
    Defect("no_waveform", "rejected", _no_waveform),
    Defect("empty_payload", "rejected", _empty_payload),
    Defect("duplicate_lead", "rejected", _duplicate_lead),
    Defect("mixed_lengths", "rejected", _mixed_lengths),
    Defect("truncated_in_header", "rejected", lambda document: document[:1500]),
    Defect("zero_checksum", "converted", _zero_checksum),
    Defect("flat_lead", "converted", _flat_lead),
    Defect("fifteen_leads", "converted", _fifteen_leads),
    Defect("millivolts", "converted", _millivolts),
    Defect("rhythm_first", "converted", _rhythm_first),
    Defect("unwrapped_base64", "converted", _unwrapped),
    Defect("raw_ampersand", "converted", _raw_ampersand),
    Defect("control_characters", "converted", _control_characters),
    Defect("utf8_bom", "converted", lambda document: b"\xef\xbb\xbf" + document),
    Defect("no_declaration", "converted", lambda document: document[document.index(b"<RestingECG>") :]),
)
BY_NAME = {defect.name: defect for defect in DEFECTS}
