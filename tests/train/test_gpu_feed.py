"""The bench of the feed runs on a CPU and names what it measured."""

import importlib.util
from pathlib import Path

import pytest

PATH = Path(__file__).parents[2] / "benches" / "gpu_feed.py"


def test_the_bench_of_the_feed_runs_small_on_a_cpu():
    spec = importlib.util.spec_from_file_location("gpu_feed", PATH)
    bench = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(bench)
    page = bench.main(["--device", "cpu", "--encoders", "seed_cnn", "--batch-size", "2", "--steps", "1", "--rounds", "1"])
    row = next(line for line in page.splitlines() if line.startswith("| seed_cnn"))
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells[2] == "14,369"
    assert all(float(cells[number].replace(",", "")) > 0 for number in (4, 5, 6))
    assert float(cells[7].split()[0]) == pytest.approx(float(cells[6].replace(",", "")) / float(cells[4].replace(",", "")), abs=0.2)
    assert "CPU" in page
    assert "TFLOP/s in a matrix product" in page
