"""Does the GPU wait for data? `python benches/gpu_feed.py` on any machine with a GPU (or small on a CPU) makes a store and measures.

One run of each row: the network alone on one batch that stays on the device, the loader alone, training as `hfrisk.train` does it, whose
every step draws a new shuffled batch from the store, and what the device itself does of decoding, as a share of the step. Achieved FLOP/s
count convolutions and matrix products only; the peak is that of a large matrix product measured here in the same precision, and the data
sheet's where the device is known.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import itertools
import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

import hfrisk
from hfrisk.batches import Batch, BatchStream, Examples, place_signals
from hfrisk.batches.packed import PackedSet
from hfrisk.config import AugmentConfig, ModelConfig, StudyConfig, TrainConfig
from hfrisk.convert import convert
from hfrisk.model import NUM_SAMPLES, num_parameters, training_flops
from hfrisk.synthetic import make_hospital
from hfrisk.train.ranks import Ranks
from hfrisk.train.stepper import Stepper

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from hfrisk.batches.feed import Feed

ECG_FOLDER = "datasets/ECG-Registry/1.0.0/1.MAIN"
MAX_WAIT, MIN_SHARE, MAX_DECODING = 0.02, 0.97, 0.05
# Dense bfloat16 with float32 sums, TFLOP/s, from the data sheets; the first name that fits the device's.
DATA_SHEET = {"H200": 989, "H100 PCIe": 756, "H100": 989, "A100": 312, "L40S": 362, "L4": 121, "B200": 2250}


def synchronise(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def seconds_of(work: Callable[[], object], device: torch.device, rounds: int) -> float:
    """Median time of a piece of work, waiting for the device around it."""
    seconds = []
    for _ in range(rounds):
        synchronise(device)
        started = time.perf_counter()
        work()
        synchronise(device)
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds)


def matrix_peak(device: torch.device, dtype: torch.dtype) -> float:
    """FLOP/s of a large square matrix product."""
    size = 8192 if device.type == "cuda" else 1024
    left, right = (torch.randn(size, size, device=device, dtype=dtype) for _ in range(2))
    torch.mm(left, right)
    return 2 * size**3 / seconds_of(lambda: torch.mm(left, right), device, 5)


def make_store(folder: Path, num_patients: int) -> None:
    make_hospital(folder, num_patients=num_patients, seed=11)
    convert(folder / ECG_FOLDER, folder / "store")


def endless(stream: BatchStream) -> itertools.chain[Batch]:
    return itertools.chain.from_iterable(stream.batches(epoch) for epoch in itertools.count())


def decoding(source: Feed | PackedSet, rows: NDArray[np.int64], device: torch.device) -> Callable[[], object]:
    """What the device does to make the signals of one batch: unpacking where it holds the set, else scaling what it was sent."""
    if isinstance(source, PackedSet):
        on_device = torch.from_numpy(rows).to(device)
        return lambda: source.draw(rows, on_device)
    sent = tuple(part.to(device) for part in source.fill(source.new_buffers(len(rows), pinned=False), rows))
    return lambda: source.signals(sent)


def measure(settings: argparse.Namespace, folder: Path, encoder: str, residency: str) -> dict[str, float]:
    """Recordings a second of each part, and the share of waiting."""
    config = StudyConfig(
        model=ModelConfig(encoder=encoder, inputs="ecg"),
        augment=AugmentConfig(time_shift_s=0.5, amplitude=0.2) if settings.augment else AugmentConfig(),
        train=TrainConfig(batch_size=settings.batch_size, compile=settings.compile, device=settings.device, precision=settings.precision),
    )
    ranks = Ranks(config.train)
    device = ranks.device
    store = hfrisk.open(folder / "store")
    # Few recordings are drawn again and again: a large set has the same cost for each batch, as long as it fits into memory.
    rows = np.resize(store.records["row"].to_numpy().astype(np.int64), settings.batch_size * max(64, settings.steps))
    examples = Examples(rows, (rows % 3 == 0).astype(np.float32), None)
    signals = place_signals(store, rows, device, residency=residency)
    stream = BatchStream(signals, examples, batch_size=settings.batch_size, device=device)
    stepper = Stepper(config, ranks, num_features=0, num_steps=10**6, pos_weight=1.0)
    stepper.model.train()
    num = settings.batch_size * settings.steps
    numbers = itertools.count()
    with contextlib.closing(stream.batches(0)) as batches:
        resident = next(iter(batches))

    def train(source: itertools.chain[Batch] | itertools.repeat[Batch]) -> None:
        losses = [stepper.step([batch], next(numbers)) for batch in itertools.islice(source, settings.steps)]
        assert bool(torch.stack(losses).isfinite().all())

    train(itertools.repeat(resident))  # compilation and the choice of kernels
    decode = decoding(signals.source, rows[: settings.batch_size], device)
    decode()
    rounds = {"model": [], "loader": [], "decode": [], "train": []}
    waits = []
    feed = endless(stream)
    next(feed)
    for _ in range(settings.rounds):  # in turn, because clocks and neighbours change
        rounds["model"].append(seconds_of(lambda: train(itertools.repeat(resident)), device, 1))
        rounds["loader"].append(seconds_of(lambda: [None for _ in itertools.islice(feed, settings.steps)], device, 1))
        rounds["decode"].append(seconds_of(lambda: [decode() for _ in range(settings.steps)], device, 1))
        waited = stream.wait_s
        rounds["train"].append(seconds_of(lambda: train(feed), device, 1))
        waits.append((stream.wait_s - waited) / rounds["train"][-1])
    speed = {name: num / statistics.median(seconds) for name, seconds in rounds.items()}
    return {
        **speed,
        "data_wait": statistics.median(waits),
        "share": speed["train"] / speed["model"],
        "decoding": speed["train"] / speed["decode"],
        "parameters": num_parameters(stepper.model),
        "flops": training_flops(stepper.model, num_features=0),
    }


def report(settings: argparse.Namespace, rows: dict[tuple[str, str], dict[str, float]], device: torch.device) -> str:
    """The table, in Markdown."""
    is_half = settings.precision == "bfloat16" or (settings.precision == "auto" and device.type == "cuda")
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else f"CPU, {torch.get_num_threads()} threads"
    peak = matrix_peak(device, torch.bfloat16 if is_half else torch.float32)
    sheet = next((value for known, value in DATA_SHEET.items() if known in name), None) if is_half else None
    lines = [
        f"### Training fed from a store on {name}",
        "",
        (
            f"PyTorch {torch.__version__}, {'bfloat16' if is_half else 'float32'}, compile {settings.compile}, batches of"
            f" {settings.batch_size} recordings of {NUM_SAMPLES} samples, augmentation {'on' if settings.augment else 'off'}."
        ),
        f"Peak: {peak / 1e12:.3g} TFLOP/s in a matrix product measured here"
        + (f", {sheet} TFLOP/s on the data sheet." if sheet else "; no data sheet figure for this device."),
        "",
        (
            "| network | residency | parameters | GFLOP/rec | model alone, rec/s | loader alone | training | training / model | data wait |"
            " decoding on the device | TFLOP/s | of measured peak |"
        ),
        "|---|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for (encoder, residency), row in rows.items():
        gflop, achieved = row["flops"] / 1e9, row["flops"] * row["train"]
        lines.append(
            f"| {encoder} | {residency} | {row['parameters']:,.0f} | {gflop:.3g} | {row['model']:,.0f} | {row['loader']:,.0f} |"
            f" {row['train']:,.0f} | {row['share']:.3f} {verdict(met=row['share'] >= MIN_SHARE)} |"
            f" {row['data_wait']:.2%} {verdict(met=row['data_wait'] < MAX_WAIT)} |"
            f" {row['decoding']:.2%} {verdict(met=row['decoding'] < MAX_DECODING)} | {achieved / 1e12:.3g} | {achieved / peak:.1%} |"
        )
    targets = (
        f"Targets on an H100: training at least {MIN_SHARE} × the model alone, data wait under {MAX_WAIT:.0%}, decoding on the device under"
        f" {MAX_DECODING:.0%} of a step."
    )
    return "\n".join([*lines, "", targets])


def verdict(*, met: bool) -> str:
    return "(met)" if met else "(**missed**)"


def main(arguments: list[str] | None = None) -> str:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description="Measure whether training waits for data.")
    on_gpu = torch.cuda.is_available()
    parser.add_argument("--device", default="auto")
    parser.add_argument("--precision", default="auto", choices=("auto", "float32", "bfloat16"))
    parser.add_argument("--compile", default="auto", choices=("auto", "off", "regional", "full"))
    parser.add_argument("--encoders", nargs="+", default=["resnet", "xresnet50", "seed_cnn"] if on_gpu else ["resnet"])
    parser.add_argument("--residencies", nargs="+", default=["stream", "ram", "gpu"] if on_gpu else ["stream", "ram"])
    parser.add_argument("--batch-size", type=int, default=256 if on_gpu else 8)
    parser.add_argument("--steps", type=int, default=50 if on_gpu else 3, help="steps a round")
    parser.add_argument("--rounds", type=int, default=7 if on_gpu else 3)
    parser.add_argument("--patients", type=int, default=700 if on_gpu else 20)
    parser.add_argument("--augment", action="store_true", help="with time shift and amplitude on")
    settings = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_store(folder / "hospital", settings.patients)
        rows = {
            (encoder, residency): measure(settings, folder / "hospital", encoder, residency)
            for encoder, residency in itertools.product(settings.encoders, settings.residencies)
        }
    page = report(settings, rows, Ranks(dataclasses.replace(TrainConfig(), device=settings.device)).device)
    print(page)
    return page


if __name__ == "__main__":
    main()
