"""How good predicted risks are: arrays in, numbers out.

Everything takes `y` (0 or 1, one an ECG) and a score, and refuses what cannot be measured (one class only, a score that is not a number).
The intervals of all metrics come from one bootstrap that resamples persons, not ECGs, because the ECGs of one person are alike.
"""

from hfrisk.metrics.bootstrap import Bootstrap, Estimate, PerPerson, Statistic, Subset, bootstrap, estimates
from hfrisk.metrics.calibration import (
    CalibrationCurve,
    brier,
    brier_skill,
    calibration_curve,
    calibration_intercept,
    calibration_slope,
    ece,
    ici,
    wilson,
)
from hfrisk.metrics.decisions import OperatingPoint, choose_threshold, net_benefit_of_all
from hfrisk.metrics.discrimination import Curve, auprc, auroc, precision_recall, roc
from hfrisk.metrics.labels import Floats, check, logit_of, sigmoid
from hfrisk.metrics.platt import Recalibration, fit_recalibration
from hfrisk.metrics.statistics import AT_THRESHOLD, FlexibleCurve, RiskStatistics

__all__ = [
    "AT_THRESHOLD",
    "Bootstrap",
    "CalibrationCurve",
    "Curve",
    "Estimate",
    "FlexibleCurve",
    "Floats",
    "OperatingPoint",
    "PerPerson",
    "Recalibration",
    "RiskStatistics",
    "Statistic",
    "Subset",
    "auprc",
    "auroc",
    "bootstrap",
    "brier",
    "brier_skill",
    "calibration_curve",
    "calibration_intercept",
    "calibration_slope",
    "check",
    "choose_threshold",
    "ece",
    "estimates",
    "fit_recalibration",
    "ici",
    "logit_of",
    "net_benefit_of_all",
    "precision_recall",
    "roc",
    "sigmoid",
    "wilson",
]
