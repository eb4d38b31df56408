"""What the cart's program measures and says about a recording: true to how it was made, with the jitter of a real program."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hfrisk.synthetic.ecg import LSB_UV, MEDIAN_QRS_ONSET_S, Counts, Ecg, twelve_leads

if TYPE_CHECKING:
    from hfrisk.synthetic.heart import Array, Conduction


@dataclass(frozen=True, kw_only=True, slots=True)
class Measurements:
    """Rates in beats a minute, intervals in ms, axes in degrees, fiducials in samples of the averaged beat; None where there is no P."""

    ventricular_rate: int
    atrial_rate: int
    pr_interval: int | None
    qrs_duration: int
    qt_interval: int
    qt_corrected: int
    qt_fridericia: int
    p_axis: int | None
    r_axis: int
    t_axis: int
    qrs_count: int
    q_onset: int
    q_offset: int
    p_onset: int | None
    p_offset: int | None
    t_offset: int
    mean_rr_ms: int


def measure(ecg: Ecg, rng: np.random.Generator) -> Measurements:
    """Measure a recording; `rng` is the program's imprecision."""
    heart, rate = ecg.heart, ecg.sampling_rate_hz
    step = 1000 / rate
    inside = ecg.onsets_s[(ecg.onsets_s >= 0) & (ecg.onsets_s < ecg.rhythm.shape[1] / rate - 0.1)]
    mean_rr = float(np.diff(inside).mean()) if inside.size > 1 else 60 / heart.heart_rate_bpm
    qrs = heart.qrs_ms + rng.normal(0, 3)
    qt = heart.qt_ms + rng.normal(0, 7)
    pr = heart.pr_ms + rng.normal(0, 4)
    onset = int(MEDIAN_QRS_ONSET_S * rate)
    q_offset, t_offset = onset + round(qrs / step), onset + round(qt / step)
    has_p = heart.rhythm == "sinus"
    p_onset = onset - round(pr / step)
    p_offset = p_onset + round(heart.p_duration_ms / step)
    ventricular = round(60 / mean_rr)
    qt_ms = round((t_offset - onset) * step)
    return Measurements(
        ventricular_rate=ventricular,
        atrial_rate=ventricular if has_p else int(rng.integers(270, 420)),
        pr_interval=round((onset - p_onset) * step) if has_p else None,
        qrs_duration=round((q_offset - onset) * step),
        qt_interval=qt_ms,
        qt_corrected=round(qt_ms / np.sqrt(mean_rr)),
        qt_fridericia=round(qt_ms / np.cbrt(mean_rr)),
        p_axis=_axis(ecg.median, p_onset, p_offset) if has_p else None,
        r_axis=_axis(ecg.median, onset, q_offset),
        t_axis=_axis(ecg.median, q_offset + round(60 / step), min(t_offset, ecg.median.shape[1])),
        qrs_count=int(inside.size),
        q_onset=onset,
        q_offset=q_offset,
        p_onset=p_onset if has_p else None,
        p_offset=p_offset if has_p else None,
        t_offset=t_offset,
        mean_rr_ms=round(1000 * mean_rr),
    )


def _axis(median: Counts, first: int, last: int) -> int:
    """Frontal axis of a wave from its areas in I and aVF, in degrees."""
    one, two = (float(median[lead, max(first, 0) : last].sum(dtype=np.int64)) for lead in (0, 1))
    return round(float(np.degrees(np.arctan2((two - one / 2) * 2 / np.sqrt(3), one))))


def statements(ecg: Ecg, measured: Measurements) -> list[str]:
    """Return the lines of the machine's reading, the last one its summary."""
    lines = [*_rhythm_statements(ecg, measured), *_conduction_statements(ecg.heart.conduction, measured)]
    if ecg.heart.conduction == "normal":
        lines += _shape_statements(twelve_leads(ecg.median), measured, ecg.heart.p_terminal_force)
    if measured.qt_corrected > 480:
        lines.append("Prolonged QT")
    plain = {"Normal sinus rhythm", "Sinus bradycardia"}
    lines.append("Normal ECG" if set(lines) <= plain else "Abnormal ECG" if len(lines) > 2 or lines[0] not in plain else "Borderline ECG")
    return lines


def _rhythm_statements(ecg: Ecg, measured: Measurements) -> list[str]:
    rate = measured.ventricular_rate
    if ecg.heart.rhythm == "af":
        lines = ["Atrial fibrillation with rapid ventricular response" if rate > 100 else "Atrial fibrillation"]
    else:
        lines = ["Sinus bradycardia" if rate < 60 else "Sinus tachycardia" if rate > 100 else "Normal sinus rhythm"]
    if ecg.is_ectopic.any():
        lines.append("with occasional Premature ventricular complexes")
    if measured.pr_interval is not None and measured.pr_interval > 210:
        lines.append("with 1st degree A-V block")
    return lines


def _conduction_statements(conduction: Conduction, measured: Measurements) -> list[str]:
    lines = {"lbbb": ["Left bundle branch block"], "rbbb": ["Right bundle branch block"], "normal": []}[conduction]
    if conduction == "normal" and measured.qrs_duration > 118:
        lines.append("Nonspecific intraventricular conduction delay")
    if measured.r_axis < -30:
        lines.append("Left axis deviation")
    elif measured.r_axis > 95:
        lines.append("Rightward axis")
    return lines


def _shape_statements(twelve: Array, measured: Measurements, p_terminal_force: float) -> list[str]:
    lines = []
    beat = twelve[:, measured.q_onset : measured.q_offset]
    repolarisation = twelve[:, measured.q_offset + 20 : measured.t_offset]
    if measured.p_axis is not None and p_terminal_force > 1.75:
        lines.append("Left atrial enlargement")
    if beat[10].max() - beat[6].min() > 3500:
        lines.append("Voltage criteria for left ventricular hypertrophy")
    if beat[8].max() < 300:
        lines.append("Anterior infarct")
        lines.append(", age undetermined")
    lateral = repolarisation[[0, 10, 11]]
    if float(np.median(lateral.min(axis=1))) < -100:
        lines.append("T wave abnormality, consider lateral ischemia")
    elif float(np.median(lateral.max(axis=1))) < 12 * LSB_UV:
        lines.append("Nonspecific T wave abnormality")
    return lines
