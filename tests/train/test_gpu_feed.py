"""The bench of the feed runs on a CPU and names what it measured."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import torch

import hfrisk
import muse_xml
from hfrisk.batches.feed import CountFeed
from hfrisk.batches.packed import PackedSet
from hfrisk.convert import convert

CPU = torch.device("cpu")
PATH = Path(__file__).parents[2] / "benches" / "gpu_feed.py"


@pytest.fixture(scope="module")
def bench():
    spec = importlib.util.spec_from_file_location("gpu_feed", PATH)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_bench_of_the_feed_runs_small_on_a_cpu(bench):
    page = bench.main(["--device", "cpu", "--encoders", "seed_cnn", "--batch-size", "2", "--steps", "1", "--rounds", "1"])
    row = next(line for line in page.splitlines() if line.startswith("| seed_cnn"))
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells[2] == "14,369"
    assert all(float(cells[number].replace(",", "")) > 0 for number in (4, 5, 6))
    assert float(cells[7].split()[0]) == pytest.approx(float(cells[6].replace(",", "")) / float(cells[4].replace(",", "")), abs=0.2)
    assert float(cells[9].split("%")[0]) >= 0
    assert "CPU" in page
    assert "TFLOP/s in a matrix product" in page


@pytest.mark.parametrize("is_resident", [False, True])
def test_what_the_bench_times_as_decoding_makes_the_signals_of_a_batch(bench, tmp_path, is_resident):
    (tmp_path / "xml").mkdir()
    for row in range(3):
        (tmp_path / "xml" / f"{row}.xml").write_bytes(muse_xml.muse_xml(muse_xml.random_leads(row)))
    convert(tmp_path / "xml", tmp_path / "out")
    store, rows = hfrisk.open(tmp_path / "out", num_threads=1), np.array([2, 0])
    source = PackedSet.load(store, rows, CPU) if is_resident else CountFeed(store)
    assert np.array_equal(bench.decoding(source, rows, CPU)().numpy(), store.read(rows))
