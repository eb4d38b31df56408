"""The decoder of packed chunks as tensor operations, for any device and for `torch.compile`; bit-equal to the compiled decoder.

Chunks are multiples of 16 bytes, so memory full of them is a tensor of vectors of eight 16-bit words. Rows of eight values of a block
begin in one such vector and end in it or in the next: a row is two gathers of whole vectors, two shifts and a mask. There is no loop over
blocks, and what is allocated grows with the batch, not with the set. The README describes the format byte by byte.

Shape suffixes: V vectors, W the 8 words of a vector, B batch, L lead, N block of a lead, R row of a block, T time.
"""
# ruff: noqa: N803, N806

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor

VECTOR_BYTES = 16
HEADER_VECTORS = 4
"""Vectors of a chunk before its widths: mark, mode, leads, samples, checksum and gains."""
SPARE_VECTORS = 2
"""Vectors past the last chunk that may be read, and whose bits are never used."""

_BLOCK = 128
_ROWS = 16
_EIGHT, _TWELVE = 8, 12


def unpack_microvolts(vectors_VW: Tensor, first_B: Tensor, *, num_leads: int, num_samples: int) -> Tensor:
    """Decode packed chunks to microvolts.

    Args:
        vectors_VW: Chunks one after the other and two vectors more, int16 (V, 8).
        first_B: The first vector of each wanted chunk, int64 (B,).
        num_leads: Leads that all of them store, 8 or 12.
        num_samples: Samples that all of them have a lead.

    Returns:
        float32 (B, 12, T).
    """
    gains_BVW = vectors_VW[first_B[:, None] + torch.arange(1, HEADER_VECTORS, device=first_B.device)]
    lsb_uv_BL = gains_BVW.reshape(-1, 24).view(torch.float32)[:, :num_leads]
    return counts_to_microvolts(unpack_counts(vectors_VW, first_B, num_leads=num_leads, num_samples=num_samples), lsb_uv_BL)


def unpack_counts(vectors_VW: Tensor, first_B: Tensor, *, num_leads: int, num_samples: int) -> Tensor:
    """Decode packed chunks to the counts of their stored leads; arguments as of `unpack_microvolts`.

    Returns:
        int32 (B, L, T) with values of 16 bits.
    """
    device = first_B.device
    num_blocks = -(-num_samples // _BLOCK)
    num_widths = num_leads * num_blocks
    num_width_vectors = -(-num_widths // VECTOR_BYTES)
    width_words_BVW = vectors_VW[first_B[:, None] + torch.arange(HEADER_VECTORS, HEADER_VECTORS + num_width_vectors, device=device)]
    widths_B = width_words_BVW.reshape(-1, 8 * num_width_vectors).view(torch.uint8)[:, :num_widths].to(torch.int32)
    ends_B = torch.cumsum(widths_B, dim=1, dtype=torch.int32)
    starts_BLN = (ends_B - widths_B).reshape(-1, num_leads, num_blocks)
    width_BLN = widths_B.reshape(-1, num_leads, num_blocks)

    bit_BLNR = width_BLN[..., None] * torch.arange(_ROWS, device=device, dtype=torch.int32)
    payload_B = first_B + (HEADER_VECTORS + num_width_vectors)
    vector_BLNR = payload_B[:, None, None, None] + (starts_BLN[..., None] + (bit_BLNR >> 4))
    # A row that does not reach into the next vector gets bits of it all the same; the mask takes them away.
    low = vectors_VW[vector_BLNR].to(torch.int32) & 0xFFFF
    high = vectors_VW[vector_BLNR + 1].to(torch.int32) << 16
    mask_BLN = (1 << width_BLN) - 1
    value = ((low | high) >> (bit_BLNR & 15)[..., None]) & mask_BLN[..., None, None]

    difference_BLT = ((value >> 1) ^ -(value & 1)).reshape(-1, num_leads, num_blocks * _BLOCK)[..., :num_samples]
    counts_BLT = torch.cumsum(difference_BLT, dim=-1, dtype=torch.int32)
    return ((counts_BLT + 0x8000) & 0xFFFF) - 0x8000


def counts_to_microvolts(counts_BLT: Tensor, lsb_uv_BL: Tensor) -> Tensor:
    """Scale counts, and derive III, aVR, aVL and aVF where eight leads are stored.

    Args:
        counts_BLT: Counts of I II V1-V6 or of all twelve leads, integers (B, L, T).
        lsb_uv_BL: Microvolts a count, float32 (B, L).

    Returns:
        float32 (B, 12, T), bit for bit what `hfrisk.codec` and the compiled decoder give.
    """
    values_BLT = counts_BLT.to(torch.float32) * lsb_uv_BL[..., None]
    if counts_BLT.shape[1] == _TWELVE:
        return values_BLT
    x, y = counts_BLT[:, 0].to(torch.int32), counts_BLT[:, 1].to(torch.int32)
    lsb = lsb_uv_BL[:, 0, None]
    half = lsb * 0.5
    # With one gain: integer sums, which are exact, times the gain.
    of_counts = [(y - x).to(torch.float32) * lsb] + [total.to(torch.float32) * half for total in (-(x + y), 2 * x - y, 2 * y - x)]
    # With two gains: float32 operations one by one. A product in float64 is exact, so that no compiler can spare its rounding to float32 by
    # fusing it with the sum that follows.
    x_uv, y_uv = (
        (counts.to(torch.float64) * lsb_uv_BL[:, lead, None].to(torch.float64)).to(torch.float32) for lead, counts in enumerate((x, y))
    )
    of_values = [y_uv - x_uv, (x_uv + y_uv) * -0.5, x_uv - y_uv * 0.5, y_uv - x_uv * 0.5]
    bits = lsb_uv_BL.contiguous().view(torch.int32)
    have_one_gain = (bits[:, 0] == bits[:, 1])[:, None]
    derived = [torch.where(have_one_gain, a, b) for a, b in zip(of_counts, of_values, strict=True)]
    return torch.cat([values_BLT[:, :2], torch.stack(derived, dim=1), values_BLT[:, 2:]], dim=1)
