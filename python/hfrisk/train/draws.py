"""Random numbers that are a function of where they are used: (seed, step, place in the global batch), and nothing else.

So a resumed run draws what an undisturbed one draws, with nothing to save; two processes draw for their halves of a batch what one draws
for the whole; and no number depends on the device. The hash is a 32-bit finaliser (two multiplications between xor-shifts), written in
int32 with wrap-around, which GPUs compute fast and `torch.compile` fuses.
"""

from __future__ import annotations

import torch
from torch import Tensor

_MULTIPLIERS = (0x7FEB352D, 0x846CA68B - 2**32)
_WORD = 2**32
_GOLDEN = 0x9E3779B97F4A7C15
_MASK_64 = 2**64 - 1


def seed_of(*parts: int) -> int:
    """Hash integers to one of 63 bits, as for `torch.manual_seed`."""
    value = 0
    for part in parts:
        value = (value + part + _GOLDEN) & _MASK_64
        value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & _MASK_64
        value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & _MASK_64
        value ^= value >> 31
    return value >> 1


def key_of(*parts: int, device: torch.device) -> Tensor:
    """Make a key, int32 of no dimension, on the device; filled there, because a copy would wait for it."""
    value = seed_of(*parts) % _WORD
    return torch.full((), value - _WORD if value >= _WORD // 2 else value, dtype=torch.int32, device=device)


def uniform(key: Tensor, index_B: Tensor, num: int) -> Tensor:  # noqa: N803
    """Draw numbers from 0 to below 1 for each example.

    Args:
        key: As `key_of` gives it.
        index_B: Place of each example in the global batch, int32 (B,).
        num: Numbers for each.

    Returns:
        float32 (B, num), multiples of 2^-24.
    """
    place = index_B[:, None] * num + torch.arange(num, dtype=torch.int32, device=index_B.device)
    return ((hashed(key, place) >> 8) & 0xFFFFFF).float() * 2.0**-24


def normal(key: Tensor, place: Tensor) -> Tensor:
    """Draw one nearly normal number for each place, float32: the sum of the hash's four bytes, standardised; it stays within 3.5."""
    word = hashed(key, place)
    total = (word & 0xFF) + ((word >> 8) & 0xFF) + ((word >> 16) & 0xFF) + ((word >> 24) & 0xFF)
    return (total - 510).float() * (1 / 147.8)


def hashed(key: Tensor, place: Tensor) -> Tensor:
    """Mix places, int32 of any shape, with a key."""
    return _mixed(_mixed(place) + key)


def _mixed(x: Tensor) -> Tensor:
    x = x ^ ((x >> 16) & 0xFFFF)  # >> keeps the sign; the mask makes it logical
    x = x * _MULTIPLIERS[0]
    x = x ^ ((x >> 15) & 0x1FFFF)
    x = x * _MULTIPLIERS[1]
    return x ^ ((x >> 16) & 0xFFFF)
