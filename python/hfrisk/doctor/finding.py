"""One thing that was looked at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Finding:
    """What was looked at, and how it is.

    Attributes:
        subject: What was looked at, in a word or two.
        status: `ok`; `warning`, it works but is not as it should be; `error`, a command will fail.
        detail: How it is, in one sentence.
        hint: What to do; always there where the status is not `ok`.
    """

    subject: str
    status: Literal["ok", "warning", "error"]
    detail: str
    hint: str = ""

    def __post_init__(self) -> None:
        """A problem without a way out is of no use."""
        assert self.status == "ok" or self.hint, "a problem needs a hint"  # noqa: S101
