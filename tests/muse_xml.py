"""Tiny but complete MUSE RestingECG files, written without any of the package's code."""

import base64
import zlib

import numpy as np

STORED_LEADS = ("I", "II", "V1", "V2", "V3", "V4", "V5", "V6")


def random_leads(seed=0, num_samples=5000, names=STORED_LEADS):
    """Counts that wander like an ECG's: {lead name: int16 (num_samples,)}."""
    rng = np.random.default_rng(seed)
    return {name: rng.integers(-12, 13, num_samples).cumsum().astype(np.int16) for name in names}


def muse_xml(
    leads,
    *,
    rate=500,
    gain=4.88,
    waveform_type="Rhythm",
    crc=None,
    declared_samples=None,
    date="03-14-2019",
    time="08:30:05",
    age="61",
    sex="FEMALE",
    measurements=(("VentricularRate", 72), ("QRSDuration", 96)),
    statements=("Normal sinus rhythm",),
    name="DOE",
):
    """Write one file.

    Args:
        leads: {lead name: int16 counts}.
        rate: SampleBase.
        gain: Microvolts a count, one for all or {lead name: gain}.
        crc: Replaces every right checksum.
        declared_samples: Replaces every right sample count.
    """
    values = "".join(f"<{tag}>{value}</{tag}>" for tag, value in measurements)
    lines = "".join(
        f"<DiagnosisStatement><StmtFlag>ENDSLINE</StmtFlag><StmtText>{text}</StmtText></DiagnosisStatement>" for text in statements
    )
    blocks = "".join(_lead_data(lead, counts, gain, crc, declared_samples) for lead, counts in leads.items())
    return (
        '<?xml version="1.0" encoding="ISO-8859-1"?>\n<!DOCTYPE RestingECG SYSTEM "restecg.dtd">\n<RestingECG>\n'
        f"<PatientDemographics><PatientID>00012345</PatientID><PatientAge>{age}</PatientAge><AgeUnits>YEARS</AgeUnits>"
        f"<Gender>{sex}</Gender><PatientLastName>{name}</PatientLastName></PatientDemographics>\n"
        f"<TestDemographics><AcquisitionDevice>MAC55</AcquisitionDevice><AcquisitionTime>{time}</AcquisitionTime>"
        f"<AcquisitionDate>{date}</AcquisitionDate></TestDemographics>\n"
        f"<RestingECGMeasurements>{values}</RestingECGMeasurements>\n"
        f"<Diagnosis><Modality>RESTING</Modality>{lines}</Diagnosis>\n"
        f"<Waveform><WaveformType>{waveform_type}</WaveformType><NumberofLeads>{len(leads)}</NumberofLeads>"
        f"<SampleType>CONTINUOUS_SAMPLES</SampleType><SampleBase>{rate}</SampleBase><SampleExponent>0</SampleExponent>\n"
        f"{blocks}</Waveform>\n</RestingECG>\n"
    ).encode("latin-1")


def _lead_data(lead, counts, gain, crc, declared_samples):
    payload = np.asarray(counts).astype("<i2").tobytes()
    text = base64.b64encode(payload).decode()
    wrapped = "\n".join(text[i : i + 68] for i in range(0, len(text), 68))
    lead_gain = gain[lead] if isinstance(gain, dict) else gain
    return (
        f"<LeadData><LeadByteCountTotal>{len(payload)}</LeadByteCountTotal>"
        f"<LeadSampleCountTotal>{declared_samples or len(counts)}</LeadSampleCountTotal>"
        f"<LeadAmplitudeUnitsPerBit>{lead_gain}</LeadAmplitudeUnitsPerBit><LeadAmplitudeUnits>MICROVOLTS</LeadAmplitudeUnits>"
        f"<LeadID>{lead}</LeadID><LeadSampleSize>2</LeadSampleSize>"
        f"<LeadDataCRC32>{zlib.crc32(payload) if crc is None else crc}</LeadDataCRC32>"
        f"<WaveFormData>\n{wrapped}\n   </WaveFormData></LeadData>\n"
    )


def twelve_leads_uv(leads, gain=4.88):
    """The microvolts of eight stored leads with one gain, float32 (12, T), from the definitions of Einthoven and Goldberger."""
    lsb = np.float32(gain)
    half = lsb * np.float32(0.5)
    one, two = leads["I"].astype(np.int32), leads["II"].astype(np.int32)
    limb = [one * lsb, two * lsb, (two - one) * lsb, -(one + two) * half, (2 * one - two) * half, (2 * two - one) * half]
    chest = [leads[name].astype(np.int32) * lsb for name in STORED_LEADS[2:]]
    return np.stack([values.astype(np.float32) for values in (*limb, *chest)])
