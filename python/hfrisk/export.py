"""`hfrisk export MODEL`: the model for other runtimes, as ONNX or as a `torch.export` program.

The exported graph takes what a hospital has (microvolts, and raw feature values with NaN for missing) and gives the risk: scaling,
standardising, missing indicators and the correction of the prior are inside, so nothing has to be rebuilt beside it.
"""

from __future__ import annotations

import contextlib
import json
import logging
import warnings
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.export import Dim

from hfrisk.checkpoint import feature_statistics, load_model
from hfrisk.errors import ConfigError
from hfrisk.model import LEAD_ORDER, NUM_SAMPLES, SAMPLING_RATE_HZ
from hfrisk.outputs import Outputs

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from hfrisk.model import CombinedModel
    from hfrisk.tabular import FeatureStatistics

SIGNAL_INPUT, FEATURE_INPUT, OUTPUT = "signal_uv", "features", "risk"
"""Names in the exported graph: float32 (B, 12, 5000) in µV, float32 (B, F) raw with NaN for missing, float32 (B,) from 0 to 1."""

_LOGGERS = ("torch.onnx", "torch.export", "onnxscript", "onnx_ir")


class RiskModel(nn.Module):
    """A trained network with the preparation of its inputs and the sigmoid inside."""

    means: Tensor
    stds: Tensor
    flagged: Tensor

    def __init__(self, network: CombinedModel, statistics: FeatureStatistics | None) -> None:
        super().__init__()
        self.network = network
        self.reads_ecg = network.ecg is not None
        self.names = () if statistics is None else statistics.names
        if statistics is not None:
            self.register_buffer("means", torch.tensor(statistics.means))
            self.register_buffer("stds", torch.tensor(statistics.stds))
            self.register_buffer(
                "flagged", torch.tensor([statistics.names.index(name) for name in statistics.indicators], dtype=torch.long)
            )

    def forward(self, signal_uv: Tensor | None = None, features: Tensor | None = None) -> Tensor:
        """Map what the model reads, named as in the exported graph, to `risk`."""
        x_BF = None if features is None else self._encode(features)  # noqa: N806
        return torch.sigmoid(self.network(signal_uv, x_BF))

    def example(self, num_recordings: int = 2) -> dict[str, Tensor]:
        """Inputs of the right shapes."""
        inputs = {}
        if self.reads_ecg:
            inputs[SIGNAL_INPUT] = torch.zeros(num_recordings, len(LEAD_ORDER), NUM_SAMPLES)
        if self.names:
            inputs[FEATURE_INPUT] = torch.zeros(num_recordings, len(self.names))
        return inputs

    def _encode(self, x_BF: Tensor) -> Tensor:  # noqa: N803
        """`FeatureStatistics.encode`, in the graph."""
        absent = torch.isnan(x_BF)
        scaled = torch.where(absent, 0.0, (torch.where(absent, 0.0, x_BF) - self.means) / self.stds)
        return torch.cat([scaled, absent.index_select(1, self.flagged).to(scaled.dtype)], dim=1)


def run(model: Path, *, onnx: Path | None, torch_program: Path | None) -> None:
    """Write a model for other runtimes.

    Args:
        model: A `hf_risk_model.pth`.
        onnx: ONNX file to write, readable by ONNX Runtime; None writes none.
        torch_program: `torch.export` program to write (.pt2), readable by `torch.export.load`; None writes none.

    Raises:
        ConfigError: Nothing is to be written.
        DataError: The model cannot be read.
    """
    if onnx is None and torch_program is None:
        raise ConfigError("nothing to export to", hint="name a file: `--onnx model.onnx`, `--torch model.pt2`")
    network, meta = load_model(model)
    risk_model = RiskModel(network, feature_statistics(meta)).eval()
    program = _program(risk_model)
    facts = describe(risk_model, meta)
    if torch_program is not None:
        # An open file, because torch.export.save looks at the ending of a name.
        with Outputs(torch_program.parent) as outputs, outputs.path(torch_program.name).open("wb") as file:
            torch.export.save(program, file, extra_files={"hfrisk.json": json.dumps(facts)})
    if onnx is not None:
        with Outputs(onnx.parent) as outputs:
            _write_onnx(program, risk_model, facts, outputs.path(onnx.name))


def describe(risk_model: RiskModel, meta: Mapping[str, Any]) -> dict[str, Any]:
    """What a user of the exported file must know: order of the leads, units, rate, names of the features, what it was trained on."""
    return {
        "inputs": {name: ["batch", *tensor.shape[1:]] for name, tensor in risk_model.example().items()},
        "output": f"{OUTPUT}: probability of heart failure, label `{meta['config']['cohort']['mode']}`",
        "lead_order": list(LEAD_ORDER),
        "units": "uV",
        "sampling_rate_hz": SAMPLING_RATE_HZ,
        "features": list(risk_model.names),
        "missing_feature": "NaN",
        "training_prevalence": meta["prevalence"],
        "fingerprints": meta["fingerprints"],
    }


def _program(risk_model: RiskModel) -> torch.export.ExportedProgram:
    batch = Dim("batch", min=1, max=4096)
    example = risk_model.example()
    shapes = {name: {0: batch} for name in example}
    with _quiet():
        return torch.export.export(risk_model, (), example, dynamic_shapes=shapes, strict=False)


def _write_onnx(program: torch.export.ExportedProgram, risk_model: RiskModel, facts: Mapping[str, Any], path: Path) -> None:
    with _quiet():
        exported = torch.onnx.export(
            program,
            (),
            kwargs=risk_model.example(),
            input_names=list(risk_model.example()),
            output_names=[OUTPUT],
            dynamo=True,
            verbose=False,
        )
    assert exported is not None, "with dynamo=True a program is returned"  # noqa: S101
    _name_batch_axis(exported.model.graph)
    exported.model.metadata_props.update({f"hfrisk.{name}": json.dumps(value) for name, value in facts.items()})
    exported.save(path, external_data=False)


def _name_batch_axis(graph: Any) -> None:  # noqa: ANN401 - onnxscript's classes carry no types
    """Call the free axis `batch`, where the exporter left a symbol of its own."""
    symbol = str(graph.inputs[0].shape[0])
    for value in (*graph.inputs, *(output for node in graph for output in node.outputs)):
        if value.shape is not None:
            for axis, size in enumerate(value.shape):
                if str(size) == symbol:
                    value.shape[axis] = "batch"


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Silence the exporters' notes about their own internals, which a user can do nothing about."""
    levels = {logger: logger.level for logger in map(logging.getLogger, _LOGGERS)}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for logger in levels:
                logger.setLevel(logging.ERROR)
            yield
    finally:
        for logger, level in levels.items():
            logger.setLevel(level)
