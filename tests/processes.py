"""Real processes that train on the made-up study in a folder, forked from one server that has imported everything once."""

import json
import multiprocessing
import os
import signal
import socket
import sys
from pathlib import Path

import numpy as np
import torch

import hfrisk
import hfrisk.train.stepper
from fake_store import FakeStore
from hfrisk.config import load_config
from hfrisk.errors import StoreError, exit_on_error
from hfrisk.train import run

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["hfrisk.train", "sklearn.metrics", "torch.utils.flop_counter"])


def start(folder, what="", *, rank=0, at_step=-1, size=1):
    """Run `size` processes of one run, resuming it if there is one; give the exit code and what each one said.

    `what`: "stop", "kill" or "fail" happens to process `rank` as it begins step `at_step`.
    """
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    logs = [folder / f"rank{number}.log" for number in range(size)]
    started = [
        _CONTEXT.Process(target=_train, args=(folder, logs[number], number, size, port, what if number == rank else "", at_step))
        for number in range(size)
    ]
    for process in started:
        process.start()
    for process in started:
        process.join(timeout=240)
    return [process.exitcode for process in started], [log.read_text(encoding="utf-8") for log in logs]


def _train(folder, log, rank, size, port, what, at_step):  # noqa: PLR0917
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(file, 1)
    os.dup2(file, 2)
    sys.stdout, sys.stderr = (os.fdopen(number, "w", buffering=1) for number in (1, 2))
    if size > 1:
        os.environ.update(RANK=str(rank), WORLD_SIZE=str(size), LOCAL_RANK=str(rank), LOCAL_WORLD_SIZE=str(size))
        os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port))
    torch.set_num_threads(1)
    outcomes = np.array(json.loads((folder / "outcomes.json").read_text(encoding="utf-8")))
    vars(hfrisk)["open"] = lambda _path, **_settings: FakeStore(outcomes, folder / "store" / "ecg.zarr" / "signals")
    as_written = hfrisk.train.stepper.Stepper.step

    def step(self, batches, number):
        if what and number == at_step:
            if what == "fail":
                raise StoreError("shard 3 is damaged")
            os.kill(os.getpid(), {"kill": signal.SIGKILL, "stop": signal.SIGTERM}[what])
        return as_written(self, batches, number)

    hfrisk.train.stepper.Stepper.step = step
    with exit_on_error():
        run(load_config(Path(folder) / "study.toml"), resume=True)
