"""One 12-lead recording: beats in a rhythm, seen through a lead field, with noise, as counts of an electrocardiograph.

Only the eight independent leads are made; III, aVR, aVL and aVF follow from I and II, so the twelve agree by construction.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hfrisk.synthetic.body import MONTAGE, Noise, electrode_noise, lead_field
from hfrisk.synthetic.heart import Array, Bumps, Heart, atrial, ectopic, individual, qrs, repolarisation

LSB_UV = 4.88
"""µV a count, the gain of every GE cart seen."""
DURATION_S = 10
MEDIAN_S = 1.2
MEDIAN_QRS_ONSET_S = 0.438
"""Where QRS begins in the averaged beat: sample 219 at 500 Hz."""

Counts = np.ndarray[tuple[int, ...], np.dtype[np.int16]]
Flags = np.ndarray[tuple[int, ...], np.dtype[np.bool_]]


@dataclass(frozen=True, slots=True)
class Ecg:
    """One made-up recording.

    Attributes:
        rhythm: Counts (8, 10 s x rate), leads I II V1-V6.
        median: The average of the normal beats, counts (8, 1.2 s x rate).
        sampling_rate_hz: Of both.
        onsets_s: When each QRS begins, in s from the start of the recording.
        is_ectopic: Which of those beats are premature ventricular ones.
        heart: What made it.
    """

    rhythm: Counts
    median: Counts
    sampling_rate_hz: int
    onsets_s: Array
    is_ectopic: Flags
    heart: Heart


def make_ecg(
    heart: Heart, noise: Noise, rng: np.random.Generator, *, body: np.random.Generator | None = None, sampling_rate_hz: int = 500
) -> Ecg:
    """Record ten seconds of `heart`.

    Args:
        heart: Shape and timing of the beats.
        noise: What disturbs the recording.
        rng: Decides rhythm and noise.
        body: Decides lead field and details of the waves; a person's own stream, opened anew, gives all their recordings one body.
            None draws them from `rng`.
        sampling_rate_hz: 500, or 250 or 240 as older carts.
    """
    num_samples = DURATION_S * sampling_rate_hz if sampling_rate_hz != 240 else 2500
    duration = num_samples / sampling_rate_hz
    body = rng if body is None else body
    field = lead_field(body)
    onsets, is_ectopic = _rhythm(heart, rng, duration)
    beats = _breathing(onsets, rng)
    rr = np.diff(onsets, prepend=onsets[0] - np.float32(60 / heart.heart_rate_bpm))
    # QT follows the RR before it, less than Bazett would have it because the ventricle remembers.
    stretch = (np.clip(rr * heart.heart_rate_bpm / 60, 0.5, 1.6) ** 0.28).astype(np.float32)
    constant = np.ones_like(stretch)
    dipole = np.zeros((3, num_samples), np.float32)
    for bumps, scale in ((qrs(heart), constant), (repolarisation(heart), stretch), (atrial(heart), constant)):
        _draw(dipole, individual(bumps, body), beats, scale, ~is_ectopic, sampling_rate_hz)
    if is_ectopic.any():
        direction = rng.normal(0, 1, 3) * (0.8, 1.0, 0.7)
        direction /= np.linalg.norm(direction)
        _draw(dipole, ectopic(heart, direction.astype(np.float32)), beats, constant, is_ectopic, sampling_rate_hz)
    if heart.rhythm == "af":
        dipole += _fibrillation(rng, num_samples, sampling_rate_hz)
    microvolts = np.float32(1000) * (field @ dipole)
    microvolts += MONTAGE @ electrode_noise(rng, noise, num_samples, sampling_rate_hz)
    counts = np.rint(microvolts / np.float32(LSB_UV)).clip(-32768, 32767).astype(np.int16)
    return Ecg(counts, _average_beat(counts, onsets[~is_ectopic], sampling_rate_hz), sampling_rate_hz, onsets, is_ectopic, heart)


def twelve_leads(counts: Counts) -> Array:
    """Return µV (12, samples) in the canonical lead order from the counts of I II V1-V6."""
    one, two = counts[0].astype(np.float32), counts[1].astype(np.float32)
    limb = (one, two, two - one, -(one + two) / 2, one - two / 2, two - one / 2)
    return np.asarray(np.stack([*limb, *counts[2:].astype(np.float32)]) * np.float32(LSB_UV), np.float32)


def _rhythm(heart: Heart, rng: np.random.Generator, duration: float) -> tuple[Array, Flags]:
    """QRS onsets from before the start to the end, and which of them are ectopic."""
    mean = 60 / heart.heart_rate_bpm
    num = int(duration / mean * 1.6) + 6
    if heart.rhythm == "af":
        rr = np.maximum(mean * rng.lognormal(-0.5 * heart.rr_variation**2, heart.rr_variation, num), 0.34)
    else:
        beat = np.arange(num) * mean
        respiratory = np.sin(2 * np.pi * (rng.uniform(0.18, 0.34) * beat + rng.uniform()))
        slower = np.sin(2 * np.pi * (rng.uniform(0.05, 0.12) * beat + rng.uniform()))
        rr = mean * (1 + heart.rr_variation * (0.9 * respiratory + 0.7 * slower + 0.35 * rng.standard_normal(num)))
    is_ectopic = np.zeros(num, np.bool_)
    if heart.num_ectopic_beats:
        first = 2 + int(rng.integers(0, 3))
        every = max(2, int(duration / mean / heart.num_ectopic_beats))
        chosen = first + every * np.arange(heart.num_ectopic_beats)
        chosen = chosen[chosen < num - 1]
        is_ectopic[chosen] = True
        early = rng.uniform(0.52, 0.68)
        rr[chosen - 1] *= early
        rr[chosen] *= 2 - early
    onsets = np.concatenate([[0.0], np.cumsum(rr[:-1])]) - rng.uniform(0.1, mean)
    keep = onsets < duration + 0.3
    return onsets[keep].astype(np.float32), is_ectopic[keep]


@dataclass(frozen=True, slots=True)
class _Beats:
    """Of each beat: `onset` of QRS in s, and what breathing does to it: `size` as a factor and `tilt` of the heart in radians."""

    onset: Array
    size: Array
    tilt: Array


def _breathing(onsets: Array, rng: np.random.Generator) -> _Beats:
    phase = 2 * np.pi * (rng.uniform(0.18, 0.34) * onsets + rng.uniform())
    size = 1 + 0.05 * np.sin(phase) + rng.normal(0, 0.012, onsets.size)
    return _Beats(onsets, size.astype(np.float32), (0.045 * np.sin(phase + 0.7)).astype(np.float32))


def _draw(dipole: Array, bumps: Bumps, beats: _Beats, scale: Array, chosen: Flags, rate: int) -> None:  # noqa: PLR0917
    """Add a wave of the chosen beats to `dipole` (3, samples); `scale` (beats,) stretches its times."""
    if bumps.centre.size == 0 or not chosen.any():
        return
    onsets, scale = beats.onset[chosen], scale[chosen]
    size, tilt = beats.size[chosen, None, None], beats.tilt[chosen, None]
    reach = 3.6
    lead = float((bumps.centre - reach * bumps.rise).min() * scale.max())
    tail = float((bumps.centre + reach * bumps.fall).max() * scale.max())
    start = np.floor((onsets + min(lead, 0.0)) * rate).astype(np.int64)
    width = int((tail - min(lead, 0.0)) * rate) + 2
    # (beats, samples): time since QRS onset; the fraction of a sample is kept, so beats differ as real ones do
    time = ((start[:, None] + np.arange(width)) / np.float32(rate)).astype(np.float32) - onsets[:, None]
    offset = time[:, None, :] - (bumps.centre * scale[:, None])[:, :, None]
    spread = np.where(offset < 0, bumps.rise[:, None], bumps.fall[:, None]) * scale[:, None, None]
    shape = np.exp(np.float32(-0.5) * np.square(offset / spread)) * size
    waves = bumps.vector.T @ shape
    x = waves[:, 0] - tilt * waves[:, 1]
    waves[:, 1] += tilt * waves[:, 0]
    waves[:, 0] = x
    for beat, first in enumerate(start):
        low, high = max(int(first), 0), min(int(first) + width, dipole.shape[1])
        if low < high:
            dipole[:, low:high] += waves[beat, :, low - first : high - first]


def _fibrillation(rng: np.random.Generator, num_samples: int, rate: int) -> Array:
    """Fibrillatory waves (3, samples): a drifting 5-7.5 Hz with harmonics, largest towards V1."""
    time = np.arange(num_samples, dtype=np.float32) / np.float32(rate)
    base = rng.uniform(5.0, 7.5)
    wobble = rng.uniform(0.5, 1.5) * np.sin(2 * np.pi * rng.uniform(0.3, 0.9) * time + rng.uniform(0, 6.28))
    phase = 2 * np.pi * base * time + wobble.astype(np.float32)
    swell = 1 + 0.45 * np.sin(2 * np.pi * rng.uniform(0.2, 0.6) * time + np.float32(rng.uniform(0, 6.28)))
    wave = swell * (np.sin(phase) + 0.4 * np.sin(2 * phase + 0.6) + 0.2 * np.sin(3 * phase + 1.1))
    direction = np.array([[-0.12], [0.35], [-0.9]]) * rng.lognormal(np.log(0.045), 0.45)
    return np.asarray(direction * wave, np.float32)


def _average_beat(counts: Counts, onsets: Array, rate: int) -> Counts:
    """Average the normal beats that lie whole in the recording, on the baseline before QRS; (8, 1.2 s x rate)."""
    width = int(MEDIAN_S * rate)
    start = np.rint((onsets - MEDIAN_QRS_ONSET_S) * rate).astype(np.int64)
    whole = start[(start >= 0) & (start + width <= counts.shape[1])]
    if whole.size == 0:
        whole = np.array([max(0, (counts.shape[1] - width) // 2)])
    total = np.zeros((counts.shape[0], width), np.float32)
    for first in whole:
        total += counts[:, first : first + width]
    total /= np.float32(whole.size)
    onset = int(MEDIAN_QRS_ONSET_S * rate)
    total -= total[:, onset - rate // 50 : onset].mean(axis=1, keepdims=True)
    return np.rint(total).astype(np.int16)
