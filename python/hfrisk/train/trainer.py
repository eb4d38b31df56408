"""The loop."""

from __future__ import annotations

import contextlib
import dataclasses
import math
import time
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from hfrisk import metrics
from hfrisk.batches import BatchStream, balanced_weights, place_signals
from hfrisk.checkpoint import load_payload, load_weights, model_meta, save_atomic, save_model
from hfrisk.errors import DataError
from hfrisk.model import build_model, num_parameters, training_flops
from hfrisk.predict import logits_of
from hfrisk.run_folder import describe_software
from hfrisk.train import saving
from hfrisk.train.compiling import compiled_if
from hfrisk.train.data import share_of
from hfrisk.train.display import Display
from hfrisk.train.saving import State
from hfrisk.train.stepper import Stepper
from hfrisk.train.stop import Stopped
from hfrisk.train.window import Window

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from hfrisk.batches import Batch, Signals
    from hfrisk.config import StudyConfig
    from hfrisk.run_folder import RunFolder
    from hfrisk.train.data import TrainingData
    from hfrisk.train.ranks import Ranks
    from hfrisk.train.stop import StopRequest

_S_PER_MINUTE = 60


class Trainer:
    """Model, streams and state of one run, in one of its processes."""

    def __init__(self, config: StudyConfig, data: TrainingData, folder: RunFolder, ranks: Ranks) -> None:
        self.config = config
        self.data = data
        self.folder = folder
        self.ranks = ranks
        self.settings = config.train
        weighted = self.settings.sampler == "weighted"
        self.signals = self._place_signals()
        self.stream = BatchStream(
            self.signals,
            data.train,
            batch_size=ranks.micro_batch_size,
            seed=self.settings.seed,
            weights=balanced_weights(data.train.y) if weighted else None,
            device=ranks.device,
            rank=ranks.rank,
            world_size=ranks.size,
        )
        # Unlike the stream's own shares these lose no recording, and nobody waits for another within them.
        self.validation = BatchStream(
            self.signals,
            share_of(data.validation, ranks.rank, ranks.size),
            batch_size=ranks.micro_batch_size,
            shuffle=False,
            device=ranks.device,
        )
        odds = data.prevalence / (1 - data.prevalence)
        pos_weight = self.settings.pos_weight or 1 / odds
        # Drawn in equal shares the classes have prior odds of 1, and a weighted positive counts as that many; this undoes both.
        self.logit_shift = (math.log(odds) if weighted else 0.0) - math.log(pos_weight)
        self.steps_per_epoch = math.ceil(self.stream.num_batches / self.settings.accumulation_steps)
        self.num_steps = self.settings.num_epochs * self.steps_per_epoch
        self.num_features = 0 if data.statistics is None else data.statistics.num_encoded
        self.stepper = Stepper(config, ranks, num_features=self.num_features, num_steps=self.num_steps, pos_weight=pos_weight)
        self.flops = training_flops(build_model(config.model, num_features=self.num_features), num_features=self.num_features)
        self.state = State()
        self.elapsed_s = 0.0
        self.num_steps_here = 0  # of this process; those before a resumption ran elsewhere
        self.display = Display(self.num_steps, is_silent=not ranks.is_first)
        self.meta = model_meta(
            config, data.statistics, prevalence=data.prevalence, fingerprints=data.fingerprints, software=describe_software()
        )

    def _place_signals(self) -> Signals | None:
        if self.data.store is None:
            return None
        return place_signals(
            self.data.store,
            np.concatenate([self.data.train.rows, self.data.validation.rows]),
            self.ranks.device,
            residency=self.settings.residency,
            transport=self.settings.transport,
            num_processes=self.ranks.local_size,
        )

    def fit(self, stop: StopRequest) -> None:
        """Train until the last epoch or until the validation AUROC no longer rises; saves before it raises `Stopped`."""
        state = self.state
        self.stepper.connect()
        try:
            while state.epoch < self.settings.num_epochs and not state.is_finished:
                if not state.epoch_is_trained:
                    self._train_epoch(stop)
                self._validate(stop)
                self.save()
        except Stopped:
            self.save()
            raise

    def _train_epoch(self, stop: StopRequest) -> None:
        state, stepper = self.state, self.stepper
        stepper.model.train()
        window = Window(self.stream, self.ranks)
        saved_at = time.monotonic()
        with contextlib.closing(self.stream.batches(state.epoch)) as batches:
            for parts in self._grouped(batches):
                loss = stepper.step(parts, state.step)
                window.add(loss, sum(len(part.rows) for part in parts), stepper.learning_rate(state.step))
                state.step += 1
                must_stop = self.ranks.wants_stop(asked=stop.signal is not None)
                is_due = len(window) == self.settings.log_every_steps
                if is_due or must_stop:
                    self._log_window(window)
                    window = Window(self.stream, self.ranks)
                if must_stop:
                    raise Stopped
                if is_due and time.monotonic() - saved_at >= _S_PER_MINUTE * self.settings.checkpoint_every_minutes:
                    self.save()
                    saved_at = time.monotonic()
        if len(window):
            self._log_window(window)
        state.epoch_is_trained = True

    def _grouped(self, batches: Iterator[Batch]) -> Iterator[list[Batch]]:
        """Take the parts of one step together."""
        while parts := list(islice(batches, self.settings.accumulation_steps)):
            yield parts

    def _log_window(self, window: Window) -> None:
        """Fetch the losses of some steps (the one wait for the device), write and print them."""
        state = self.state
        window.close()
        for loss, size in zip(window.losses, window.sizes, strict=True):
            state.loss_sum += loss * size
            state.num_seen += size
        self.elapsed_s += window.elapsed_s
        self.num_steps_here += len(window)
        entries = window.entries(epoch=state.epoch, last_step=state.step)
        self._log(*entries)
        if not math.isfinite(sum(window.losses)):
            raise DataError(
                f"the loss is no number at step {state.step:,}", hint="lower `train.learning_rate`, or look for wild tabular values"
            )
        self.display.step(
            {**entries[-1], "loss": sum(window.losses) / len(window)},
            num_epochs=self.settings.num_epochs,
            eta_s=(self.num_steps - state.step) * self.elapsed_s / self.num_steps_here,
        )

    def _validate(self, stop: StopRequest) -> None:
        state, y = self.state, self.data.validation.y
        logits = self._validation_logits(stop) + self.logit_shift
        entry: dict[str, Any] = {
            "kind": "epoch",
            "epoch": state.epoch,
            "step": state.step,
            "train_loss": state.loss_sum / state.num_seen,
            "validation_loss": float(np.mean(np.logaddexp(0, logits) - y * logits)),
            "validation_auroc": metrics.auroc(y, logits),
            "validation_auprc": metrics.auprc(y, logits),
            "validation_prevalence": float(y.mean()),
        }
        is_best = entry["validation_auroc"] > state.best_auroc
        self._log(entry)
        self.display.epoch(entry, num_epochs=self.settings.num_epochs, is_best=is_best)
        if is_best:
            state.best_auroc, state.best_epoch = entry["validation_auroc"], state.epoch
            if self.ranks.is_first:
                save_atomic(self.folder.best, {**self.meta, "kind": "best", "model": self.stepper.judged.state_dict(), "metrics": entry})
        elif self.settings.patience and state.epoch - state.best_epoch >= self.settings.patience:
            state.is_finished = True
            self.display.line(f"stopping early: no better validation AUROC in {self.settings.patience} epochs")
        state.epoch += 1
        state.epoch_is_trained = False
        state.loss_sum, state.num_seen = 0.0, 0

    def _validation_logits(self, stop: StopRequest) -> NDArray[np.float64]:
        """Predict the validation split, each process its part; all of them get the whole.

        Raises:
            Stopped: Some process was asked to stop.
        """
        own = None
        with contextlib.suppress(Stopped), compiled_if(is_full=self.stepper.compiled == "off"):
            own = logits_of(self.stepper.judged, stop.watch(self.validation.batches(self.state.epoch)), precision=self.settings.precision)
        logits = np.empty(len(self.data.validation))
        for rank, part in enumerate(self.ranks.gather(own)):
            if part is None:
                raise Stopped
            logits[rank :: self.ranks.size] = part
        return logits

    def _log(self, *entries: dict[str, Any]) -> None:
        if self.ranks.is_first:
            self.folder.log(*entries)

    def save(self) -> None:
        """Write the whole state as the newest checkpoint."""
        if self.ranks.is_first:
            num_kept = self.settings.keep_checkpoints
            saving.save(self.folder, self.meta, self.stepper, self.stream, self.state, num_kept=num_kept)

    def restore(self, path: Path) -> None:
        """Continue from a checkpoint; see `saving.restore`."""
        self.state = saving.restore(path, self.meta, self.stepper, self.stream)
        if self.ranks.is_first:
            self.folder.rewind_log(
                lambda entry: entry["epoch"] < self.state.epoch if entry["kind"] == "epoch" else entry["step"] <= self.state.step
            )

    def export(self, stop: StopRequest) -> None:
        """Write the best weights as hf_risk_model.pth, with the logits brought to the natural prevalence and calibrated on validation."""
        self.ranks.gather(None)  # the first process may still be writing the best weights
        best = load_payload(self.folder.best)
        model = self.stepper.judged
        load_weights(model, best["model"], self.folder.best)
        fitted = metrics.fit_recalibration(self.data.validation.y, self._validation_logits(stop) + self.logit_shift)
        model.logit_scale.fill_(fitted.scale)
        model.logit_shift.fill_(fitted.scale * self.logit_shift + fitted.shift)
        calibration = {**dataclasses.asdict(fitted), "prior_shift": self.logit_shift}
        if self.ranks.is_first:
            save_model(self.folder.model, model, {**self.meta, "calibration": calibration, "metrics": best["metrics"]})

    def origin(self) -> dict[str, Any]:
        """Describe where the result comes from, for run.json."""
        device = self.ranks.device
        return {
            **describe_software(),
            "device": torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu",
            "num_processes": self.ranks.size,
            "compile": self.stepper.compiled,
            "residency": None if self.signals is None else self.signals.residency,
            "num_cpu_threads": torch.get_num_threads(),
            "seed": self.settings.seed,
            "sha256": self.data.fingerprints,
            "num_parameters": num_parameters(self.stepper.model),
            "training_flops_per_recording": self.flops,
            "num_train_ecgs": len(self.data.train),
            "num_validation_ecgs": len(self.data.validation),
            "prevalence": self.data.prevalence,
        }

    def summary(self) -> str:
        """Say in one line what is trained on what."""
        model = self.stepper.model
        parts = [name for name, encoder in (("ECG", model.ecg), ("tabular", model.tabular)) if encoder is not None]
        processes = f" in {self.ranks.size} processes" if self.ranks.size > 1 else ""
        return (
            f"{' + '.join(parts)} model, {num_parameters(model):,} parameters, {self.flops / 1e9:.3g} GFLOP a recording to train,"
            f" on {self.ranks.device.type}{processes}; train on {len(self.data.train):,} ECGs ({self.data.prevalence:.1%} positive),"
            f" validate on {len(self.data.validation):,}" + ("" if self.signals is None else f"; signals: {self.signals.reason}")
        )
