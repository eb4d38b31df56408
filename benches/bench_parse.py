"""One MUSE file to float32 (12, 5000), its metadata and its verified CRC-32."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from baselines import BestPython, parse_with_etree
from hfrisk import parse
from rounds import evict, read_into_memory

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


BEST = "best Python: readv, find, pybase64, NumPy; no metadata, no CRC"
ETREE = "xml.etree, base64, NumPy; with metadata and CRC"


def contenders(files: list[Path]) -> dict[str, Callable[[], object]]:
    """Whoever parses, one file after the other."""
    best = BestPython()
    for path in files:
        ours = parse(path)
        assert (ours.signal == parse_with_etree(path)[0]).all()
        assert (ours.signal == best.parse(path)).all()
        assert "crc_mismatch" not in ours.flags

    def stream(parse_one: Callable[[Path], object]) -> Callable[[], None]:
        # As one streams: a result is dropped when the next file is due, so nobody is timed on fresh memory for all the signals.
        def run() -> None:
            for path in files:
                parse_one(path)

        return run

    return {
        "hfrisk.parse, with metadata and CRC": stream(parse),
        BEST: stream(best.parse),
        "reading the file alone, as best Python does": stream(best.read),
        ETREE: stream(parse_with_etree),
    }


@pytest.mark.usefixtures("one_core")
def test_parse(corpus, compare):
    """Parse a MUSE file of 145 KB (one core)"""
    note = "Reading alone is what no parser of files can pass: the system's copy out of the page cache, called from Python."
    compare_parsers(compare, from_the_disk(corpus[:32]), num_warm=8, note=note)


@pytest.mark.usefixtures("one_core")
def test_parse_written(corpus, compare, tmp_path):
    """Parse a MUSE file of 145 KB that was just written (one core)"""
    for path in corpus[:32]:
        (tmp_path / path.name).write_bytes(path.read_bytes())
    note = "What is written lies in larger pieces of memory than what is read from the disk, and so the system copies it faster."
    compare_parsers(compare, sorted(tmp_path.iterdir()), num_warm=8, note=note)


@pytest.mark.usefixtures("one_core")
def test_parse_many(corpus, compare):
    """Parse a MUSE file of 145 KB that is in the page cache, but not in the processor's caches (one core)"""
    # All with a date, which the baseline cannot do without: more than 32 MB.
    files = from_the_disk([path for path in corpus if b"<AcquisitionDate>XX" not in path.read_bytes()])
    assert sum(path.stat().st_size for path in files) > 32 << 20
    compare_parsers(compare, files, rounds=9)


def compare_parsers(compare: Callable[..., dict[str, float]], files: list[Path], **how: object) -> None:
    """All of them on the same files, with the targets."""
    compare(contenders(files), items=len(files), unit="files", targets={BEST: 3, ETREE: 40}, **how)


def from_the_disk(files: list[Path]) -> list[Path]:
    """Files in the page cache, as reading them from the disk leaves them there."""
    evict(files)
    read_into_memory(files)
    return files
