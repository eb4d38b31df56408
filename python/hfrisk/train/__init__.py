"""Train a model: `python -m hfrisk.train --config study.toml [--set section.key=value ...] [--resume]`.

The loop is `Trainer.fit`. Everything that it depends on is in the checkpoint (weights, optimiser, position in the stream, random state,
best result so far), so a run that was killed and resumed ends with the same bits as one that was not, on the same machine.

On CUDA nothing in a step waits for the device: losses stay there and are fetched every `train.log_every_steps` steps.
"""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import torch

from hfrisk.config import dump_config
from hfrisk.errors import ConfigError
from hfrisk.run_folder import RunFolder
from hfrisk.train.data import load_training_data
from hfrisk.train.stop import Stopped, StopRequest
from hfrisk.train.trainer import Trainer

if TYPE_CHECKING:
    from hfrisk.config import StudyConfig

__all__ = ["run"]


def run(config: StudyConfig, *, resume: bool = False) -> None:
    """Train by a study file and leave a run folder; see `RunFolder`.

    Args:
        config: The study.
        resume: Continue the run in `paths.run`; where there is none yet, start it.

    Raises:
        ConfigError: The run folder is in use, or a setting differs from the run that is resumed.
        DataError: The cohort, the tabular file or a checkpoint is missing or does not fit.
        StoreError: The store cannot be read.
        KeyboardInterrupt: Ctrl-C; the state is saved before. On SIGTERM it is SystemExit with code 0.
    """
    folder = RunFolder(config.paths.run)
    if not resume:
        folder.refuse_used()
    torch.manual_seed(config.train.seed)
    trainer = Trainer(config, load_training_data(config), folder)
    display = trainer.display
    if resume and folder.last.exists():
        trainer.restore()
        display.line(f"resuming after step {trainer.state.step:,} of {trainer.num_steps:,}")
    else:
        folder.begin(dump_config(config), trainer.origin())
    display.line(trainer.summary())
    with StopRequest() as stop:
        try:
            with display:
                trainer.fit(stop)
        except Stopped:
            display.line(f"stopped after step {trainer.state.step:,}; the same command with `--resume` continues")
            if stop.signal is signal.SIGINT:
                raise KeyboardInterrupt from None
            raise SystemExit(0) from None
        except torch.cuda.OutOfMemoryError:
            raise ConfigError(
                f"a batch of {config.train.batch_size} does not fit into the memory of {trainer.device}", hint="lower `train.batch_size`"
            ) from None
    trainer.export()
    display.line(f"best validation AUROC {trainer.state.best_auroc:.4f} in epoch {trainer.state.best_epoch + 1}; model in {folder.model}")
