"""`[augment]`: how a training recording is changed each time it is seen."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from hfrisk.errors import ConfigError

_RECORDING_S = 10.0
_MIN_CROP_S = 1.0


@dataclass(frozen=True, kw_only=True, slots=True)
class AugmentConfig:
    """How a training recording is changed each time it is seen; 0 switches a change off.

    All of it is physically possible: III, aVR, aVL and aVF still follow from I and II afterwards.
    """

    time_shift_s: float = 0.0
    """The recording is shifted by up to so much, either way; the gap holds the value at its edge."""
    crop_s: float = 0.0
    """Training sees a window of this length somewhere in the ten seconds; validation and prediction see all ten."""
    amplitude: float = 0.0
    """All leads are scaled by one factor between 1 / (1 + amplitude) and 1 + amplitude."""
    lead_dropout: float = 0.0
    """Chance that a chest lead is silent, each by itself; the six limb leads are silent together, because they share their electrodes."""
    wander_uv: float = 0.0
    """Largest amplitude of baseline wander: a sine of 0.05 to 0.5 Hz, its size and phase different in I, II and V1-V6."""
    noise_uv: float = 0.0
    """Standard deviation of white noise, independent in I, II and V1-V6."""

    def __post_init__(self) -> None:
        """Refuse changes that leave no recording."""
        for name, value in asdict(self).items():
            if value < 0:
                raise ConfigError(f"`augment.{name}` is {value}, expected 0 or more", hint="0 switches it off")
        if self.lead_dropout >= 1 or self.time_shift_s >= _RECORDING_S:
            raise ConfigError(
                f"`augment`: lead_dropout {self.lead_dropout}, time_shift_s {self.time_shift_s} leave nothing of a recording",
                hint="lead_dropout is below 1, time_shift_s below 10",
            )
        if self.crop_s and not _MIN_CROP_S <= self.crop_s <= _RECORDING_S:
            raise ConfigError(f"`augment.crop_s` is {self.crop_s}", hint="0 for the whole recording, or from 1 to 10 seconds")

    @property
    def is_on(self) -> bool:
        """Whether anything is changed at all."""
        return any(asdict(self).values())
