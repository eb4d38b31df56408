"""Where the packed signals stand while a network learns: on disk, in the host's memory, or in the device's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, cast

import numpy as np
import torch

from hfrisk._core import available_memory
from hfrisk.batches.feed import CountFeed, MicrovoltFeed
from hfrisk.batches.packed import PackedSet
from hfrisk.errors import ConfigError, DataError
from hfrisk.store import EcgStore

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hfrisk.batches.examples import SignalSource
    from hfrisk.batches.feed import Feed

Residency = Literal["auto", "stream", "ram", "gpu"]
Transport = Literal["auto", "float32", "int16"]

_SHARE_OF_DEVICE = 0.5
"""Of the device's free memory: the rest is for the network, its activations and the decoded batches."""
_SHARE_OF_RAM = 0.5
"""Of the host's available memory."""
_GB = 1e9


@dataclass(frozen=True, slots=True)
class Signals:
    """What a `BatchStream` draws from, and where it stands.

    Attributes:
        source: Reads batches on the host, or holds the set on the device.
        residency: `stream`, `ram` or `gpu`.
        reason: One line for the user: what was picked, and why.
    """

    source: Feed | PackedSet
    residency: Literal["stream", "ram", "gpu"]
    reason: str


def place_signals(
    store: SignalSource,
    rows: NDArray[np.int64],
    device: torch.device,
    *,
    residency: Residency = "auto",
    transport: Transport = "auto",
    num_processes: int = 1,
) -> Signals:
    """Bring the packed signals of `rows` to where they will be decoded from.

    Every residency and transport gives the same signals bit for bit.

    Args:
        store: Where they are.
        rows: All rows that streams will ask for; train and validation may share what is returned.
        device: Where batches go.
        residency: `stream` reads files, which the system caches; `ram` holds the chunks in this process; `gpu` holds them on the device and
            decodes them there; `auto` takes `gpu` or else `ram` when the chunks fit, and else `stream`.
        transport: What goes to the device of batches decoded on the host: `float32`, or `int16` counts, a third of that, which the device
            scales; `auto` takes `int16` for CUDA.
        num_processes: Processes of this machine that each do the same, and share its memory.

    Raises:
        ConfigError: The residency is not possible with this device or store.
        DataError: A row holds no recording, or cannot be decoded on the device.
        StoreError: The store cannot be read.
    """
    require_rows(rows, len(store))
    if not isinstance(store, EcgStore):
        # Signals that are made, not stored, are neither packed nor counts.
        return Signals(MicrovoltFeed(store), "stream", "signals are read batch by batch")
    num_bytes = int(store.chunk_bytes(np.unique(rows)).sum())
    picked, why = _pick(store, num_bytes, device, num_processes) if residency == "auto" else (residency, "as `train.residency` says")
    size = f"{len(np.unique(rows)):,} recordings, {num_bytes / _GB:.2f} GB packed"
    if picked == "gpu":
        _require_gpu(store, device)
        try:
            return Signals(PackedSet.load(store, rows, device), "gpu", f"{size}, held on {device}: {why}")
        except DataError as error:
            if residency != "auto":
                raise
            picked, why = "ram" if _fits_ram(num_bytes, num_processes) else "stream", error.message
        except torch.cuda.OutOfMemoryError:
            raise ConfigError(f"{size}, do not fit into the memory of {device}", hint='set `train.residency = "auto"`') from None
    if picked == "ram":
        store = store.holding(rows)
    counts = transport == "int16" or (transport == "auto" and device.type == "cuda" and store.codec == "ecgpack")
    where = "held in memory" if picked == "ram" else f"read from {store.path} ({store.access})"
    words = f"{size}, {where}, sent as {'int16' if counts else 'float32'}: {why}"
    return Signals(CountFeed(store) if counts else MicrovoltFeed(store), cast("Literal['stream', 'ram']", picked), words)


def require_rows(rows: NDArray[np.int64], num_rows: int) -> None:
    """Refuse rows that a store does not have."""
    if len(rows) and int(rows.max()) >= num_rows:
        raise DataError(
            f"the cohort names row {int(rows.max())}, the store has {num_rows} rows",
            hint="the store was made anew: run `hfrisk cohort` again",
        )


def _pick(store: EcgStore, num_bytes: int, device: torch.device, num_processes: int) -> tuple[Residency, str]:
    if device.type == "cuda" and store.codec == "ecgpack":
        free, _ = torch.cuda.mem_get_info(device)
        if num_bytes <= _SHARE_OF_DEVICE * free:
            return "gpu", f"at most half of the {free / _GB:.1f} GB that are free there"
    if _fits_ram(num_bytes, num_processes):
        return "ram", f"at most half of the {_ram(num_processes) / _GB:.1f} GB that are available"
    return "stream", f"more than half of the {_ram(num_processes) / _GB:.1f} GB of memory that are available"


def _fits_ram(num_bytes: int, num_processes: int) -> bool:
    return num_bytes <= _SHARE_OF_RAM * _ram(num_processes)


def _ram(num_processes: int) -> float:
    """Bytes that this process may take; none where the system does not say."""
    return (available_memory() or 0) / num_processes


def _require_gpu(store: EcgStore, device: torch.device) -> None:
    if device.type == "cpu":
        raise ConfigError('`train.residency` is "gpu", and batches go to the CPU', hint='set `train.residency = "ram"`, or `train.device`')
    if store.codec != "ecgpack":
        raise ConfigError(
            f"a store of codec `{store.codec}` cannot be decoded on the device",
            hint='set `train.residency = "auto"`, or convert with `--codec ecgpack`',
        )
