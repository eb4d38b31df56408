"""The OMOP concepts that the made-up hospital uses: standard ids with their names, and what descends from what."""

from __future__ import annotations

from typing import NamedTuple

HEART_FAILURE = 316139
RHEUMATIC_HEART_FAILURE = 315295
MALE, FEMALE = 8507, 8532
INPATIENT, OUTPATIENT, EMERGENCY = 9201, 9202, 9203
EHR = 32817


class Comorbidity(NamedTuple):
    """One disease that goes along with heart failure, or does not."""

    name: str
    concept_id: int
    concept_name: str
    source_value: str
    log_odds: float
    """Of having it at 60 without heart failure's pull."""
    per_decade: float
    """Log odds a decade of age."""
    pull: float
    """Log odds that it adds to heart failure."""


COMORBIDITIES = (
    Comorbidity("hypertension", 316866, "Hypertensive disorder", "I10", -0.45, 0.50, 0.45),
    Comorbidity("diabetes", 201820, "Diabetes mellitus", "E11.9", -1.35, 0.25, 0.35),
    Comorbidity("atrial_fibrillation", 313217, "Atrial fibrillation", "I48", -2.75, 0.65, 0.85),
    Comorbidity("ischaemic_heart_disease", 4185932, "Ischemic heart disease", "I25.9", -1.95, 0.45, 0.70),
    Comorbidity("myocardial_infarction", 4329847, "Myocardial infarction", "I21.9", -3.20, 0.40, 0.60),
    Comorbidity("stroke", 381591, "Cerebrovascular disease", "I63.9", -2.45, 0.50, 0.15),
    Comorbidity("peripheral_vascular_disease", 321052, "Peripheral vascular disease", "I73.9", -2.90, 0.45, 0.20),
    Comorbidity("valve_disease", 4281749, "Heart valve disorder", "I38", -3.00, 0.35, 0.60),
    Comorbidity("chronic_kidney_disease", 46271022, "Chronic kidney disease", "N18.9", -2.35, 0.45, 0.50),
    Comorbidity("copd", 255573, "Chronic obstructive lung disease", "J44.9", -2.60, 0.45, 0.30),
    Comorbidity("sleep_apnoea", 313459, "Sleep apnea", "G47.3", -3.00, 0.05, 0.15),
    Comorbidity("obesity", 433736, "Obesity", "E66.9", -2.20, -0.10, 0.20),
    Comorbidity("hyperlipidaemia", 432867, "Hyperlipidemia", "E78.5", -0.95, 0.20, 0.05),
    Comorbidity("hypothyroidism", 140673, "Hypothyroidism", "E03.9", -2.90, 0.20, 0.05),
    Comorbidity("anaemia", 439777, "Anemia", "D64.9", -2.10, 0.30, 0.25),
    Comorbidity("malignancy", 443392, "Malignant neoplastic disease", "C80.9", -2.20, 0.40, 0.00),
)

# (concept_id, name, source code): what clinicians record as heart failure, commonest first.
HEART_FAILURE_RECORDS = (
    (316139, "Heart failure", "I50.9"),
    (319835, "Congestive heart failure", "I50.0"),
    (444031, "Chronic heart failure", "I50.9"),
    (442310, "Acute heart failure", "I50.9"),
    (443580, "Systolic heart failure", "I50.1"),
    (40479192, "Chronic systolic heart failure", "I50.1"),
    (443587, "Diastolic heart failure", "I50.3"),
    (40479576, "Chronic diastolic heart failure", "I50.3"),
    (439846, "Left heart failure", "I50.1"),
    (4229440, "Chronic congestive heart failure", "I50.0"),
    (444101, "Hypertensive heart failure", "I11.0"),
    (439696, "Hypertensive heart and renal disease with (congestive) heart failure", "I13.0"),
)

# Concepts that look like heart failure and are not, for a concept set to stumble over.
LOOKALIKES = (
    (RHEUMATIC_HEART_FAILURE, "Congestive rheumatic heart failure", "I09.8"),
    (314378, "Hypertensive heart disease without heart failure", "I11.9"),
    (312927, "Acute cor pulmonale", "I26.0"),
)

_OTHER = (
    (40482727, "Combined systolic and diastolic dysfunction"),
    (4236658, "Pleural effusion due to congestive heart failure"),
    (4273632, "Right ventricular failure"),
    (4195785, "Right heart failure secondary to left heart failure"),
    (4215446, "Acute right-sided congestive heart failure"),
    (4233424, "Acute right-sided heart failure"),
    (4284562, "Chronic right-sided congestive heart failure"),
    (4014159, "Chronic right-sided heart failure"),
    (37309625, "Acute on chronic right-sided congestive heart failure"),
    (44782713, "Congestive heart failure with right heart failure"),
    (45766165, "Heart failure with reduced ejection fraction due to coronary artery disease"),
    (4009047, "Chronic left-sided heart failure"),
    (4242669, "Biventricular congestive heart failure"),
    (4311437, "Decompensated heart failure"),
    (193782, "End-stage renal disease"),
)

NAMES: dict[int, str] = {
    **{row[0]: row[1] for row in HEART_FAILURE_RECORDS},
    **{row[0]: row[1] for row in LOOKALIKES},
    **dict(_OTHER),
    **{disease.concept_id: disease.concept_name for disease in COMORBIDITIES},
}

# Direct parents; `ancestors` closes the relation.
_PARENTS: dict[int, tuple[int, ...]] = {
    319835: (316139,),
    444031: (316139,),
    442310: (316139,),
    443580: (316139,),
    443587: (316139,),
    439846: (316139,),
    4273632: (316139,),
    444101: (316139,),
    4311437: (316139,),
    40479192: (443580, 444031),
    40479576: (443587, 444031),
    4229440: (319835, 444031),
    315295: (319835,),
    439696: (319835, 444101),
    44782713: (319835,),
    4242669: (319835,),
    45766165: (443580,),
    4009047: (439846, 444031),
    4195785: (4273632,),
    4233424: (4273632, 442310),
    4014159: (4273632, 444031),
    4215446: (4233424, 319835),
    4284562: (4014159, 4229440),
    37309625: (4215446, 4284562),
    4329847: (4185932,),
    193782: (46271022,),
}


def ancestors() -> list[tuple[int, int, int, int]]:
    """Rows of `concept_ancestor`: ancestor, descendant, least and most levels between them; every concept is its own ancestor."""
    rows = []
    for concept in sorted(NAMES):
        levels = {concept: (0, 0)}
        frontier = [(concept, 0)]
        while frontier:
            child, depth = frontier.pop()
            for parent in _PARENTS.get(child, ()):
                low, high = levels.get(parent, (depth + 1, depth + 1))
                levels[parent] = (min(low, depth + 1), max(high, depth + 1))
                frontier.append((parent, depth + 1))
        rows += [(ancestor, concept, low, high) for ancestor, (low, high) in sorted(levels.items())]
    return rows
