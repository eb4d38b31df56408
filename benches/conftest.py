"""The corpus that the benches run on, and the fixture that compares."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from hfrisk import parse
from hfrisk.convert import convert
from hfrisk.synthetic import make_hospital
from rounds import interleaved

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

SHARD_ROWS = 512
SHARED = Path(__file__).parents[2] / "shared"


@pytest.fixture(scope="session")
def corpus(tmp_path_factory) -> list[Path]:
    """512 MUSE files of 10 s at 500 Hz, about 145 KB each, in the page cache."""
    out = tmp_path_factory.mktemp("hospital")
    make_hospital(out, num_patients=330, seed=7)
    found = sorted((out / "datasets/ECG-Registry/1.0.0/1.MAIN").rglob("*.xml"))
    whole = [path for path in found if is_plain(path)]
    assert len(whole) >= 512
    return whole[:512]


def is_plain(path: Path) -> bool:
    """Whether a file is a ten-second recording at 500 Hz without defects, so that every baseline can read it."""
    text = path.read_bytes()
    if text.count(b"<Waveform>") != 2 or b"<SampleBase>500<" not in text:
        return False
    try:
        return not set(parse(path).flags) - {"noise_marked", "lead_off"}
    except Exception as error:  # noqa: BLE001  a defect of the synthetic hospital: named, not silent
        print(f"not in the corpus: {path.name}: {error}")
        return False


@pytest.fixture(scope="session")
def counts() -> np.ndarray:
    """Real ten-second recordings as int16 counts (n, 8, 5000) of 4.88 µV; made-up ones where the real ones are not at hand."""
    real = SHARED / "waveforms" / "cpsc60.npz"
    if real.exists():
        return np.load(real)["adc"]
    rng = np.random.default_rng(0)
    return np.cumsum(rng.integers(-6, 7, (60, 8, 5000)), axis=2).astype(np.int16)


@pytest.fixture(scope="session")
def large_corpus(corpus, tmp_path_factory) -> list[Path]:
    """2 048 names for the same 512 files: four shards."""
    folder = tmp_path_factory.mktemp("links")
    links = [folder / f"{copy}_{path.name}" for copy in range(4) for path in corpus]
    for number, link in enumerate(links):
        link.hardlink_to(corpus[number % len(corpus)])
    return links


@pytest.fixture(scope="session")
def stores(large_corpus, tmp_path_factory) -> dict[str, Path]:
    """2 048 recordings as one store a codec."""
    made = {}
    for codec in ("ecgpack", "zstd", "none"):
        made[codec] = tmp_path_factory.mktemp("store") / codec
        convert([str(path) for path in large_corpus], made[codec], codec=codec)
    return made


def linked(store: Path, out: Path, *, num_shards: int) -> Path:
    """A store of many shards whose files are links to those of `store`, in turn; row r reads like row r modulo the rows of `store`."""
    for path in (store / "ecg.zarr").rglob("zarr.json"):
        target = out / path.relative_to(store)
        target.parent.mkdir(parents=True, exist_ok=True)
        found = json.loads(path.read_text(encoding="utf-8"))
        if "shape" in found:
            found["shape"][0] = num_shards * SHARD_ROWS
        target.write_text(json.dumps(found), encoding="utf-8")
    shards = sorted((store / "ecg.zarr/signals/c").glob("*/0/0"), key=lambda path: int(path.parts[-3]))
    for number in range(num_shards):
        link = out / f"ecg.zarr/signals/c/{number}/0/0"
        link.parent.mkdir(parents=True)
        link.hardlink_to(shards[number % len(shards)])
    for name in ("records.parquet", "checksums.txt"):  # of the first shards: nothing here reads them
        shutil.copy(store / name, out)
    return out


@pytest.fixture(scope="session")
def large_stores(stores, tmp_path_factory) -> dict[str, Path]:
    """102 400 rows in 200 shards a codec."""
    return {codec: linked(path, tmp_path_factory.mktemp("large") / codec, num_shards=200) for codec, path in stores.items()}


@pytest.fixture
def one_core() -> Iterator[None]:
    """Pin this process, and so every contender, to one core."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    yield
    # Threads that libraries began meanwhile have inherited the one core, and would crowd on it in the benches that follow.
    for task in Path("/proc/self/task").iterdir():
        with contextlib.suppress(ProcessLookupError):
            os.sched_setaffinity(int(task.name), before)


@pytest.fixture
def compare(benchmark, request) -> Callable[..., dict[str, float]]:
    """Time contenders in interleaved rounds and record their medians for RESULTS.md."""

    def run(
        contenders: Mapping[str, Callable[[], object]],
        *,
        items: int | Mapping[str, int],
        unit: str,
        targets: Mapping[str, float] | None = None,
        rounds: int = 15,
        before: Callable[[], object] | None = None,
        num_warm: int = 0,
        note: str | None = None,
    ) -> dict[str, float]:
        medians = interleaved(contenders, rounds=rounds, before=before, num_warm=num_warm)
        benchmark.extra_info.update(
            title=(request.node.function.__doc__ or request.node.name).strip().splitlines()[0],
            unit=unit,
            items={name: items if isinstance(items, int) else items[name] for name in contenders},
            rounds=rounds,
            medians=medians,
            targets=dict(targets or {}),
            notes=[note] if note else [],
        )
        benchmark.pedantic(next(iter(contenders.values())), setup=before, rounds=3, warmup_rounds=0)
        return medians

    return run
