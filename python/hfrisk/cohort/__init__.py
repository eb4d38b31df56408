"""The cohort: which ECG is whose, what its label is and why, and in which split its person is; pure polars."""

from hfrisk.cohort.build import Cohort, build
from hfrisk.cohort.files import read_cohort, run
from hfrisk.cohort.split import check_disjoint
from hfrisk.cohort.split_file import SPLITS

__all__ = ["SPLITS", "Cohort", "build", "check_disjoint", "read_cohort", "run"]
