"""What an illness does to an ECG: from a person on a day to the heart and the noise that make their recording.

Every sign of heart failure here also occurs without it, and many patients with it lack most signs: the groups overlap.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hfrisk.synthetic.body import Noise
from hfrisk.synthetic.heart import Conduction, Heart

if TYPE_CHECKING:
    import datetime as dt

    from hfrisk.synthetic.patients import Patient


def heart_of(patient: Patient, acquired: dt.datetime, rng: np.random.Generator) -> Heart:
    """The heart of a person on a day; `rng` is what changes from recording to recording."""
    day = acquired.date()
    ill = patient.illness_on(day)
    age = patient.age_on(day)
    trait = patient.traits
    conduction = _conduction(patient, ill, age)
    fibrillates = "atrial_fibrillation" in patient.comorbidities and rng.random() < 0.35 + 0.3 * ill
    has = {name for name, first in patient.comorbidities.items() if (day - first).days > -180}
    scar = ("myocardial_infarction" in has) * 0.8 + ("ischaemic_heart_disease" in has) * 0.3
    thick = ("hypertension" in has) * 0.35 + ("valve_disease" in has) * 0.4 + ("chronic_kidney_disease" in has) * 0.3
    rate = 70 + 11 * trait[0] + 9 * ill + 6 * rng.standard_normal() + 22 * fibrillates + 4 * ("copd" in has) + 3 * ("anaemia" in has)
    rate = float(np.clip(rate, 44, 155))
    wide = {"normal": 90.0, "lbbb": 148.0, "rbbb": 138.0}[conduction]
    qrs_ms = wide + 8 * trait[1] + 10 * ill * (conduction == "normal") + 3 * rng.standard_normal() + 3 * patient.is_male
    qtc = 412 + 17 * trait[2] + 20 * ill + 8 * rng.standard_normal() + 0.6 * (qrs_ms - 90) - 6 * patient.is_male
    qt_ms = float(np.clip(qtc * (60 / rate) ** 0.4, 280, 560))
    progression = 0.98 + 0.20 * trait[3] - 0.28 * ill - 0.16 * scar - 0.10 * ("copd" in has) + 0.05 * rng.standard_normal()
    polarity = 0.95 + 0.34 * trait[4] - 0.62 * ill - 0.30 * scar - 0.35 * thick * abs(trait[5]) + 0.16 * rng.standard_normal()
    axis = 42 - 0.5 * (age - 50) + 24 * trait[6] - 14 * ill - 10 * thick + 4 * rng.standard_normal()
    if conduction == "lbbb":
        axis -= 15
    return Heart(
        rhythm="af" if fibrillates else "sinus",
        conduction=conduction,
        heart_rate_bpm=rate,
        rr_variation=float(rng.uniform(0.15, 0.24))
        if fibrillates
        else float(np.clip(0.034 * np.exp(0.4 * trait[7]) * (1 - 0.4 * ill), 0.004, 0.09)),
        num_ectopic_beats=int(rng.poisson(0.10 + 0.40 * ill)) if rng.random() < 0.6 else 0,
        pr_ms=float(np.clip(158 + 18 * trait[8] + 12 * ill + 0.3 * (age - 60) + 4 * rng.standard_normal(), 110, 290)),
        p_duration_ms=float(np.clip(104 + 9 * trait[9] + 4 * ill, 80, 140)),
        p_terminal_force=float(np.clip(1 + 0.35 * trait[14] + 0.28 * ill + 0.2 * thick, 0.3, 2.6)),
        qrs_ms=float(np.clip(qrs_ms, 70, 200)),
        qt_ms=qt_ms,
        qrs_axis_deg=float(np.clip(axis, -75, 110)),
        qrs_amplitude=float(np.exp(0.22 * trait[10] + 0.18 * thick - 0.10 * ill + 0.04 * rng.standard_normal())),
        r_progression=float(np.clip(progression, 0, 1.35)),
        t_amplitude=float(np.exp(0.25 * trait[11] - 0.15 * ill)),
        t_polarity=float(np.clip(polarity, -1, 1.4)),
        st_strain=float(np.clip(0.15 * trait[12] + 0.5 * ill * max(0.0, trait[5]) + 0.5 * thick * max(0.0, trait[10]), -0.6, 1.4)),
    )


def noise_of(rng: np.random.Generator) -> Noise:
    """How quiet the person lay and how well the electrodes stuck; no illness enters."""
    return Noise(
        wander_uv=float(rng.lognormal(np.log(18), 0.7)),
        mains_uv=float(rng.exponential(1.2) if rng.random() < 0.94 else rng.uniform(8, 25)),
        muscle_uv=float(rng.lognormal(np.log(3.2), 0.6)),
        num_bursts=int(rng.poisson(0.5)),
    )


def _conduction(patient: Patient, ill: float, age: int) -> Conduction:
    """A bundle branch block comes with illness and age and, once there, stays."""
    threshold = float(0.5 * (1 + np.tanh(0.8 * patient.traits[13])))  # uniform enough, fixed for life
    if threshold < 0.018 + 0.18 * ill:
        return "lbbb"
    if threshold > 1 - (0.03 + 0.0012 * max(0, age - 50) + 0.02 * ill):
        return "rbbb"
    return "normal"
