"""From the heart's dipole to electrodes on a body: the lead field, and what else electrodes pick up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from hfrisk.synthetic.heart import Array

INDEPENDENT_LEADS = ("I", "II", "V1", "V2", "V3", "V4", "V5", "V6")
ELECTRODES = ("RA", "LA", "LL", "V1", "V2", "V3", "V4", "V5", "V6")

# Dower's matrix: leads I, II, V1-V6 from the dipole (x left, y feet, z back).
DOWER = np.array(
    [
        [0.632, -0.235, 0.059],
        [0.235, 1.066, -0.132],
        [-0.515, 0.157, -0.917],
        [0.044, 0.164, -1.387],
        [0.882, 0.098, -1.277],
        [1.213, 0.127, -0.601],
        [1.125, 0.127, -0.086],
        [0.831, 0.076, 0.230],
    ],
    np.float32,
)

# Each lead as a difference of electrodes; the chest leads are against Wilson's terminal, the mean of the limbs.
MONTAGE = np.array(
    [
        [-1, 1, 0, 0, 0, 0, 0, 0, 0],
        [-1, 0, 1, 0, 0, 0, 0, 0, 0],
        *([-1 / 3, -1 / 3, -1 / 3, *(float(chest == index) for index in range(6))] for chest in range(6)),
    ],
    np.float32,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Noise:
    """What disturbs a recording, in µV at the electrodes."""

    wander_uv: float = 20.0
    """Slow drift with breathing and movement."""
    mains_uv: float = 1.5
    """60 Hz, as Korea's mains."""
    muscle_uv: float = 4.0
    """Broad-band activity of muscles, root mean square."""
    num_bursts: int = 0
    """Short episodes of tense muscles."""


def lead_field(rng: np.random.Generator) -> Array:
    """One body's lead field (8, 3): Dower's, with the spread of chest shapes and electrode positions."""
    field: Array = DOWER.copy()
    field[2:] *= rng.normal(1, 0.10, (6, 1)).astype(np.float32)
    field[2:] += rng.normal(0, 0.06, (6, 3)).astype(np.float32)
    field[:2] += rng.normal(0, 0.03, (2, 3)).astype(np.float32)
    # Chest electrodes sit a rib too high or low, all six together.
    field[2:, 1] += np.float32(rng.normal(0, 0.10))
    return field


def electrode_noise(rng: np.random.Generator, noise: Noise, num_samples: int, rate_hz: float) -> Array:
    """Return noise in µV at the nine electrodes (9, num_samples)."""
    num = len(ELECTRODES)
    time = np.arange(num_samples, dtype=np.float32) / np.float32(rate_hz)
    uneven = rng.lognormal(0, 0.45, (num, 1)).astype(np.float32)  # one electrode is always worse than the others
    # Muscle: white noise through a short low-pass, louder in bursts.
    white = rng.standard_normal((num, num_samples + 2), dtype=np.float32)
    smooth = np.float32(0.34) * white[:, :-2] + np.float32(0.82) * white[:, 1:-1] + np.float32(0.34) * white[:, 2:]
    loudness = np.full((num, num_samples), noise.muscle_uv, np.float32) * uneven
    for _ in range(noise.num_bursts):
        where, centre, width = int(rng.integers(0, 3)), rng.uniform(0, time[-1]), rng.uniform(0.3, 1.2)
        loudness[where] *= 1 + np.float32(rng.uniform(2, 6)) * np.exp(-0.5 * ((time - np.float32(centre)) / np.float32(width)) ** 2)
    smooth *= loudness
    # Mains: one phase for the room, an amplitude for each electrode.
    mains = np.sin(2 * np.pi * 60 * time + np.float32(rng.uniform(0, 2 * np.pi))).astype(np.float32)
    smooth += (noise.mains_uv * rng.exponential(1, (num, 1))).astype(np.float32) * mains
    # Wander: breathing and two slower drifts, slow enough to be drawn at 20 Hz and interpolated.
    slow = np.arange(0, num_samples / rate_hz + 0.05, 0.05)
    frequency = np.array([rng.uniform(0.18, 0.34), rng.uniform(0.08, 0.2), rng.uniform(0.03, 0.08)])
    phase = rng.uniform(0, 2 * np.pi, (num, 3, 1)) * np.array([0.15, 1, 1])[:, None]
    size = rng.lognormal(0, 0.5, (num, 3, 1)) * noise.wander_uv * np.array([0.8, 0.7, 1.0])[:, None]
    drift = (size * np.sin(2 * np.pi * frequency[:, None] * slow + phase)).sum(axis=1)
    index = np.minimum((time * 20).astype(np.int64), slow.size - 2)
    share = time * np.float32(20) - index
    low = drift[:, index].astype(np.float32)
    smooth += low + (drift[:, index + 1].astype(np.float32) - low) * share
    return np.asarray(smooth, np.float32)
