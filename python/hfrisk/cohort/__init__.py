"""The cohort: which ECG is whose, what its label is and why, and in which split its person is; pure polars."""

from hfrisk.cohort.build import Cohort, build
from hfrisk.cohort.files import run
from hfrisk.cohort.split import SPLITS, check_disjoint

__all__ = ["SPLITS", "Cohort", "build", "check_disjoint", "run"]
