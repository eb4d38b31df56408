"""Philips Sierra ECG against the Python package that reads it."""

import numpy as np
import pytest

from conftest import SHARED
from hfrisk import parse


@pytest.mark.usefixtures("one_core")
def test_parse_sierra(compare):
    """Parse a Philips Sierra file, XLI decompression included (one core)"""
    sierraecg = pytest.importorskip("sierraecg")
    files = sorted(str(path) for path in (SHARED / "fixtures/sierra").glob("*.xml"))
    if not files:
        pytest.skip("no fixtures")
    for path in files:
        theirs = np.stack([lead.samples[:5000] for lead in sierraecg.read_file(path).leads]).astype(np.float32) * 5
        assert (parse(path).signal == theirs).all()

    compare(
        {
            "hfrisk.parse, with metadata": lambda: [parse(path) for path in files],
            "sierraecg: minidom, NumPy; no metadata": lambda: [sierraecg.read_file(path) for path in files],
        },
        items=len(files),
        unit="files",
        targets={"sierraecg: minidom, NumPy; no metadata": 20},
    )
