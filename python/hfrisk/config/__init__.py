"""The study file: frozen dataclasses read from TOML, every key known, every value checked; one module a section.

Paths in the file are relative to the file. `--set section.key=value` overrides one key; the value is written as in TOML, and a bare word
is a string.
"""

from hfrisk.config.augment import AugmentConfig
from hfrisk.config.cohort import CohortConfig
from hfrisk.config.covariates import CovariatesConfig
from hfrisk.config.evaluate import EvaluateConfig
from hfrisk.config.lint import LintConfig
from hfrisk.config.model import ModelConfig
from hfrisk.config.omop import OmopConfig, PhenotypeConfig
from hfrisk.config.paths import PathsConfig
from hfrisk.config.split import SplitConfig
from hfrisk.config.study import StudyConfig, dump_config, load_config
from hfrisk.config.train import TrainConfig

__all__ = [
    "AugmentConfig",
    "CohortConfig",
    "CovariatesConfig",
    "EvaluateConfig",
    "LintConfig",
    "ModelConfig",
    "OmopConfig",
    "PathsConfig",
    "PhenotypeConfig",
    "SplitConfig",
    "StudyConfig",
    "TrainConfig",
    "dump_config",
    "load_config",
]
