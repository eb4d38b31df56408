"""The codecs on real ECG: encoding, decoding and size."""

import numpy as np
import pytest
from numcodecs import Blosc, Zstd

from baselines import twelve_leads
from hfrisk._core import ecgpack_decode, ecgpack_encode

LSB_UV = 4.88


@pytest.fixture(scope="module")
def signals(counts) -> np.ndarray:
    """Float32 (n, 12, 5000) in microvolts."""
    return np.stack([twelve_leads(record, LSB_UV) for record in counts])


ZSTD = Zstd(level=3)
BLOSC = Blosc(cname="zstd", clevel=5, shuffle=Blosc.BITSHUFFLE)


@pytest.mark.usefixtures("one_core")
def test_encode(signals, counts, compare, benchmark):
    """Encode one recording (one core); from float32, so ecgpack first recovers the counts"""
    sizes = {
        "ecgpack": sum(len(ecgpack_encode(signal)) for signal in signals) / len(signals),
        "zstd": sum(len(ZSTD.encode(signal)) for signal in signals) / len(signals),
        "blosc": sum(len(BLOSC.encode(record)) for record in counts) / len(counts),
    }
    compare(
        {
            "ecgpack": lambda: [ecgpack_encode(signal) for signal in signals],
            "zstd level 3 of float32": lambda: [ZSTD.encode(signal) for signal in signals],
            "blosc (bit shuffle, zstd) of int16 counts": lambda: [BLOSC.encode(record) for record in counts],
        },
        items=len(signals),
        unit="recordings",
        rounds=7,
    )
    benchmark.extra_info["notes"] = [
        (
            f"Bytes a recording: ecgpack {sizes['ecgpack']:,.0f} (target at most 26,000), zstd level 3 of float32 {sizes['zstd']:,.0f}, "
            f"blosc of int16 counts {sizes['blosc']:,.0f}, float32 240,000."
        ),
    ]
    assert sizes["ecgpack"] <= 26_000


@pytest.mark.usefixtures("one_core")
def test_decode(signals, counts, compare):
    """Decode one recording (one core)"""
    packed = [ecgpack_encode(signal) for signal in signals]
    zipped = [ZSTD.encode(signal) for signal in signals]
    shuffled = [BLOSC.encode(record) for record in counts]
    out, counts_out = np.empty((12, 5000), np.float32), np.empty((8, 5000), np.int16)
    for signal, chunk, other in zip(signals, packed, zipped, strict=True):
        ecgpack_decode(chunk, out)
        assert np.array_equal(out, signal)
        ZSTD.decode(other, out)
        assert np.array_equal(out, signal)
    compare(
        {
            "ecgpack to float32 (12, 5000)": lambda: [ecgpack_decode(chunk, out) for chunk in packed],
            "zstd level 3 to float32 (12, 5000)": lambda: [ZSTD.decode(chunk, out) for chunk in zipped],
            "blosc (bit shuffle, zstd) to int16 (8, 5000)": lambda: [BLOSC.decode(chunk, counts_out) for chunk in shuffled],
        },
        items=len(packed),
        unit="recordings",
    )
