"""Train a model: `python -m hfrisk.train --config study.toml [--set section.key=value ...] [--resume]`.

On several GPUs: `torchrun --nproc-per-node gpu -m hfrisk.train ...`.

The loop is `Trainer.fit`, a step is `Stepper.step`. What a run depends on is in its checkpoint (weights and their average, optimiser,
position in the stream, best result so far), and whatever is random is a function of (seed, step); so a run that was killed and resumed ends
with the same bits as one that was not, on the same machine.

On CUDA nothing in a step waits for the device: losses stay there and are fetched every `train.log_every_steps` steps.
"""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import torch

from hfrisk import lint
from hfrisk.config import dump_config
from hfrisk.errors import ConfigError, HfriskError
from hfrisk.run_folder import RunFolder
from hfrisk.train.data import load_training_data
from hfrisk.train.ranks import Ranks
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
        HfriskError: Another process of the run has ended.
        KeyboardInterrupt: Ctrl-C; the state is saved before. On SIGTERM it is SystemExit with code 0.
    """
    ranks = Ranks(config.train)
    trainer = _prepare(config, ranks, resume=resume)
    with StopRequest(is_patient=ranks.size > 1) as stop:
        try:
            with trainer.display:
                trainer.fit(stop)
                trainer.export(stop)
        except Stopped:
            ranks.close()
            trainer.display.line(f"stopped after step {trainer.state.step:,}; the same command with `--resume` continues")
            if stop.signal is signal.SIGINT:
                raise KeyboardInterrupt from None
            raise SystemExit(0) from None
        except torch.cuda.OutOfMemoryError:
            raise ranks.named(
                ConfigError(
                    f"{ranks.micro_batch_size} recordings at once do not fit into the memory of {ranks.device}",
                    hint="raise `train.accumulation_steps`, or lower `train.batch_size`",
                )
            ) from None
        except HfriskError as error:
            raise ranks.named(error) from None
        except RuntimeError as error:
            lost = ranks.lost_peer(error)
            if lost is None:
                raise
            raise lost from None
    ranks.close()
    state = trainer.state
    trainer.display.line(f"best validation AUROC {state.best_auroc:.4f} in epoch {state.best_epoch + 1}; model in {trainer.folder.model}")


def _prepare(config: StudyConfig, ranks: Ranks, *, resume: bool) -> Trainer:
    """Check and load everything, in all processes or in none; the first one begins the run folder."""
    folder = RunFolder(config.paths.run)
    error, findings = None, []
    try:
        if ranks.is_first and not resume:
            folder.refuse_used()
        data = load_training_data(config, num_sharing=ranks.local_size)
        if ranks.is_first and not resume:
            findings = lint.require_clean(config, statistics=data.statistics)
        trainer = Trainer(config, data, folder, ranks)
        resumed = folder.last if resume else None
        if resumed is not None:
            trainer.restore(resumed)
    except HfriskError as found:
        error = found
    ranks.agree(error)
    if resumed is not None:
        trainer.display.line(f"resuming after step {trainer.state.step:,} of {trainer.num_steps:,}")
    elif ranks.is_first:
        folder.begin(dump_config(config), trainer.origin())
        lint.write(findings, config, folder.path)
    for finding in findings:
        if finding.outcome in {"warning", "allowed"}:
            trainer.display.line(f"leakage lint, {finding.name} ({finding.outcome}): {finding.message}")
    trainer.display.line(trainer.summary())
    return trainer
