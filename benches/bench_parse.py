"""One MUSE file to float32 (12, 5000), its metadata and its verified CRC-32."""

import pytest

from baselines import BestPython, parse_with_etree
from hfrisk import parse


@pytest.mark.usefixtures("one_core")
def test_parse(corpus, compare):
    """Parse a MUSE file of 145 KB (one core)"""
    files = corpus[:32]
    best = BestPython()
    for path in files:
        ours = parse(path)
        assert (ours.signal == parse_with_etree(path)[0]).all()
        assert (ours.signal == best.parse(path)).all()
        assert "crc_mismatch" not in ours.flags

    compare(
        {
            "hfrisk.parse, with metadata and CRC": lambda: [parse(path) for path in files],
            "best Python: readv, find, pybase64, NumPy; no metadata, no CRC": lambda: [best.parse(path) for path in files],
            "xml.etree, base64, NumPy; with metadata and CRC": lambda: [parse_with_etree(path) for path in files],
        },
        items=len(files),
        unit="files",
        targets={
            "best Python: readv, find, pybase64, NumPy; no metadata, no CRC": 3,
            "xml.etree, base64, NumPy; with metadata and CRC": 40,
        },
    )
