"""Features of an ECG from the database, each from what was known strictly before the ECG's date."""

from hfrisk.covariates.build import build
from hfrisk.covariates.files import run

__all__ = ["build", "run"]
