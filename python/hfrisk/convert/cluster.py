"""Conversions on a Dask cluster: this process leads, and workers that see the same files convert the shards that it hands out."""

from __future__ import annotations

import contextlib
import functools
import logging
import os
import platform
import queue
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import distributed
from distributed.comm.registry import backends
from distributed.scheduler import KilledWorker

from hfrisk import _core
from hfrisk.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

SECONDS_FOR_SCHEDULER = 10.0
SECONDS_WITHOUT_WORKERS = 60.0
_SECONDS_BETWEEN_TICKS = 0.1
SECONDS_BETWEEN_LOOKS = 2.0
_MAX_SHARDS_A_TASK = 4
_TASKS_A_THREAD = 4
_NUM_SAMPLES = 8
_CONTINUES = "the same command continues with what is left"
_SAME_VERSION = "install the same hfrisk with its extra `dask` on this machine and for every worker"


def convert_on_cluster(
    sources: Sequence[str],
    out: str | os.PathLike[str],
    address: str,
    *,
    num_threads: int,
    on_progress: Callable[[Any], None] | None,
    **settings: Any,  # noqa: ANN401
) -> dict[str, Any]:
    """Convert as `_core.convert` does, its workers being those of the cluster.

    Args:
        sources: As of `_core.convert`; workers see each under the same path.
        out: As of `_core.convert`; workers see it under the same path.
        address: Of the scheduler, such as `tcp://host:8786`, or its scheduler file (`.json`).
        num_threads: Threads of this process, which closes the store.
        on_progress: Called with the counts of `_core.convert` whenever they change, and at least ten times a second.
        **settings: Those of `_core.SharedConversion`.

    Raises:
        StoreError: As `_core.convert`; or there is no cluster, or a worker cannot convert.
    """
    out = str(Path(out).absolute())
    with _quiet(), _connected(address) as client:
        _wait_for_workers(client, address)
        conversion = _core.SharedConversion(sources, out, on_progress=on_progress, **settings)
        try:
            if conversion.shards:
                _check_workers(client, conversion, out)
            num_rejected, num_bytes = _hand_out(client, conversion, out, on_progress)
            return dict(conversion.close(num_threads=num_threads, num_rejected=num_rejected, num_bytes=num_bytes, on_progress=on_progress))
        finally:
            conversion.release()


def convert_shards(out: str, plan_id: int, version: str, shards: list[int], sample: str | None) -> dict[str, Any]:
    """Convert shards on a worker; those that are done already, by a worker that died, are left alone.

    Raises:
        StoreError: This worker, which may have come late, cannot convert, or nobody waits for these shards any more.
    """
    if version != _core.__version__:
        raise StoreError(f"the worker on {_host()} has hfrisk {_core.__version__}, and this machine {version}", hint=_SAME_VERSION)
    if found := find_problem(out, plan_id, [] if sample is None else [sample]):
        raise StoreError(f"the worker on {_host()} {found[0]}", hint=found[1])
    try:
        return dict(_converter(out).convert(plan_id, shards))
    except KeyboardInterrupt:
        # Dask would end the worker.
        raise StoreError("the conversion that these shards belong to has ended") from None


def _host() -> str:
    return platform.node() or "a host without a name"


def find_problem(out: str, plan_id: int, samples: list[str]) -> tuple[str, str] | None:
    """Tell what keeps this worker from converting, and a hint."""
    one_path = "every worker has to see SOURCE and OUT on a shared file system, under the same path as this machine"
    try:
        if _converter(out).plan_id != plan_id:
            return f"sees another store at `{out}`", one_path
    except StoreError:
        return f"does not see `{out}`", one_path
    if not os.access(out, os.W_OK):
        return f"cannot write to `{out}`", "give the user that runs the workers the right to write there"
    for sample in samples:
        if not os.access(sample, os.R_OK):
            return f"cannot read `{sample}`", one_path
    return None


@functools.lru_cache(maxsize=1)
def _converter(out: str) -> _core.ShardConverter:
    return _core.ShardConverter(out)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep Dask's own log off the screen: what matters of it is said in a sentence."""
    names = [name for name in logging.root.manager.loggerDict if name.partition(".")[0] == "distributed"]
    levels = {name: logging.getLogger(name).level for name in names}
    for name in names:
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)


@contextlib.contextmanager
def _connected(address: str) -> Iterator[distributed.Client]:
    hint = "give the address that `dask scheduler` prints, such as tcp://host:8786, or its scheduler file (.json)"
    is_file = Path(address).suffix == ".json"
    if is_file and not Path(address).is_file():
        raise StoreError(f"there is no scheduler file `{address}`", hint=hint)
    scheme, _, place_of_it = address.rpartition("://")
    if not is_file and ((scheme or "tcp") not in backends or re.fullmatch(r"\S+:[0-9]+", place_of_it) is None):
        raise StoreError(f"`{address}` is no address of a Dask scheduler", hint=hint)
    place = {"scheduler_file": address} if is_file else {"address": address}
    try:
        client = distributed.Client(**place, timeout=SECONDS_FOR_SCHEDULER, set_as_default=False)
    except OSError as error:
        raise StoreError(f"no Dask scheduler answers at `{address}`", hint=hint) from error
    try:
        yield client
    finally:
        client.close(timeout=2)


def _wait_for_workers(client: distributed.Client, address: str) -> None:
    end = time.monotonic() + SECONDS_WITHOUT_WORKERS
    while not _num_threads_of(client):
        if time.monotonic() > end:
            raise StoreError(f"the Dask scheduler at `{address}` has no worker", hint=f"start some with `dask worker {address}`")
        time.sleep(_SECONDS_BETWEEN_TICKS)


def _num_threads_of(client: distributed.Client) -> int:
    """Threads of all workers.

    Raises:
        StoreError: The scheduler does not answer.
    """
    try:
        return sum(worker["nthreads"] for worker in client.scheduler_info()["workers"].values())
    except (OSError, TimeoutError, RuntimeError) as error:
        raise _scheduler_gone() from error


def _scheduler_gone() -> StoreError:
    return StoreError("the Dask scheduler has gone away", hint=f"start a cluster again; {_CONTINUES}")


def _check_workers(client: distributed.Client, conversion: _core.SharedConversion, out: str) -> None:
    """Ask every worker whether it can do the work, before it is given any: files that it cannot see would all be rejected."""
    shards = [shard for shard, _ in conversion.shards]
    samples = [_sample(conversion, shard) for shard in shards[:: max(len(shards) // _NUM_SAMPLES, 1)]]
    samples = [sample for sample in samples if sample is not None]
    try:
        versions = client.run(_version_probe(), on_error="return")
        for worker, version in versions.items():
            if version != _core.__version__:
                found = f"hfrisk {version}, and this machine {_core.__version__}" if isinstance(version, str) else "no hfrisk"
                raise StoreError(f"the worker {worker} has {found}", hint=_SAME_VERSION)
        problems = client.run(find_problem, out, conversion.plan_id, samples, on_error="return")
    except OSError as error:
        raise _scheduler_gone() from error
    for worker, found in problems.items():
        if isinstance(found, tuple):
            raise StoreError(f"the worker {worker} {found[0]}", hint=found[1])


def _sample(conversion: _core.SharedConversion, shard: int) -> str | None:
    """Return a source of the shard that this machine can read, so that workers have to, too."""
    source = str(conversion.first_source(shard))
    return source if os.access(source, os.R_OK) else None


def _version_probe() -> Callable[[], str | None]:
    """Return a function that travels with its code, so that a worker without hfrisk can run it."""

    def version() -> str | None:
        try:
            from hfrisk import _core as core  # noqa: PLC0415 - on the worker
        except ImportError:
            return None
        return core.__version__

    return version


def _hand_out(
    client: distributed.Client, conversion: _core.SharedConversion, out: str, on_progress: Callable[[Any], None] | None
) -> tuple[int, int]:
    """Have all shards converted, and count rejected files and bytes."""
    todo = conversion.shards
    num_files = conversion.num_files
    num_done = num_resumed = num_files - sum(number for _, number in todo)
    size = min(max(len(todo) // (_TASKS_A_THREAD * max(_num_threads_of(client), 1)), 1), _MAX_SHARDS_A_TASK)
    groups = [todo[first : first + size] for first in range(0, len(todo), size)]
    num_rejected = num_bytes = 0
    began = looked = time.monotonic()
    lost = None

    def report(now: float) -> None:
        if on_progress is not None:
            counts = {"num_files": num_files, "num_done": num_done, "num_resumed": num_resumed, "num_rejected": num_rejected}
            on_progress({**counts, "num_bytes": num_bytes, "seconds": now - began})

    report(began)
    ended: queue.SimpleQueue[Any] = queue.SimpleQueue()
    pending = {}
    for group in groups:
        shards = [shard for shard, _ in group]
        arguments = (out, conversion.plan_id, _core.__version__, shards, _sample(conversion, shards[0]))
        future = client.submit(convert_shards, *arguments, pure=False)
        pending[future.key] = future, sum(number for _, number in group)
        future.add_done_callback(ended.put)
    try:
        while pending:
            with contextlib.suppress(queue.Empty):
                future = ended.get(timeout=_SECONDS_BETWEEN_TICKS)
                done = _result_of(future)
                num_rejected += done["num_rejected"]
                num_bytes += done["num_bytes"]
                num_done += pending.pop(future.key)[1]
            now = time.monotonic()
            report(now)
            if now - looked > SECONDS_BETWEEN_LOOKS:
                looked = now
                is_lost = client.status == "running" and not _num_threads_of(client)
                lost = (now if lost is None else lost) if is_lost else None
                if lost is not None and now - lost > SECONDS_WITHOUT_WORKERS:
                    raise StoreError("the Dask cluster has lost all its workers", hint=f"start workers; {_CONTINUES}")
            if client.status != "running":
                raise _scheduler_gone()
    finally:
        if pending and client.status == "running":
            with contextlib.suppress(OSError, TimeoutError):
                client.cancel([future for future, _ in pending.values()], force=True)
    return num_rejected, num_bytes


def _result_of(future: distributed.Future) -> dict[str, Any]:
    if future.status == "finished":
        result: dict[str, Any] = future.result()
        return result
    if future.status != "error":
        raise _scheduler_gone()
    error = future.exception()
    if isinstance(error, KilledWorker):
        raise StoreError(
            f"every worker that was given the same shards died, {error.allowed_failures + 1} in all",
            hint=f"see the workers' logs; most often their memory is too small (`dask worker --memory-limit`); {_CONTINUES}",
        )
    if isinstance(error, (ImportError, AttributeError)):
        raise StoreError("a worker has no hfrisk, or another version of it", hint=_SAME_VERSION)
    raise error
