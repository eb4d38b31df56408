"""A store made from row numbers, which can break or stop the process at a chosen read."""

import os

import numpy as np

from hfrisk.errors import StoreError
from hfrisk.model import NUM_SAMPLES


class FakeStore:
    """Signals made from the row number: in positives V1 swings five times as wide.

    Can send the process a signal, or break, at the n-th read.
    """

    def __init__(self, outcomes, folder):
        self.outcomes = outcomes
        self.signals_path = folder
        self.num_reads = 0
        self.breaks_at = None
        self.signal_at = {}

    def __len__(self):
        return len(self.outcomes)

    def read_into(self, rows, out):
        self.num_reads += 1
        if self.num_reads == self.breaks_at:
            raise StoreError("the machine went down")
        for row, signal_LT in zip(rows, out, strict=True):  # noqa: N806
            noise = np.random.default_rng(int(row)).standard_normal((12, NUM_SAMPLES), dtype=np.float32)
            signal_LT[:] = 100 * noise
            signal_LT[6] *= 5 if self.outcomes[row] == 1 else 1
        if self.num_reads in self.signal_at:
            os.kill(os.getpid(), self.signal_at.pop(self.num_reads))
