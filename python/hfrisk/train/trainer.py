"""The loop, and the state that makes it resumable."""

from __future__ import annotations

import contextlib
import dataclasses
import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from hfrisk import metrics
from hfrisk.batches import BatchStream, balanced_weights
from hfrisk.checkpoint import load_payload, load_weights, model_meta, require_same_signal, save_atomic, save_model
from hfrisk.errors import ConfigError, DataError
from hfrisk.model import autocast, build_model, choose_device, num_parameters
from hfrisk.predict import logits_of
from hfrisk.run_folder import describe_software
from hfrisk.train.display import Display
from hfrisk.train.optimizer import build_optimizer, learning_rate_at
from hfrisk.train.stop import Stopped
from hfrisk.train.window import Window

if TYPE_CHECKING:
    from torch import Tensor

    from hfrisk.batches import Batch
    from hfrisk.config import StudyConfig
    from hfrisk.run_folder import RunFolder
    from hfrisk.train.data import TrainingData
    from hfrisk.train.stop import StopRequest

_S_PER_MINUTE = 60
_FREE_TO_CHANGE = {"num_threads", "log_every_steps", "checkpoint_every_minutes"}
"""Settings of `[train]` that may differ when a run is resumed: they change no bit of the result."""


@dataclass(slots=True)
class _State:
    """Where the loop stands."""

    epoch: int = 0
    step: int = 0
    epoch_is_trained: bool = False
    """All batches of `epoch` are done, its validation is not."""
    loss_sum: float = 0.0
    num_seen: int = 0
    best_auroc: float = -1.0
    best_epoch: int = -1
    is_finished: bool = False


class Trainer:
    """Model, optimiser, streams and state of one run."""

    def __init__(self, config: StudyConfig, data: TrainingData, folder: RunFolder) -> None:
        self.config = config
        self.data = data
        self.folder = folder
        self.settings = config.train
        self.device = choose_device(config.train.device)
        num_features = 0 if data.statistics is None else data.statistics.num_encoded
        self.model = build_model(config.model, num_features=num_features).to(self.device)
        self.optimizer = build_optimizer(self.model, self.settings.learning_rate, self.settings.weight_decay)
        weighted = self.settings.sampler == "weighted"
        self.stream = BatchStream(
            data.store,
            data.train,
            batch_size=self.settings.batch_size,
            seed=self.settings.seed,
            weights=balanced_weights(data.train.y) if weighted else None,
            device=self.device,
        )
        self.validation = BatchStream(data.store, data.validation, batch_size=self.settings.batch_size, shuffle=False, device=self.device)
        # Drawn in equal shares, the classes have prior odds of 1; adding the log odds of the training split undoes that.
        self.logit_shift = math.log(data.prevalence / (1 - data.prevalence)) if weighted else 0.0
        self.state = _State()
        self.num_steps = self.settings.num_epochs * self.stream.num_batches
        self.elapsed_s = 0.0
        self.num_steps_here = 0  # of this process; those before a resumption ran elsewhere
        self.display = Display(self.num_steps)
        self.meta = model_meta(
            config, data.statistics, prevalence=data.prevalence, fingerprints=data.fingerprints, software=describe_software()
        )

    def fit(self, stop: StopRequest) -> None:
        """Train until the last epoch or until the validation AUROC no longer rises; saves before it raises `Stopped`."""
        state = self.state
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
        state, settings = self.state, self.settings
        self.model.train()
        window = Window(self.stream)
        saved_at = time.monotonic()
        with contextlib.closing(self.stream.batches(state.epoch)) as batches:
            for batch in batches:
                rate = learning_rate_at(state.step, peak=settings.learning_rate, num_steps=self.num_steps, warmup=settings.warmup_fraction)
                window.add(self._step(batch, rate), len(batch.rows), rate)
                state.step += 1
                is_due = len(window) == settings.log_every_steps
                if is_due or stop.signal is not None:
                    self._log_window(window)
                    window = Window(self.stream)
                stop.check()
                if is_due and time.monotonic() - saved_at >= _S_PER_MINUTE * settings.checkpoint_every_minutes:
                    self.save()
                    saved_at = time.monotonic()
        if len(window):
            self._log_window(window)
        state.epoch_is_trained = True

    def _step(self, batch: Batch, learning_rate: float) -> Tensor:
        """Move the weights by one batch; the mean loss stays on the device."""
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate
        with autocast(self.device, self.settings.precision):
            logits = self.model(batch.x_BLT, batch.x_BF)
        loss = nn.functional.binary_cross_entropy_with_logits(logits, batch.y)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.model.parameters(), self.settings.gradient_clip)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        return loss.detach()

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
        self.folder.log(*entries)
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
        logits = (
            logits_of(self.model, stop.watch(self.validation.batches(state.epoch)), precision=self.settings.precision) + self.logit_shift
        )
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
        self.folder.log(entry)
        self.display.epoch(entry, num_epochs=self.settings.num_epochs, is_best=is_best)
        if is_best:
            state.best_auroc, state.best_epoch = entry["validation_auroc"], state.epoch
            save_atomic(self.folder.best, {**self.meta, "kind": "best", "model": self.model.state_dict(), "metrics": entry})
        elif self.settings.patience and state.epoch - state.best_epoch >= self.settings.patience:
            state.is_finished = True
            self.display.line(f"stopping early: no better validation AUROC in {self.settings.patience} epochs")
        state.epoch += 1
        state.epoch_is_trained = False
        state.loss_sum, state.num_seen = 0.0, 0

    def save(self) -> None:
        """Write the whole state to `checkpoints/last.pt`."""
        save_atomic(
            self.folder.last,
            {
                **self.meta,
                "kind": "last",
                "model": self.model.state_dict(),
                "optimizer": self.optimizer.state_dict(),
                "stream": self.stream.state_dict(),
                "state": dataclasses.asdict(self.state),
                "cpu_random_state": torch.get_rng_state(),
                "cuda_random_state": torch.cuda.get_rng_state(self.device) if self.device.type == "cuda" else None,
            },
        )

    def restore(self) -> None:
        """Continue from `checkpoints/last.pt`.

        Raises:
            ConfigError: A setting that changes the result differs.
            DataError: The checkpoint is of other features, another cohort or another store.
        """
        saved = load_payload(self.folder.last)
        require_same_signal(saved, self.folder.last)
        self._require_same_study(saved)
        load_weights(self.model, saved["model"], self.folder.last)
        self.optimizer.load_state_dict(saved["optimizer"])
        self.stream.load_state_dict(saved["stream"])
        self.state = _State(**saved["state"])
        torch.set_rng_state(saved["cpu_random_state"])
        if saved["cuda_random_state"] is not None and self.device.type == "cuda":
            torch.cuda.set_rng_state(saved["cuda_random_state"], self.device)
        self.folder.rewind_log(
            lambda entry: entry["epoch"] < self.state.epoch if entry["kind"] == "epoch" else entry["step"] <= self.state.step
        )

    def _require_same_study(self, saved: dict[str, Any]) -> None:
        if saved["features"] != self.meta["features"]:
            raise DataError(
                f"`{self.folder.last}` was trained on other tabular features than `paths.tabular` gives now",
                hint="restore the tabular file, or start a new run with `--set paths.run=…`",
            )
        for name, digest in self.meta["fingerprints"].items():
            if saved["fingerprints"][name] != digest:
                raise DataError(
                    f"the {name} file has changed since `{self.folder.last}` was written", hint="start a new run with `--set paths.run=…`"
                )
        for section in ("model", "train"):
            for key, value in self.meta["config"][section].items():
                started = saved["config"][section].get(key)
                if key not in _FREE_TO_CHANGE and started != value:
                    raise ConfigError(
                        f"`{section}.{key}` is {value!r}, and the run in `{self.folder.path}` was started with {started!r}",
                        hint="resume with the settings of its config.toml, or start a new run with `--set paths.run=…`",
                    )

    def export(self) -> None:
        """Write the best weights as hf_risk_model.pth, with the logits brought to the natural prevalence and calibrated on validation."""
        best = load_payload(self.folder.best)
        load_weights(self.model, best["model"], self.folder.best)
        logits = logits_of(self.model, self.validation.batches(0), precision=self.settings.precision) + self.logit_shift
        fitted = metrics.fit_recalibration(self.data.validation.y, logits)
        self.model.logit_scale.fill_(fitted.scale)
        self.model.logit_shift.fill_(fitted.scale * self.logit_shift + fitted.shift)
        calibration = {**dataclasses.asdict(fitted), "prior_shift": self.logit_shift}
        save_model(self.folder.model, self.model, {**self.meta, "calibration": calibration, "metrics": best["metrics"]})

    def origin(self) -> dict[str, Any]:
        """Describe where the result comes from, for run.json."""
        return {
            **describe_software(),
            "device": torch.cuda.get_device_name(self.device) if self.device.type == "cuda" else "cpu",
            "num_cpu_threads": torch.get_num_threads(),
            "seed": self.settings.seed,
            "sha256": self.data.fingerprints,
            "num_parameters": num_parameters(self.model),
            "num_train_ecgs": len(self.data.train),
            "num_validation_ecgs": len(self.data.validation),
            "prevalence": self.data.prevalence,
        }

    def summary(self) -> str:
        """Say in one line what is trained on what."""
        parts = [name for name, encoder in (("ECG", self.model.ecg), ("tabular", self.model.tabular)) if encoder is not None]
        return (
            f"{' + '.join(parts)} model, {num_parameters(self.model):,} parameters on {self.device}; train on {len(self.data.train):,} ECGs"
            f" ({self.data.prevalence:.1%} positive), validate on {len(self.data.validation):,}"
        )
