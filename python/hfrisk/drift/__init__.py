"""`hfrisk drift REFERENCE NEW`: whether a model still sees the patients and the files that it was measured on."""

from hfrisk.drift.compare import SCHEMA, Verdict, compare
from hfrisk.drift.run import run, show
from hfrisk.drift.tables import read_predictions

__all__ = ["SCHEMA", "Verdict", "compare", "read_predictions", "run", "show"]
