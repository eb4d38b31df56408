"""One MUSE file to float32 (12, 5000), its metadata and its verified CRC-32."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from baselines import BestPython, parse_with_etree
from hfrisk import parse

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


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

    def stream(parse_one: Callable[[Path], object]) -> None:
        # As one streams: a result is dropped when the next file is due, so nobody is timed on fresh memory for 32 signals.
        for path in files:
            parse_one(path)

    compare(
        {
            "hfrisk.parse, with metadata and CRC": lambda: stream(parse),
            "best Python: readv, find, pybase64, NumPy; no metadata, no CRC": lambda: stream(best.parse),
            # Not the last: it would leave the files in the processor's caches for hfrisk, whose turn is next.
            "reading the file alone, as best Python does": lambda: stream(best.read),
            "xml.etree, base64, NumPy; with metadata and CRC": lambda: stream(parse_with_etree),
        },
        items=len(files),
        unit="files",
        warm=True,
        targets={
            "best Python: readv, find, pybase64, NumPy; no metadata, no CRC": 3,
            "xml.etree, base64, NumPy; with metadata and CRC": 40,
        },
        note="Reading alone is what no parser of files can pass: the system's copy out of the page cache, called from Python.",
    )
