"""The decoder made of tensor operations against the compiled one and the one of NumPy, bit for bit."""

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hfrisk import codec
from hfrisk._core import ecgpack_decode
from hfrisk.batches.unpack import counts_to_microvolts, unpack_counts, unpack_microvolts

WAVEFORMS = Path(__file__).parents[2] / "shared" / "waveforms" / "cpsc60.npz"


def chunk_of(counts, lsb_uv):
    """Pack counts (8 or 12, T) as the README says, by Python's integers: the lanes of a block are streams of bits."""
    num_leads, num_samples = counts.shape
    differences = np.diff(counts.astype(int), axis=1, prepend=0).astype(np.int16).astype(int)
    zigzag = np.where(differences < 0, -2 * differences - 1, 2 * differences)
    zigzag = np.pad(zigzag, ((0, 0), (0, -num_samples % 128)))
    widths, payload = [], b""
    for block in zigzag.reshape(-1, 16, 8).tolist():
        width = max(value for row in block for value in row).bit_length()
        streams = [sum(row[lane] << (number * width) for number, row in enumerate(block)) for lane in range(8)]
        widths.append(width)
        payload += b"".join(struct.pack("<H", stream >> (16 * word) & 0xFFFF) for word in range(width) for stream in streams)
    head = b"EPK\x01" + struct.pack("<BBHI", 0, num_leads, 0, num_samples)
    gains = struct.pack("<12f", *lsb_uv.tolist(), *[0.0] * (12 - num_leads))
    rest = gains + bytes(widths) + bytes(-len(widths) % 16) + payload
    return head + struct.pack("<I", zlib.crc32(rest, zlib.crc32(head))) + rest


def on_device(chunks):
    """The vectors of chunks laid one after the other, and where each begins."""
    sizes = [len(chunk) // 16 for chunk in chunks]
    first = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    words = np.frombuffer(b"".join(chunks) + bytes(2 * 16), np.int16).reshape(-1, 8)
    return torch.from_numpy(words.copy()), torch.from_numpy(first)


def same_bits(found, expected):
    return found.shape == expected.shape and np.array_equal(found.numpy().view(np.uint32), np.ascontiguousarray(expected).view(np.uint32))


def walk(seed, num_leads, num_samples, width=6):
    """Counts whose differences fill `width` bits after zigzag."""
    half = (1 << width) // 2
    steps = np.random.default_rng(seed).integers(-half, max(half, 1), (num_leads, num_samples))
    return np.cumsum(steps, axis=1).astype(np.int16)


@given(
    seed=st.integers(0, 1000),
    num_samples=st.integers(1, 700),
    widths=st.lists(st.integers(0, 16), min_size=1, max_size=4),
    lsb=st.sampled_from([4.88, 2.5, -10.0, 0.152587890625]),
)
@settings(deadline=None, max_examples=40)
def test_any_length_and_width_decodes_like_numpy(seed, num_samples, widths, lsb):
    lsb_uv = np.full(8, lsb, np.float32)
    chunks = [chunk_of(walk(seed + number, 8, num_samples, width), lsb_uv) for number, width in enumerate(widths)]
    vectors, first = on_device(chunks)
    found = unpack_microvolts(vectors, first, num_leads=8, num_samples=num_samples)
    assert same_bits(found, np.stack([codec.decode_with_numpy(chunk) for chunk in chunks]))


@pytest.mark.parametrize("width", range(17))
def test_every_width_decodes_like_the_compiled_decoder(width):
    chunk = chunk_of(walk(width, 8, 5000, width), np.full(8, 4.88, np.float32))
    expected = np.empty((1, 12, 5000), np.float32)
    ecgpack_decode(chunk, expected[0])
    assert same_bits(unpack_microvolts(*on_device([chunk]), num_leads=8, num_samples=5000), expected)


def test_twelve_stored_leads_decode():
    lsb_uv = np.full(12, 4.88, np.float32)
    chunks = [chunk_of(walk(seed, 12, 777), lsb_uv) for seed in range(3)]
    expected = np.stack([codec.decode_with_numpy(chunk) for chunk in chunks])
    assert same_bits(unpack_microvolts(*on_device(chunks), num_leads=12, num_samples=777), expected)


def test_two_gains_in_the_limb_leads_are_scaled_before_they_are_summed():
    lsb_uv = np.array([4.88, 2.5, 5, 5, 5, 5, 5, 1], np.float32)
    chunks = [chunk_of(walk(1, 8, 500, 9), lsb_uv), chunk_of(walk(2, 8, 500, 9), np.full(8, 4.88, np.float32))]
    expected = np.stack([codec.decode_with_numpy(chunk) for chunk in chunks])
    assert same_bits(unpack_microvolts(*on_device(chunks), num_leads=8, num_samples=500), expected)


def test_recordings_may_be_drawn_in_any_order_and_repeatedly():
    chunks = [chunk_of(walk(seed, 8, 300), np.full(8, 2.5, np.float32)) for seed in range(4)]
    vectors, first = on_device(chunks)
    found = unpack_microvolts(vectors, first[[3, 1, 3, 0]], num_leads=8, num_samples=300)
    assert same_bits(found, np.stack([codec.decode_with_numpy(chunks[number]) for number in (3, 1, 3, 0)]))


def test_counts_wrap_at_sixteen_bits():
    counts = np.tile(np.array([32767, -32768, 32767, 0], np.int16), (8, 50))
    vectors, first = on_device([chunk_of(counts, np.ones(8, np.float32))])
    assert np.array_equal(unpack_counts(vectors, first, num_leads=8, num_samples=200)[0].numpy(), counts)


def test_int16_counts_are_scaled_as_the_codec_does():
    counts = np.stack([walk(seed, 8, 400, 12) for seed in range(2)])
    lsb_uv = np.stack([np.full(8, 4.88, np.float32), np.linspace(1, 5, 8).astype(np.float32)])
    found = counts_to_microvolts(torch.from_numpy(counts), torch.from_numpy(lsb_uv))
    assert same_bits(found, np.stack([codec._scale(*pair) for pair in zip(counts, lsb_uv, strict=True)]))


def test_the_decoder_compiles_without_a_graph_break_to_the_same_bits():
    chunks = [chunk_of(walk(seed, 8, 1000), np.full(8, 4.88, np.float32)) for seed in range(3)]
    vectors, first = on_device(chunks)
    compiled = torch.compile(unpack_microvolts, backend="aot_eager", fullgraph=True)
    for drawn in (first, first[:2]):
        eager = unpack_microvolts(vectors, drawn, num_leads=8, num_samples=1000)
        assert torch.equal(compiled(vectors, drawn, num_leads=8, num_samples=1000), eager)


@pytest.mark.skipif(not WAVEFORMS.exists(), reason="the real recordings are not here")
def test_real_recordings_decode_to_the_same_bits():
    counts = np.load(WAVEFORMS)["adc"][:20]
    chunks = [chunk_of(recording, np.full(8, 4.88, np.float32)) for recording in counts]
    expected = np.empty((len(chunks), 12, 5000), np.float32)
    for chunk, slot in zip(chunks, expected, strict=True):
        ecgpack_decode(chunk, slot)
    assert same_bits(unpack_microvolts(*on_device(chunks), num_leads=8, num_samples=5000), expected)
