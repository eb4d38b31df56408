"""The codec from Python: three decoders agree, every float32 survives, damage is noticed."""

import contextlib
import itertools
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from hfrisk import codec
from hfrisk.errors import ConfigError, HfriskError, StoreError

core = pytest.importorskip("hfrisk._core")

WAVEFORMS = Path(__file__).parents[2] / "shared" / "waveforms" / "cpsc60.npz"
INDEPENDENT = [0, 1, 6, 7, 8, 9, 10, 11]

counts_arrays = hnp.arrays(np.int16, st.tuples(st.just(8), st.integers(1, 300)), elements=st.integers(-(2**15), 2**15 - 1))
gains = st.sampled_from([4.88, 2.5, 5.0, 1.25, 4.8828125, -4.88, 0.1]) | st.floats(2.0**-40, 2.0**40, width=32)


def twelve(counts, lsb):
    """The definition of a recording's value, written down independently in float64 where that is exact."""
    lsb = np.float32(lsb)
    half = lsb * np.float32(0.5)
    i, ii = counts[0].astype(int), counts[1].astype(int)
    rows = [(i, lsb), (ii, lsb), (ii - i, lsb), (-(i + ii), half), (2 * i - ii, half), (2 * ii - i, half)]
    rows += [(lead.astype(int), lsb) for lead in counts[2:]]
    return np.stack([np.array([np.float32(value) * gain for value in row.tolist()], np.float32) for row, gain in rows])


def same_bits(a, b):
    return a.shape == b.shape and np.array_equal(a.view(np.uint32), b.view(np.uint32))


def decode_with_core(chunk, shape):
    out = np.full(shape, 7, np.float32)
    core.ecgpack_decode(chunk, out)
    return out


def walk(num_samples=5000, seed=0, num_leads=8):
    steps = np.random.default_rng(seed).integers(-9, 10, (num_leads, num_samples))
    return np.cumsum(steps, axis=1).astype(np.int16)


def decoders(chunk, shape):
    return [decode_with_core(chunk, shape), codec.decode_with_numpy(chunk)]


@given(counts_arrays, gains)
@settings(deadline=None, max_examples=60)
def test_any_counts_at_any_gain_come_back_from_both_decoders(counts, lsb):
    values = twelve(counts, lsb)
    assert all(same_bits(decoded, values) for decoded in decoders(core.ecgpack_encode(values), values.shape))


@given(hnp.arrays(np.uint32, st.tuples(st.integers(1, 14), st.integers(1, 80)), elements=st.integers(0, 2**32 - 1)))
@settings(deadline=None, max_examples=60)
def test_any_float32_pattern_comes_back_from_both_decoders(patterns):
    values = patterns.view(np.float32)
    assert all(same_bits(decoded, values) for decoded in decoders(core.ecgpack_encode(values), values.shape))


def test_special_values_among_counts_come_back():
    values = twelve(walk(), 4.88)
    values[3, :6] = [np.nan, np.inf, -np.inf, -0.0, 1e-45, np.array(0xFFC12345, np.uint32).view(np.float32)]
    chunk = core.ecgpack_encode(values)
    assert chunk[4] == 1
    assert all(same_bits(decoded, values) for decoded in decoders(chunk, values.shape))


def test_two_gains_in_the_limb_leads_come_back_from_both_decoders():
    counts = walk().astype(np.float32)
    lsb = np.array([4.88, 2.5, 5, 5, 5, 5, 5, 1], np.float32)
    values = np.empty((12, counts.shape[1]), np.float32)
    values[INDEPENDENT] = counts * lsb[:, None]
    i, ii = values[:2]
    half = np.float32(0.5)
    values[2:6] = ii - i, (i + ii) * -half, i - ii * half, ii - i * half
    chunk = core.ecgpack_encode(values)
    assert (chunk[4], chunk[5]) == (0, 8)
    assert all(same_bits(decoded, values) for decoded in decoders(chunk, values.shape))


def test_twelve_leads_that_do_not_follow_from_eight_come_back():
    values = walk(num_leads=12).astype(np.float32) * np.float32(4.88)
    chunk = core.ecgpack_encode(values)
    assert (chunk[4], chunk[5]) == (0, 12)
    assert all(same_bits(decoded, values) for decoded in decoders(chunk, values.shape))


def test_a_chunk_written_by_hand_from_the_specification_is_read_by_both_decoders():
    # Lead I rises by 3 a sample, so every difference is 3, its zigzag 6, its width 3; the seven other leads are flat.
    num_samples, width, zigzag = 128, 3, 6
    stream = sum(zigzag << (row * width) for row in range(16))
    words = [(stream >> (16 * word)) & 0xFFFF for word in range(width)]
    payload = b"".join(struct.pack("<H", word) * 8 for word in words)
    head = b"EPK\x01" + struct.pack("<BBHI", 0, 8, 0, num_samples)
    rest = struct.pack("<12f", *[2.0] * 8, *[0.0] * 4) + bytes([width] + [0] * 15) + payload
    chunk = head + struct.pack("<I", zlib.crc32(head + rest)) + rest
    values = twelve(np.stack([np.arange(3, 387, 3)] + [np.zeros(128)] * 7).astype(np.int16), 2.0)
    assert all(same_bits(decoded, values) for decoded in decoders(chunk, values.shape))
    assert core.ecgpack_encode(twelve(np.stack([np.arange(128) ** 2 % 50] * 8).astype(np.int16), 2.0))[:12] == head


@given(st.data())
@settings(deadline=None, max_examples=100)
def test_a_flipped_bit_anywhere_is_an_error_for_both_decoders(data):
    values = twelve(walk(200), 4.88)
    chunk = bytearray(core.ecgpack_encode(values))
    chunk[data.draw(st.integers(0, len(chunk) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(HfriskError):
        decode_with_core(bytes(chunk), values.shape)
    with pytest.raises(HfriskError):
        codec.decode_with_numpy(bytes(chunk))


@given(st.binary(max_size=300))
@settings(deadline=None)
def test_arbitrary_bytes_under_a_valid_checksum_are_refused_or_read_but_never_crash(body):
    head = b"EPK\x01" + (body + bytes(8))[:8]
    chunk = head + struct.pack("<I", zlib.crc32(head + body)) + body
    for decode in (lambda: decode_with_core(chunk, (12, 1)), lambda: codec.decode_with_numpy(chunk)):
        with contextlib.suppress(StoreError):
            decode()


@pytest.mark.skipif(not WAVEFORMS.exists(), reason="the real recordings are not here")
def test_real_recordings_take_at_most_26_kilobytes():
    counts = np.load(WAVEFORMS)["adc"]
    sizes = [len(core.ecgpack_encode(twelve(recording, 4.88))) for recording in counts[:10]]
    assert np.mean(sizes) <= 26_000


def make_array(shape, chunks, dtype="float32", **kwargs):
    return zarr.create_array(
        zarr.storage.MemoryStore(), shape=shape, chunks=chunks, dtype=dtype, serializer=codec.EcgPack(), compressors=None, **kwargs
    )


def test_a_stock_zarr_array_in_shards_comes_back():
    values = np.stack([twelve(walk(seed=seed), 4.88) for seed in range(5)])
    array = make_array((8, 12, 5000), (1, 12, 5000), shards=(4, 12, 5000), fill_value=np.nan)
    array[:5] = values
    zarr.registry.register_codec(codec.NAME, codec.EcgPack)  # as the entry point does in an installed hfrisk
    again = zarr.open_array(array.store)
    assert same_bits(again[:5], values)
    assert np.isnan(again[5:]).all()


def test_zarr_json_names_the_codec_and_its_version():
    array = make_array((1, 12, 100), (1, 12, 100))
    assert array.metadata.to_dict()["codecs"] == ({"name": "hfrisk.ecgpack", "configuration": {"version": 1}},)


def test_other_shapes_come_back_too():
    values = np.random.default_rng(0).normal(size=(4, 3, 7, 50)).astype(np.float32)
    array = make_array(values.shape, (2, 3, 7, 25))
    array[:] = values
    assert same_bits(array[:], values)


def test_chunks_of_too_many_rows_or_of_float64_are_refused_by_name():
    with pytest.raises(ConfigError, match="shape"):
        make_array((300, 12, 5), (300, 12, 5))[:] = 1.0
    with pytest.raises(ConfigError, match="float64"):
        make_array((1, 12, 5), (1, 12, 5), dtype="float64")[:] = 1.0


@pytest.mark.parametrize("num_rows", [0, 256])
def test_the_compiled_part_refuses_a_number_of_rows_that_no_chunk_holds(num_rows):
    ecgpack_encode = pytest.importorskip("hfrisk._core").ecgpack_encode
    with pytest.raises(ValueError, match=f"{num_rows} rows, expected 1 to 255"):
        ecgpack_encode(np.zeros((num_rows, 10), np.float32))


def test_another_version_of_the_format_is_refused():
    with pytest.raises(ConfigError, match="version 2"):
        codec.EcgPack.from_dict({"name": "hfrisk.ecgpack", "configuration": {"version": 2}})


def test_without_the_compiled_part_zarr_still_reads_and_writing_says_why_not(monkeypatch):
    values = twelve(walk(), 4.88)[None]
    array = make_array(values.shape, values.shape)
    array[:] = values
    monkeypatch.setattr(codec, "_HAS_CORE", False)
    assert same_bits(array[:], values)
    with pytest.raises(StoreError, match="compiled part"):
        array[:] = values


def test_every_width_is_read_by_both_decoders():
    counts = np.zeros((8, 17 * 128), np.int16)
    for width, lead in itertools.product(range(17), range(8)):
        low, high = -(1 << (width - 1)) if width else 0, (1 << (width - 1)) - 1 if width else 0
        steps = np.random.default_rng(width * 8 + lead).integers(low, high + 1, 128)
        counts[lead, width * 128 : (width + 1) * 128] = steps
    differences = np.cumsum(counts.astype(np.int64), axis=1).astype(np.int16)
    values = twelve(differences, 4.88)
    chunk = core.ecgpack_encode(values)
    assert list(chunk[64 : 64 + 17]) == list(range(17))
    assert all(same_bits(decoded, values) for decoded in decoders(chunk, values.shape))
