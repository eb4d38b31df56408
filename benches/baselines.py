"""What hfrisk is compared with: the same work by the usual Python tools. Every baseline gives the same values; the benches assert it."""

from __future__ import annotations

import base64
import os
import zlib
from datetime import datetime
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import numpy as np
import pybase64
import zarr

if TYPE_CHECKING:
    from pathlib import Path

INDEPENDENT = ("I", "II", "V1", "V2", "V3", "V4", "V5", "V6")


def twelve_leads(counts: np.ndarray, lsb_uv: float, out: np.ndarray | None = None) -> np.ndarray:
    """Counts (8, T) to float32 microvolts (12, T) in the store's order, the derived leads as multiples of half a count."""
    signal = np.empty((12, counts.shape[1]), np.float32) if out is None else out
    lsb = np.float32(lsb_uv)
    half = lsb * np.float32(0.5)
    one, two = counts[0].astype(np.int32), counts[1].astype(np.int32)
    signal[0] = one * lsb
    signal[1] = two * lsb
    signal[2] = (two - one) * lsb
    signal[3] = -(one + two) * half
    signal[4] = (2 * one - two) * half
    signal[5] = (2 * two - one) * half
    signal[6:] = counts[2:] * lsb
    return signal


def parse_with_etree(path: Path) -> tuple[np.ndarray, dict[str, object]]:
    """Parse one MUSE file as most notebooks do: xml.etree, base64, NumPy; with the metadata and the CRC-32."""
    root = ET.parse(path).getroot()
    rhythm = next(w for w in root.findall("Waveform") if w.findtext("WaveformType", "").strip().lower() == "rhythm")
    rate = float(rhythm.findtext("SampleBase", "")) * 10 ** int(rhythm.findtext("SampleExponent") or 0)
    leads: dict[str, np.ndarray] = {}
    lsb_uv = 0.0
    for lead in rhythm.findall("LeadData"):
        payload = base64.b64decode(lead.findtext("WaveFormData", ""))
        crc = int(lead.findtext("LeadDataCRC32") or 0)
        if crc and crc != zlib.crc32(payload):
            raise ValueError("CRC-32 mismatch")
        leads[lead.findtext("LeadID", "").strip()] = np.frombuffer(payload, "<i2")
        lsb_uv = float(lead.findtext("LeadAmplitudeUnitsPerBit", ""))
    demographics, test = root.find("PatientDemographics"), root.find("TestDemographics")
    header: dict[str, object] = {"sampling_rate_hz": rate, "lsb_uv": lsb_uv}
    if test is not None:
        stamp = f"{test.findtext('AcquisitionDate')} {test.findtext('AcquisitionTime')}"
        header["acquired_at"] = datetime.strptime(stamp, "%m-%d-%Y %H:%M:%S")  # noqa: DTZ007
    if demographics is not None:
        header["age_years"] = demographics.findtext("PatientAge")
    for block in ("RestingECGMeasurements", "OriginalRestingECGMeasurements"):
        found = root.find(block)
        header[block] = {} if found is None else {child.tag: child.text for child in found}
    return twelve_leads(np.stack([leads[name] for name in INDEPENDENT]), lsb_uv), header


class BestPython:
    """The best that Python can do for the signal alone: one reused buffer, `bytes.find`, pybase64, NumPy; no metadata, no CRC."""

    def __init__(self) -> None:
        self.buffer = bytearray(1 << 20)
        self.counts = np.empty((8, 5000), np.int16)
        self.signal = np.empty((12, 5000), np.float32)

    def read(self, path: Path) -> int:
        """Fill the buffer and return how much of it."""
        descriptor = os.open(path, os.O_RDONLY)
        try:
            return os.readv(descriptor, [self.buffer])
        finally:
            os.close(descriptor)

    def parse(self, path: Path) -> np.ndarray:
        """Return float32 (12, 5000) microvolts, valid until the next call."""
        size = self.read(path)
        text = self.buffer
        position = text.find(b">Rhythm<", 0, size)
        lsb_uv = 0.0
        for _ in range(8):
            position = text.find(b"<LeadAmplitudeUnitsPerBit>", position, size) + 26
            lsb_uv = float(text[position : text.find(b"<", position)])
            position = text.find(b"<LeadID>", position, size) + 8
            name = text[position : text.find(b"<", position)].decode()
            position = text.find(b"<WaveFormData>", position, size) + 14
            end = text.find(b"<", position)
            self.counts[INDEPENDENT.index(name)] = np.frombuffer(pybase64.b64decode(text[position:end]), "<i2")
            position = end
        return twelve_leads(self.counts, lsb_uv, self.signal)


def convert_with_etree_and_zarr(paths: list[Path], out: Path) -> None:
    """Write a Zarr array of float32 (recording, 12, 5000), one chunk a recording, with zarr-python's default compression."""
    array = zarr.create_array(str(out), shape=(len(paths), 12, 5000), chunks=(1, 12, 5000), dtype="f4", overwrite=True)
    for row, path in enumerate(paths):
        array[row] = parse_with_etree(path)[0]
