"""`hfrisk evaluate RUN`: predict the held-out splits, measure, compare, and write every number to report.json."""

from hfrisk.evaluate.ablations import train_ablations
from hfrisk.evaluate.inputs import MODEL_FILE, load_run_config
from hfrisk.evaluate.numbers import count
from hfrisk.evaluate.run import METRIC_NAMES, SCHEMA, run

__all__ = ["METRIC_NAMES", "MODEL_FILE", "SCHEMA", "count", "load_run_config", "run", "train_ablations"]
