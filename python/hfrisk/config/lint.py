"""`[lint]`: what the leakage lint lets pass."""

from __future__ import annotations

from dataclasses import dataclass

from hfrisk.errors import ConfigError


@dataclass(frozen=True, kw_only=True, slots=True)
class LintConfig:
    """What the leakage lint lets pass, and why. Both are recorded in lint.json and so in the report."""

    allow: tuple[str, ...] = ()
    """Names of checks that may fail without stopping the training; see `hfrisk lint`."""
    reason: str = ""
    """Why they may."""
    max_covariate_auroc: float = 0.95
    """A covariate that alone tells the outcome better than this is the outcome."""
    max_permuted_auroc: float = 0.6
    """What shuffled labels may teach, at most."""

    def __post_init__(self) -> None:
        """Refuse an exception without a reason."""
        if self.allow and not self.reason.strip():
            raise ConfigError(
                "`lint.allow` names checks, and `lint.reason` is empty", hint="say why they may fail; the report will show it"
            )
