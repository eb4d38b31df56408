"""The `ecgpack` codec for zarr-python, and a decoder of its chunks in NumPy alone that proves the README's specification."""

from __future__ import annotations

import asyncio
import math
import struct
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np
from zarr.abc.codec import ArrayBytesCodec

from hfrisk.errors import ConfigError, StoreError

try:
    from hfrisk import _core
except ImportError:  # Reading works without the compiled part, at NumPy's speed.
    _HAS_CORE = False
else:
    _HAS_CORE = True

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from zarr.core.array_spec import ArraySpec
    from zarr.core.buffer import Buffer, NDBuffer
    from zarr.core.common import JSON

NAME = "hfrisk.ecgpack"
"""The codec's name in zarr.json."""

_VERSION = 1
_HEADER = struct.Struct("<4sBBHII12f")
_BLOCK = 128
_LANES = 8
_MAX_ROWS = 255
_PACKED, _FLOATS = 0, 1
_EIGHT, _TWELVE = 8, 12


@dataclass(frozen=True)
class EcgPack(ArrayBytesCodec):
    """Array-to-bytes codec of float32 chunks whose last axis is time; made for (1, 12, T) in microvolts, lossless for every float32.

    Leading axes are flattened to at most 255 rows. Twelve rows that are ECG counts times a gain shrink to a tenth; all else is stored by
    zstd.
    """

    is_fixed_size = False

    @classmethod
    def from_dict(cls, data: dict[str, JSON]) -> Self:
        """Read the codec's entry in zarr.json.

        Raises:
            ConfigError: The chunks are of another version of the format.
        """
        configuration = data.get("configuration") or {}
        version = configuration.get("version", _VERSION) if isinstance(configuration, dict) else None
        if version != _VERSION:
            raise ConfigError(
                f"{NAME}: version {version!r} of the format", hint=f"this hfrisk reads version {_VERSION}; install a newer one"
            )
        return cls()

    def to_dict(self) -> dict[str, JSON]:
        """Write the codec's entry in zarr.json."""
        return {"name": NAME, "configuration": {"version": _VERSION}}

    def compute_encoded_size(self, _input_byte_length: int, _chunk_spec: ArraySpec) -> int:
        """Refuse, as codecs of variable size do."""
        raise NotImplementedError

    async def _decode_single(self, chunk_bytes: Buffer, chunk_spec: ArraySpec) -> NDBuffer:
        _check_chunk(chunk_spec)
        values = await asyncio.to_thread(_decode, chunk_bytes.to_bytes(), chunk_spec.shape)
        return chunk_spec.prototype.nd_buffer.from_numpy_array(values)

    async def _encode_single(self, chunk_array: NDBuffer, chunk_spec: ArraySpec) -> Buffer:
        _check_chunk(chunk_spec)
        chunk = await asyncio.to_thread(_encode, chunk_array.as_numpy_array())
        return chunk_spec.prototype.buffer.from_bytes(chunk)


def decode_with_numpy(chunk: bytes) -> NDArray[np.float32]:
    """Decode one chunk without the compiled part.

    Returns:
        Microvolts, (12, T), of a packed chunk; (rows, T) of a chunk of floats.

    Raises:
        StoreError: The chunk is damaged or of another version.
    """
    if len(chunk) < _HEADER.size or chunk[:4] != b"EPK\x01":
        raise _damaged("it does not begin like an ecgpack chunk of version 1")
    _, mode, num_rows, reserved, num_samples, checksum, *gains = _HEADER.unpack_from(chunk)
    if checksum != zlib.crc32(chunk[16:], zlib.crc32(chunk[:12])):
        raise _damaged("its checksum does not fit")
    body = chunk[_HEADER.size :]
    if mode == _FLOATS and num_rows and not reserved:
        return _decode_floats(body, num_rows, num_samples)
    if mode == _PACKED and num_rows in {_EIGHT, _TWELVE} and not reserved:
        counts = _decode_counts(body, num_rows, num_samples)
        return _scale(counts, np.array(gains[:num_rows], dtype=np.float32))
    raise _damaged("its header has a value that version 1 does not know")


def _decode_floats(frame: bytes, num_rows: int, num_samples: int) -> NDArray[np.float32]:
    """Undo zstd, then put the four byte planes together again."""
    from numcodecs.zstd import Zstd  # type: ignore[import-untyped]  # noqa: PLC0415 only chunks of floats need it

    try:
        planes = np.frombuffer(Zstd().decode(frame), dtype=np.uint8)
    except RuntimeError:
        raise _damaged("its zstd payload cannot be decompressed") from None
    if planes.size != 4 * num_rows * num_samples:
        raise _damaged("its zstd payload has another length than its header says")
    little_endian = np.ascontiguousarray(planes.reshape(4, -1).T).view("<f4")
    return little_endian.astype(np.float32, copy=False).reshape(num_rows, num_samples)


def _decode_counts(body: bytes, num_leads: int, num_samples: int) -> NDArray[np.int16]:
    """Unpack, undo the zigzag and sum up."""
    num_blocks = -(-num_samples // _BLOCK)
    num_widths = num_leads * num_blocks
    payload = body[-(-num_widths // 16) * 16 :]
    widths = np.frombuffer(body, np.uint8, count=num_widths).astype(np.int64) if len(body) >= num_widths else np.array([17])
    if widths.max(initial=0) > 16 or len(payload) != 16 * widths.sum():  # noqa: PLR2004 bits of a word
        raise _damaged("its widths do not fit its length")
    first = (np.cumsum(widths) - widths).reshape(num_leads, num_blocks)
    widths = widths.reshape(num_leads, num_blocks)
    words = np.concatenate([np.frombuffer(payload, "<u2").astype(np.int64), np.zeros(2 * _LANES, np.int64)])

    sample = np.arange(num_samples)
    block, row, lane = sample // _BLOCK, sample % _BLOCK // _LANES, sample % _LANES
    width = widths[:, block]
    bit = row * width
    word = (first[:, block] + bit // 16) * _LANES + lane
    value = ((words[word] | words[word + _LANES] << 16) >> bit % 16) & ((1 << width) - 1)
    difference = (value >> 1) ^ -(value & 1)
    return np.cumsum(difference, axis=1).astype(np.int16)


def _scale(counts: NDArray[np.int16], lsb_uv: NDArray[np.float32]) -> NDArray[np.float32]:
    """Apply the gains, and derive III, aVR, aVL and aVF where only eight leads are stored."""
    values: NDArray[np.float32] = counts.astype(np.float32) * lsb_uv[:, None]
    if len(counts) == _TWELVE:
        return values
    i, ii = values[:2]
    if lsb_uv[:1].view(np.uint32) == lsb_uv[1:2].view(np.uint32):
        x, y = counts[:2].astype(np.int32)
        lsb, half = lsb_uv[:1], lsb_uv[:1] * np.float32(0.5)
        sums = [(y - x, lsb), (-(x + y), half), (2 * x - y, half), (2 * y - x, half)]
        derived = [total.astype(np.float32) * gain for total, gain in sums]
    else:
        half = np.full(1, 0.5, np.float32)
        derived = [ii - i, (i + ii) * -half, i - ii * half, ii - i * half]
    return np.concatenate([values[:2], np.stack(derived), values[2:]])


def _decode(chunk: bytes, shape: tuple[int, ...]) -> NDArray[np.float32]:
    if not _HAS_CORE:
        values = decode_with_numpy(chunk)
        if values.size != math.prod(shape):
            raise _damaged(f"it holds {values.size} values, the array's chunks {math.prod(shape)}")
        return values.reshape(shape)
    out = np.empty(shape, dtype=np.float32)
    _core.ecgpack_decode(chunk, out)
    return out


def _encode(values: NDArray[np.float32]) -> bytes:
    if not _HAS_CORE:
        raise StoreError("ecgpack cannot write without hfrisk's compiled part", hint="install a wheel of hfrisk, or write with zstd")
    return _core.ecgpack_encode(np.ascontiguousarray(values, dtype=np.float32).reshape(-1, values.shape[-1]))


def _check_chunk(chunk_spec: ArraySpec) -> None:
    dtype = chunk_spec.dtype.to_native_dtype()
    if dtype.kind != "f" or dtype.itemsize != np.dtype(np.float32).itemsize:
        raise ConfigError(f"{NAME}: chunks of {dtype}", hint="it packs float32 only")
    shape = chunk_spec.shape
    if not shape or 0 in shape or math.prod(shape[:-1]) > _MAX_ROWS:
        raise ConfigError(
            f"{NAME}: chunks of shape {shape}", hint=f"it packs at most {_MAX_ROWS} rows of time a chunk, as in (1, 12, 5000)"
        )


def _damaged(reason: str) -> StoreError:
    return StoreError(f"an ecgpack chunk cannot be read: {reason}", hint="convert again; the file on disk is damaged")
