"""Writes GE MUSE `RestingECG` XML as a hospital's export does: element order, indentation, 68-column base64 and checksums."""

from __future__ import annotations

import base64
import datetime as dt
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hfrisk.synthetic.body import INDEPENDENT_LEADS
from hfrisk.synthetic.ecg import LSB_UV, Counts, Ecg, twelve_leads

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hfrisk.synthetic.measurements import Measurements

_COLUMNS = 68
_TWELVE = ("I", "II", "III", "AVR", "AVL", "AVF", "V1", "V2", "V3", "V4", "V5", "V6")


@dataclass(frozen=True, kw_only=True, slots=True)
class Header:
    """What stands above the waveforms: a person that does not exist, and a cart.

    Attributes:
        patient_id: As in the hospital's own numbering, with leading zeros.
        last_name: Obviously made up.
        first_name: Obviously made up.
        age_years: At acquisition.
        is_male: Sex.
        acquired: The cart's clock.
        device: Model of the cart.
        cart_number: Which cart.
        muse_version: Version of the exporting server; 7.x ends its lines with CR LF.
        location: Where in the hospital.
        is_confirmed: Whether a physician has read it.
        edited_qt_by: What the physician added to the machine's QT, in ms.
        high_pass: In 0.01 Hz.
        low_pass_hz: Upper cut-off.
    """

    patient_id: str
    last_name: str
    first_name: str
    age_years: int
    is_male: bool
    acquired: dt.datetime
    device: str = "MAC55"
    cart_number: int = 1
    muse_version: str = "9.0.10.18530"
    location: str = "OUTPATIENT EKG ROOM"
    is_confirmed: bool = True
    edited_qt_by: int = 0
    high_pass: int = 16
    low_pass_hz: int = 150


def render(ecg: Ecg, measured: Measurements, lines: Sequence[str], header: Header) -> bytes:
    """Write one file.

    Args:
        ecg: The recording.
        measured: The machine's measurements.
        lines: Its reading; one that begins with a comma continues the line above.
        header: Person and cart.
    """
    parts = [
        '<?xml version="1.0" encoding="ISO-8859-1"?>\n<!DOCTYPE RestingECG SYSTEM "restecg.dtd">\n<RestingECG>\n',
        _block(1, "MuseInfo", _leaf(2, "MuseVersion", header.muse_version)),
        _block(1, "PatientDemographics", _demographics(header)),
        _block(1, "TestDemographics", _test(header)),
        _block(1, "RestingECGMeasurements", _measurements(measured, ecg.sampling_rate_hz, header.edited_qt_by, is_edited=True)),
        _block(1, "OriginalRestingECGMeasurements", _measurements(measured, ecg.sampling_rate_hz, 0, is_edited=False)),
        _block(1, "Diagnosis", _diagnosis(lines, header if header.is_confirmed else None)),
        _block(1, "OriginalDiagnosis", _diagnosis(lines, None)),
        "   <MeasurementMatrix>\n" + wrapped(_matrix(ecg)) + "   </MeasurementMatrix>\n",
        _block(1, "IntervalMeasurements", _intervals(measured)),
        _block(1, "QRSTimesTypes", _beats(ecg, measured)),
        waveform("Median", ecg.median, ecg.sampling_rate_hz, header),
        waveform("Rhythm", ecg.rhythm, ecg.sampling_rate_hz, header),
        _block(1, "PharmaData", _pharma(measured, header)),
        "</RestingECG>\n",
    ]
    text = "".join(parts)
    if header.muse_version.startswith("7"):
        text = text.replace("\n", "\r\n")
    return text.encode("latin-1")


def wrapped(payload: bytes) -> str:
    """Base64 in lines of 68 columns, each ended with a line feed."""
    encoded = np.frombuffer(base64.b64encode(payload), np.uint8)
    num_full = encoded.size // _COLUMNS
    lines = np.full((num_full, _COLUMNS + 1), ord("\n"), np.uint8)
    lines[:, :_COLUMNS] = encoded[: num_full * _COLUMNS].reshape(num_full, _COLUMNS)
    rest = encoded[num_full * _COLUMNS :].tobytes().decode()
    return lines.tobytes().decode() + (rest + "\n" if rest else "")


def waveform(kind: str, counts: Counts, rate: int, header: Header) -> str:
    """Write one `Waveform` with its leads I II V1-V6; `counts` is (8, samples)."""
    head = "".join(
        _leaf(2, tag, value)
        for tag, value in (
            ("WaveformType", kind),
            ("WaveformStartTime", 0),
            ("NumberofLeads", len(INDEPENDENT_LEADS)),
            ("SampleType", "CONTINUOUS_SAMPLES"),
            ("SampleBase", rate),
            ("SampleExponent", 0),
            ("HighPassFilter", header.high_pass),
            ("LowPassFilter", header.low_pass_hz),
            ("ACFilter", 60),
        )
    )
    return _block(1, "Waveform", head + "".join(_lead(name, lead) for name, lead in zip(INDEPENDENT_LEADS, counts, strict=True)))


def _lead(name: str, counts: Counts) -> str:
    payload = counts.astype("<i2").tobytes()
    fields = "".join(
        _leaf(3, tag, value)
        for tag, value in (
            ("LeadByteCountTotal", len(payload)),
            ("LeadTimeOffset", 0),
            ("LeadSampleCountTotal", counts.size),
            ("LeadAmplitudeUnitsPerBit", LSB_UV),
            ("LeadAmplitudeUnits", "MICROVOLTS"),
            ("LeadHighLimit", 32767),
            ("LeadLowLimit", -32768),
            ("LeadID", name),
            ("LeadOffsetFirstSample", 0),
            ("FirstSampleBaseline", 0),
            ("LeadSampleSize", 2),
            ("LeadOff", "FALSE"),
            ("BaselineSway", "FALSE"),
            ("LeadDataCRC32", zlib.crc32(payload)),
        )
    )
    return _block(2, "LeadData", fields + "         <WaveFormData>\n" + wrapped(payload) + "         </WaveFormData>\n")


def _leaf(depth: int, tag: str, value: object) -> str:
    return f"{'   ' * depth}<{tag}>{value}</{tag}>\n"


def _leaves(depth: int, **fields: object) -> str:
    return "".join(_leaf(depth, tag, value) for tag, value in fields.items() if value is not None)


def _block(depth: int, tag: str, inner: str) -> str:
    indent = "   " * depth
    return f"{indent}<{tag}>\n{inner}{indent}</{tag}>\n"


def _demographics(header: Header) -> str:
    return _leaves(
        2,
        PatientID=header.patient_id,
        PatientAge=header.age_years,
        AgeUnits="YEARS",
        Gender="MALE" if header.is_male else "FEMALE",
        Race="UNKNOWN",
        PatientLastName=header.last_name,
        PatientFirstName=header.first_name,
    )


def _test(header: Header) -> str:
    edited = header.acquired + dt.timedelta(minutes=47)
    return _leaves(
        2,
        DataType="RESTING",
        Site=1,
        SiteName="SYNTHETIC UNIVERSITY HOSP.",
        AcquisitionDevice=header.device,
        Status="CONFIRMED" if header.is_confirmed else "UNCONFIRMED",
        EditListStatus="Confirmed" if header.is_confirmed else "Unconfirmed",
        Priority="NORMAL",
        Location=10 + header.cart_number,
        LocationName=header.location,
        RoomID=f"ROOM{header.cart_number}",
        AcquisitionTime=f"{header.acquired:%H:%M:%S}",
        AcquisitionDate=f"{header.acquired:%m-%d-%Y}",
        CartNumber=header.cart_number,
        AcquisitionSoftwareVersion="010B" if header.device == "MAC55" else "009C",
        AnalysisSoftwareVersion=241 if header.device == "MAC55" else 22,
        EditTime=f"{edited:%H:%M:%S}",
        EditDate=f"{edited:%m-%d-%Y}",
        OverreaderID=90001 if header.is_confirmed else None,
        EditorID=90001,
        OverreaderLastName="READER" if header.is_confirmed else None,
        OverreaderFirstName="EXAMPLE" if header.is_confirmed else None,
        HISStatus=0,
    )


def _measurements(measured: Measurements, rate: int, edited_by: int, *, is_edited: bool) -> str:
    second = measured.mean_rr_ms / 1000
    return _leaves(
        2,
        VentricularRate=measured.ventricular_rate,
        AtrialRate=measured.atrial_rate,
        PRInterval=measured.pr_interval,
        QRSDuration=measured.qrs_duration,
        QTInterval=measured.qt_interval + edited_by,
        QTCorrected=round((measured.qt_interval + edited_by) / second**0.5),
        PAxis=measured.p_axis,
        RAxis=measured.r_axis,
        TAxis=measured.t_axis,
        QRSCount=measured.qrs_count,
        QOnset=measured.q_onset,
        QOffset=measured.q_offset,
        POnset=measured.p_onset,
        POffset=measured.p_offset,
        TOffset=measured.t_offset,
        ECGSampleBase=rate,
        ECGSampleExponent=0,
        QTcFrederica=measured.qt_fridericia if is_edited else None,  # so misspelt by GE
    )


def _diagnosis(lines: Sequence[str], confirmed: Header | None) -> str:
    statements = [_leaf(2, "Modality", "RESTING")]
    for line, after in zip(lines, [*lines[1:], ""], strict=True):
        flag = "" if after.startswith(",") else _leaf(3, "StmtFlag", "ENDSLINE")
        statements.append(_block(2, "DiagnosisStatement", flag + _leaf(3, "StmtText", line)))
    if confirmed is not None:
        when = f"{confirmed.acquired:%m/%d/%Y}"
        flags = _leaf(3, "StmtFlag", "ENDSLINE") + _leaf(3, "StmtFlag", "USERINSERT")
        text = _leaf(3, "StmtText", f"Confirmed by READER, EXAMPLE (90001) on {when}")
        statements.append(_block(2, "DiagnosisStatement", flags + text))
    return "".join(statements)


def _matrix(ecg: Ecg) -> bytes:
    """The 12SL measurement matrix: records of lead, measurement and a 16-bit value; only the amplitudes are filled."""
    beat = twelve_leads(ecg.median)
    record = np.dtype([("lead", "u1"), ("measurement", "u1"), ("value", "<i2")])
    table = np.zeros((12, 53), record)
    table["lead"] = np.arange(12)[:, None]
    table["measurement"] = np.arange(53)
    table["value"][:, 13] = beat.max(axis=1)
    table["value"][:, 17] = beat.min(axis=1)
    table["value"][:, 34] = beat.max(axis=1) - beat.min(axis=1)
    return table.tobytes()


def _intervals(measured: Measurements) -> str:
    head = _leaves(
        2,
        IntervalMeasurementTimeResolution=25,
        IntervalMeasurementAmplitudeResolution=10,
        IntervalMeasurementFilter="NONE",
        IntervalMeasurementMode="Medians",
        IntervalMeasurementMethodType="Interval",
        LeadIntervalCalculationMethod="Mean",
    )
    leads = (
        _leaves(
            3,
            IntervalMeasurementLeadID=lead,
            IntervalMeasurementPOnset=measured.p_onset,
            IntervalMeasurementPOffset=measured.p_offset,
            IntervalMeasurementQOnset=measured.q_onset,
            IntervalMeasurementQOffset=measured.q_offset,
            IntervalMeasurementTOffset=measured.t_offset,
        )
        for lead in _TWELVE
    )
    return head + "".join(_block(2, "MeasuredInterval", lead) for lead in leads)


def _beats(ecg: Ecg, measured: Measurements) -> str:
    # In ms in the files of 500 Hz carts, in samples in those of older ones.
    unit = 1000 if ecg.sampling_rate_hz == 500 else ecg.sampling_rate_hz
    inside = (ecg.onsets_s >= 0) & (ecg.onsets_s < ecg.rhythm.shape[1] / ecg.sampling_rate_hz - 0.1)
    rows = (
        _block(2, "QRS", _leaves(3, Number=number, Type=int(ectopic), Time=round(float(onset) * unit)))
        for number, (onset, ectopic) in enumerate(zip(ecg.onsets_s[inside], ecg.is_ectopic[inside], strict=True), start=1)
    )
    return "".join(rows) + _leaves(2, GlobalRR=round(measured.mean_rr_ms * unit / 1000), QTRGGR=248)


def _pharma(measured: Measurements, header: Header) -> str:
    cart = f"SYN{header.cart_number:08d}PA"
    return _leaves(
        2,
        PharmaRRinterval=measured.mean_rr_ms,
        PharmaUniqueECGID=f"{cart}{header.acquired:%d%m%Y%H%M%S}",
        PharmaPPinterval=measured.mean_rr_ms,
        PharmaCartID=cart,
    )
