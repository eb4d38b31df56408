"""Apply a trained model: to a study's cohort, to recordings in memory, or straight to a hospital's files."""

from hfrisk.predict.files import run
from hfrisk.predict.logits import logits_of, make_examples, predict_logits, recalibration_of
from hfrisk.predict.predictor import Predictor

__all__ = ["Predictor", "logits_of", "make_examples", "predict_logits", "recalibration_of", "run"]
