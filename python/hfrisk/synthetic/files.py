"""The ECG files of the made-up hospital: which there are, on which cart, with which defect, and the writing of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hfrisk.synthetic.defects import BY_NAME, DEFECTS
from hfrisk.synthetic.ecg import make_ecg
from hfrisk.synthetic.measurements import measure, statements
from hfrisk.synthetic.muse import Header, render
from hfrisk.synthetic.physiology import heart_of, noise_of
from hfrisk.synthetic.seeds import Stream, generator

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence
    from pathlib import Path

    from hfrisk.synthetic.patients import Patient

DEFECT_SHARE = 0.025
_LOCATIONS = ("OUTPATIENT EKG ROOM", "EMERGENCY ROOM", "CARDIOLOGY WARD", "HEALTH CHECK CENTER", "IMC")


@dataclass(frozen=True, slots=True)
class EcgFile:
    """One file to be written.

    Attributes:
        patient: Whose.
        visit: Position among their recordings.
        name: `MUSE_YYYYMMDD_HHMMSS_NNNNN.xml`.
        defect: Name in `DEFECTS`, or None for a good file.
    """

    patient: Patient
    visit: int
    name: str
    defect: str | None

    @property
    def acquired(self) -> dt.datetime:
        """When the ECG was taken."""
        return self.patient.acquired[self.visit]


def plan_files(patients: Sequence[Patient], *, seed: int) -> list[EcgFile]:
    """List every file, numbered in the order of acquisition; about one in forty has a defect, each kind in turn."""
    order = sorted((moment, patient.number, visit) for patient in patients for visit, moment in enumerate(patient.acquired))
    by_number = {patient.number: patient for patient in patients}
    chosen = generator(seed, Stream.DEFECT).permutation(len(order))[: round(DEFECT_SHARE * len(order))]
    defects = {int(position): DEFECTS[rank % len(DEFECTS)].name for rank, position in enumerate(chosen)}
    return [
        EcgFile(by_number[number], visit, f"MUSE_{moment:%Y%m%d_%H%M%S}_{position:05d}.xml", defects.get(position))
        for position, (moment, number, visit) in enumerate(order)
    ]


def document(file: EcgFile, *, seed: int) -> bytes:
    """Make the bytes of one file; they depend on the seed, the patient and the visit alone."""
    patient, acquired = file.patient, file.acquired
    rng = generator(seed, Stream.ECG, patient.number, file.visit)
    cart = int(rng.integers(1, 24))
    is_old = cart <= 3 and acquired.year < 2016
    rate = (240 if cart == 1 and acquired.year < 2013 else 250) if is_old else 500
    heart = heart_of(patient, acquired, rng)
    body = generator(seed, Stream.BODY, patient.number)
    ecg = make_ecg(heart, noise_of(rng), rng, body=body, sampling_rate_hz=rate)
    measured = measure(ecg, rng)
    header = Header(
        patient_id=f"SYN{patient.number:08d}",
        last_name="SYNTHETIC",
        first_name=f"PERSON {patient.number:05d}",
        age_years=patient.age_on(acquired.date()),
        is_male=patient.is_male,
        acquired=acquired,
        device="MAC5K" if is_old else "MAC55",
        cart_number=cart,
        muse_version="7.1.0.15234" if is_old else "9.0.10.18530",
        location=_LOCATIONS[cart % len(_LOCATIONS)],
        is_confirmed=bool(rng.random() < 0.8),
        edited_qt_by=int(rng.integers(-3, 4)) * 6 if rng.random() < 0.08 else 0,
        high_pass=int(rng.choice([5, 16, 16, 56])),
        low_pass_hz=int(rng.choice([100, 150, 150])),
    )
    good = render(ecg, measured, statements(ecg, measured), header)
    return BY_NAME[file.defect].apply(good) if file.defect else good


def write_files(files: Sequence[EcgFile], folder: Path, *, seed: int) -> int:
    """Write files below `folder`, in a folder a year that exists; returns how many."""
    for file in files:
        (folder / str(file.acquired.year) / file.name).write_bytes(document(file, seed=seed))
    return len(files)
