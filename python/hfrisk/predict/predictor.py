"""A model in memory, ready for recordings: `Predictor.load(path)(recordings)`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import polars as pl
import torch

from hfrisk.batches import BatchStream
from hfrisk.checkpoint import feature_statistics, load_model
from hfrisk.convert import Recording, parse
from hfrisk.errors import ConfigError, DataError
from hfrisk.metrics import sigmoid
from hfrisk.model import LEAD_ORDER, NUM_SAMPLES, choose_device
from hfrisk.predict.logits import logits_of, make_examples

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from hfrisk.model import CombinedModel
    from hfrisk.store import EcgStore
    from hfrisk.tabular import FeatureStatistics

Ecg = Recording | str | os.PathLike[str] | bytes
"""What can be predicted one by one: a parsed recording, an ECG XML file, or its bytes."""

_BATCH_SIZE = 64
_NUM_NAMED = 3


class Predictor:
    """A trained model with all that it needs to be applied.

    ```python
    predictor = Predictor.load("run/hf_risk_model.pth")
    risks = predictor(["one.xml", "two.xml"], tabular=[{"age": 71, "diabetes": 1}, {"age": 54}])
    ```

    Attributes:
        meta: What the model file says of itself: settings, lead order, prevalence, fingerprints.
        statistics: Of the tabular features, or None where the model reads none.
    """

    def __init__(self, model: CombinedModel, meta: Mapping[str, Any], *, device: torch.device) -> None:
        self._model = model.to(device).eval()
        self._device = device
        self.meta = dict(meta)
        self.statistics: FeatureStatistics | None = feature_statistics(meta)

    @classmethod
    def load(cls, path: str | os.PathLike[str], *, device: str = "auto") -> Self:
        """Load `hf_risk_model.pth`.

        Raises:
            DataError: The file is missing, damaged, no model, or of another schema or lead order.
            ConfigError: There is no such device.
        """
        model, meta = load_model(Path(path))
        return cls(model, meta, device=choose_device(device))

    @property
    def reads_ecg(self) -> bool:
        """Whether the model looks at the signal."""
        return self._model.ecg is not None

    @property
    def accepts_missing(self) -> bool:
        """Whether the tabular features may be left out, because the model was trained with modality drop-out."""
        return self._model.accepts_missing

    @property
    def features(self) -> tuple[str, ...]:
        """Tabular columns the model was trained on, in order."""
        return () if self.statistics is None else self.statistics.names

    def __call__(
        self,
        recordings: Sequence[Ecg] | NDArray[np.float32],
        *,
        tabular: pl.DataFrame | Sequence[Mapping[str, float | None]] | None = None,
    ) -> NDArray[np.float64]:
        """Give the risk of each recording, a probability at the prevalence of the training data.

        Args:
            recordings: Parsed recordings, paths or bytes of ECG XML; or signals in µV, float32 (N, 12, 5000) at 500 Hz, leads in the
                store's order.
            tabular: A row for each recording with the columns of `features`; null is missing. More columns are ignored. A model that was
                trained with modality drop-out does without.

        Returns:
            Risks, float64 (N,).

        Raises:
            ParseError: A file is no recording.
            DataError: Signals of another shape or with gaps, or a tabular table that does not fit.
            ConfigError: The model needs tabular features and none are given.
        """
        num = len(recordings)
        encoded = self._encode(tabular, num)
        if num == 0:
            return np.empty(0)
        logits = []
        with torch.inference_mode():
            for start in range(0, num, _BATCH_SIZE):
                part = slice(start, start + _BATCH_SIZE)
                x_BLT = torch.from_numpy(_signals(recordings[part])).to(self._device) if self.reads_ecg else None  # noqa: N806
                x_BF = None if encoded is None else torch.from_numpy(encoded[part]).to(self._device)  # noqa: N806
                logits.append(self._model(x_BLT, x_BF).float().cpu())
        return sigmoid(torch.cat(logits).numpy().astype(np.float64))

    def of_store(self, store: EcgStore, frame: pl.DataFrame, table: pl.DataFrame | None = None) -> NDArray[np.float64]:
        """Give the risk of rows of a store, read by its own threads.

        Args:
            store: The store.
            frame: `row`, `ecg_file` and `person_id`, one line a recording.
            table: Tabular features, as `hfrisk.tabular.read_tabular` gives them.

        Returns:
            Risks in the order of the frame, float64 (N,).

        Raises:
            DataError: A row holds no recording, or the table lacks a feature.
            ConfigError: The model needs tabular features and none are given.
        """
        self.require_table(table)
        stream = BatchStream(
            store if self.reads_ecg else None,
            make_examples(frame, table, self.statistics),
            batch_size=_BATCH_SIZE,
            shuffle=False,
            device=self._device,
        )
        return sigmoid(logits_of(self._model, stream.batches(0)))

    def require_table(self, table: object) -> None:
        """Refuse to go on without tabular features where the model needs them; one trained with modality drop-out does not.

        Raises:
            ConfigError: It needs them and `table` is None.
        """
        if self.statistics is None or table is not None or self.accepts_missing:
            return
        count = len(self.features)
        shown = ", ".join(self.features[:_NUM_NAMED]) + (", ..." if count > _NUM_NAMED else "")
        raise ConfigError(f"the model reads {count} tabular features ({shown}), and none are given", hint="give a table: `--tabular T.csv`")

    def _encode(self, tabular: pl.DataFrame | Sequence[Mapping[str, float | None]] | None, num: int) -> NDArray[np.float32] | None:
        if self.statistics is None:
            return None
        self.require_table(tabular)
        if tabular is None:
            return None
        table = tabular if isinstance(tabular, pl.DataFrame) else pl.DataFrame(list(tabular), infer_schema_length=None)
        if table.height != num:
            raise DataError(f"{num} recordings and {table.height} rows of tabular features", hint="give one row a recording")
        absent = [name for name in self.features if name not in table.columns]
        if isinstance(tabular, pl.DataFrame) and absent:
            raise DataError(f"the tabular table lacks `{absent[0]}`", hint="the model was trained on: " + ", ".join(self.features))
        values = table.with_columns(pl.lit(None).alias(name) for name in absent).select(pl.col(self.features).cast(pl.Float64))
        return self.statistics.encode(values.to_numpy())


def _signals(recordings: Sequence[Ecg] | NDArray[np.float32]) -> NDArray[np.float32]:
    if isinstance(recordings, np.ndarray):
        signals = np.ascontiguousarray(recordings, dtype=np.float32)
    else:
        signals = np.stack([(ecg if isinstance(ecg, Recording) else parse(ecg)).signal for ecg in recordings])
    expected = (len(LEAD_ORDER), NUM_SAMPLES)
    if signals.shape[1:] != expected:
        raise DataError(f"signals of shape {signals.shape}, expected (N, {expected[0]}, {expected[1]})", hint="10 s at 500 Hz, in µV")
    if not np.isfinite(signals).all():
        raise DataError("a signal has gaps (NaN)", hint="a row whose file was rejected has no recording")
    return signals
