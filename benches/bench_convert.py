"""A folder of XML to a store."""

import shutil

import numpy as np
import pytest
import zarr

import hfrisk
from baselines import convert_with_etree_and_zarr
from hfrisk.convert import convert

BASELINE = "xml.etree + zarr-python with its default compression"


@pytest.mark.usefixtures("one_core")
def test_convert(corpus, compare, tmp_path):
    """Convert a folder of MUSE files of 145 KB to a store (one core, warm page cache)"""
    sources = [str(path) for path in corpus]
    few = corpus[:48]
    out = tmp_path / "store"

    def ours(codec: str) -> None:
        shutil.rmtree(out, ignore_errors=True)
        convert(sources, out, codec=codec, num_threads=1)

    contenders = {f"hfrisk-convert, {codec}": (lambda codec=codec: ours(codec)) for codec in ("ecgpack", "zstd", "none")}
    contenders[BASELINE] = lambda: convert_with_etree_and_zarr(few, tmp_path / "baseline.zarr")
    compare(
        contenders,
        items={name: len(few) if name == BASELINE else len(sources) for name in contenders},
        unit="files",
        targets={BASELINE: 25},
        rounds=7,
    )
    ours("ecgpack")
    assert np.array_equal(hfrisk.open(out).read(range(len(few))), zarr.open_array(str(tmp_path / "baseline.zarr"), mode="r")[:])


def test_convert_with_two_threads(large_corpus, compare, tmp_path):
    """Convert four shards with two threads against one"""
    sources = [str(path) for path in large_corpus]

    def run(threads: int) -> None:
        shutil.rmtree(tmp_path / "store", ignore_errors=True)
        convert(sources, tmp_path / "store", codec="ecgpack", num_threads=threads)

    compare(
        {"two threads": lambda: run(2), "one thread": lambda: run(1)},
        items=len(sources),
        unit="files",
        targets={"one thread": 1.8},
        rounds=7,
    )
    assert len(hfrisk.open(tmp_path / "store")) == len(sources)
