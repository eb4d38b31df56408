"""Networks of one input: trained like the evaluated one, for comparison."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Literal, cast

from hfrisk.errors import ConfigError
from hfrisk.evaluate.contenders import ABLATIONS
from hfrisk.evaluate.inputs import MODEL_FILE, inputs_of, load_run_config

if TYPE_CHECKING:
    from pathlib import Path


def train_ablations(run_folder: Path) -> None:
    """Train the ECG alone and the comorbidities alone, with the settings of the run, into `RUN/ablations`; what is there stays.

    Raises:
        ConfigError: The run itself reads one input only.
    """
    config = load_run_config(run_folder)
    if inputs_of(config) != "both":
        raise ConfigError(
            f"the model of `{run_folder}` reads one input only, so there is nothing to leave out",
            hint="train with `model.inputs` = `both` and a tabular file, or leave `--ablations` out",
        )
    from hfrisk import train  # noqa: PLC0415 - torch takes seconds

    for name in ABLATIONS:
        folder = run_folder / "ablations" / name
        if (folder / MODEL_FILE).is_file():
            continue
        inputs = cast("Literal['ecg', 'tabular']", name)
        train.run(
            dataclasses.replace(
                config, model=dataclasses.replace(config.model, inputs=inputs), paths=dataclasses.replace(config.paths, run=folder)
            ),
            resume=True,
        )
