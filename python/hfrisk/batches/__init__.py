"""A deterministic, resumable stream of batches out of the store.

    order(seed, epoch) ──rows──▶ one thread: read_into, GIL released ──▶ ring of 3 buffers ──▶ the loop
                                 (decoding threads are Rust's)            (pinned for CUDA)    copies on a side stream

or, where the packed set fits into the device (`residency`), it is there already and each batch is decoded there when it is drawn:

    order(seed, epoch) ──rows──▶ gather, unpack, sum up, scale, derive leads: tensor operations ──▶ the loop

The order is a true shuffle of all rows and a pure function of (seed, epoch), so a position is enough to resume: nothing is pickled, and
the number of threads changes nothing. There are no worker processes.

Shape suffixes: B batch, L lead, T time, F tabular feature; N all examples.
"""

from hfrisk.batches.examples import Batch, Examples, SignalSource
from hfrisk.batches.order import balanced_weights, epoch_order
from hfrisk.batches.residency import Signals, place_signals
from hfrisk.batches.stream import BatchStream

__all__ = ["Batch", "BatchStream", "Examples", "SignalSource", "Signals", "balanced_weights", "epoch_order", "place_signals"]
