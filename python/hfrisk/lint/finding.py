"""What a check says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Outcome = Literal["passed", "warning", "failed", "allowed", "not run"]

CHECKS = {
    "person_in_two_splits": "A person is in one split only",
    "signal_in_two_splits": "A signal is in one split only",
    "signal_under_two_persons": "A signal belongs to one person",
    "index_after_outcome": "In `incident` no ECG comes after the outcome",
    "unobserved_negative": "A negative was observed to the end of the time at risk",
    "label_not_reproducible": "Labels and splits follow from the stored dates",
    "future_label": "The label does not look into the future",
    "covariate_not_dated": "Covariates are dated before the ECG",
    "covariate_is_outcome": "No covariate is the outcome in disguise by its name",
    "covariate_tells_outcome": "No covariate alone tells the outcome",
    "statistics_from_elsewhere": "Tabular statistics come from the training split",
    "permuted_label": "Shuffled labels teach nothing",
}
"""Every check by name, with what it makes sure of."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One check and how it ended.

    Attributes:
        name: A key of `CHECKS`.
        outcome: How it ended.
        message: Why, in a sentence; counts only.
    """

    name: str
    outcome: Outcome
    message: str

    def __post_init__(self) -> None:
        """Keep the list of names complete."""
        assert self.name in CHECKS, self.name  # noqa: S101
