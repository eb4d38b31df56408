"""The electric heart: what a beat looks like as a moving dipole, before any electrode sees it.

A wave is a sum of Gaussian bumps in time, each along one direction of space (x to the left, y to the feet, z to the back, in millivolts).
Bumps may rise and fall at different speeds, as the T wave does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

Array = np.ndarray[tuple[int, ...], np.dtype[np.float32]]
Conduction = Literal["normal", "lbbb", "rbbb"]
Rhythm = Literal["sinus", "af"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Heart:
    """What determines the shape and the timing of one person's beats on one day."""

    rhythm: Rhythm = "sinus"
    conduction: Conduction = "normal"
    heart_rate_bpm: float = 70.0
    rr_variation: float = 0.03
    """Standard deviation of the RR interval over its mean; in atrial fibrillation about 0.2."""
    num_ectopic_beats: int = 0
    """Premature ventricular beats in the recording."""
    pr_ms: float = 160.0
    p_duration_ms: float = 105.0
    p_terminal_force: float = 1.0
    """Size of the left-atrial half of P, 1 is normal."""
    qrs_ms: float = 92.0
    qt_ms: float = 390.0
    """At the mean heart rate."""
    qrs_axis_deg: float = 40.0
    qrs_amplitude: float = 1.0
    r_progression: float = 1.0
    """How much the chest leads' R grows from V1 to V4: 1 is normal, 0 is none."""
    t_amplitude: float = 1.0
    t_polarity: float = 1.0
    """1 is upright in the lateral leads, 0 flat, below 0 inverted."""
    st_strain: float = 0.0
    """Down-sloping ST against the main direction of QRS; 1 is marked."""


@dataclass(frozen=True, slots=True)
class Bumps:
    """Gaussian bumps: `centre` (K,) in s from QRS onset, `rise` and `fall` (K,) in s, `vector` (K, 3) in mV."""

    centre: Array
    rise: Array
    fall: Array
    vector: Array


def _bumps(rows: list[tuple[float, float, float, tuple[float, float, float]]]) -> Bumps:
    return Bumps(
        np.array([row[0] for row in rows], np.float32),
        np.array([row[1] for row in rows], np.float32),
        np.array([row[2] for row in rows], np.float32),
        np.array([row[3] for row in rows], np.float32).reshape(-1, 3),
    )


# Rows of the QRS tables: centre and width as fractions of the QRS duration, then the dipole in mV.
_QRS_NORMAL = (
    (0.17, 0.072, (-0.14, 0.00, -0.26)),
    (0.34, 0.080, (0.42, 0.26, -0.34)),
    (0.49, 0.085, (0.95, 0.72, 0.30)),
    (0.64, 0.080, (0.22, 0.12, 0.62)),
    (0.80, 0.070, (-0.10, -0.14, 0.14)),
)
_QRS_LBBB = (
    (0.20, 0.090, (0.25, 0.12, 0.18)),
    (0.37, 0.095, (0.80, 0.42, 0.66)),
    (0.66, 0.110, (0.86, 0.22, 0.92)),
    (0.84, 0.070, (0.22, -0.02, 0.20)),
)
_QRS_RBBB = (
    (0.14, 0.060, (-0.14, 0.00, -0.26)),
    (0.28, 0.070, (0.50, 0.34, -0.20)),
    (0.40, 0.075, (0.85, 0.66, 0.26)),
    (0.56, 0.080, (-0.06, 0.05, 0.05)),
    (0.78, 0.120, (-0.46, 0.02, -0.58)),
)
_QRS_TABLES = {"normal": _QRS_NORMAL, "lbbb": _QRS_LBBB, "rbbb": _QRS_RBBB}
_NATURAL_AXIS_DEG = {"normal": 60.0, "lbbb": 20.0, "rbbb": 60.0}
# Leads I and aVF (scaled by 2 / sqrt 3) from x and y in Dower's lead field: the plane in which an axis is measured.
_FRONTAL = np.array([[0.632, -0.235], [-0.093, 1.366]])


def _rotated(vector: tuple[float, float, float], degrees: float) -> tuple[float, float, float]:
    """Turn a dipole so that its axis in the frontal leads turns by `degrees` (towards the feet when positive)."""
    cosine, sine = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    x, y = np.linalg.solve(_FRONTAL, np.array([[cosine, -sine], [sine, cosine]]) @ _FRONTAL @ vector[:2])
    return float(x), float(y), vector[2]


def qrs(heart: Heart) -> Bumps:
    """Ventricular depolarisation."""
    duration = heart.qrs_ms / 1000
    rows = []
    for index, (centre, width, vector) in enumerate(_QRS_TABLES[heart.conduction]):
        turned = _rotated(vector, heart.qrs_axis_deg - _NATURAL_AXIS_DEG[heart.conduction])
        is_septal, is_late_right = index == 0 and heart.conduction != "lbbb", index >= 3 and heart.conduction == "rbbb"
        x, y, z = vector if is_septal or is_late_right else turned
        if not is_late_right:
            # A scarred or dilated left ventricle loses the forces that point to the chest wall.
            lost = 1 - heart.r_progression
            z = z * heart.r_progression + 0.10 * lost if z < 0 else z + 0.30 * lost * (centre < 0.6)
            x = x * (1 - 0.25 * lost)
        size = heart.qrs_amplitude
        rows.append((centre * duration, width * duration, width * duration, (x * size, y * size, z * size)))
    return _bumps(rows)


def individual(bumps: Bumps, rng: np.random.Generator) -> Bumps:
    """Vary the bumps a little, as no two hearts are alike; the same stream gives the same heart."""
    size = np.linalg.norm(bumps.vector, axis=1, keepdims=True).astype(np.float32)
    vector = bumps.vector * rng.normal(1, 0.12, size.shape).astype(np.float32)
    vector += size * rng.normal(0, 0.10, vector.shape).astype(np.float32)
    return Bumps(bumps.centre, bumps.rise, bumps.fall, vector)


def atrial(heart: Heart) -> Bumps:
    """P wave, its right and left halves; empty in atrial fibrillation."""
    if heart.rhythm == "af":
        return _bumps([])
    onset, duration, late = -heart.pr_ms / 1000, heart.p_duration_ms / 1000, heart.p_terminal_force
    return _bumps(
        [
            (onset + 0.36 * duration, 0.15 * duration, 0.16 * duration, (0.055, 0.080, -0.050)),
            (onset + 0.64 * duration, 0.15 * duration, 0.14 * duration, (0.080 * late, 0.035, 0.055 * late)),
        ]
    )


def repolarisation(heart: Heart) -> Bumps:
    """ST segment and T wave; `centre` is for the mean heart rate."""
    end, width = heart.qt_ms / 1000, heart.qrs_ms / 1000
    fall = 0.100 * end
    rise = 0.165 * end
    peak = end - 2.05 * fall
    size = heart.t_amplitude
    polarity = heart.t_polarity
    lateral = (0.34 * size * polarity, 0.17 * size * (0.45 + 0.55 * polarity), -0.25 * size * (0.75 + 0.25 * polarity))
    st = (-0.10 * heart.st_strain, -0.04 * heart.st_strain, 0.02 * heart.st_strain)
    if heart.conduction == "lbbb":  # repolarisation runs against depolarisation
        lateral = (-0.24 * size, -0.04 * size, -0.36 * size)
        st = (-0.07, -0.02, -0.13)
    elif heart.conduction == "rbbb":
        lateral = (0.30 * size * polarity, 0.13 * size, 0.06 * size)
    junction = width + 0.035
    return _bumps(
        [
            (peak, rise, fall, lateral),
            (
                0.5 * (junction + peak),
                0.24 * (peak - width),
                0.24 * (peak - width),
                (0.16 * lateral[0], 0.16 * lateral[1], 0.2 * lateral[2]),
            ),
            (junction + 0.04, 0.038, 0.070, st),
        ]
    )


def ectopic(heart: Heart, direction: Array) -> Bumps:
    """One premature ventricular beat that starts away from the conduction system; `direction` is a unit vector (3,)."""
    x, y, z = (float(part) for part in direction)
    size = 1.5 * heart.qrs_amplitude
    end = 0.44
    return _bumps(
        [
            (0.040, 0.022, 0.022, (0.35 * size * x, 0.35 * size * y, 0.35 * size * z)),
            (0.080, 0.026, 0.030, (size * x, size * y, size * z)),
            (0.125, 0.022, 0.026, (0.25 * size * y, -0.2 * size * x, 0.3 * size * z)),
            (end - 0.11, 0.075, 0.05, (-0.42 * size * x, -0.42 * size * y, -0.42 * size * z)),
        ]
    )
