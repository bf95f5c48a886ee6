"""When the tweets of each campaign are looked at next, in a line. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from socap_cli.model.cadence import Cadence


@dataclass(frozen=True, slots=True)
class LookSummary:
    """A campaign's looks."""

    campaign: str
    cadence: str
    tweets: int
    due: int
    """Tweets whose look is due now."""
    next_at: datetime | None
    """The first look that is not due yet; None when all are, or there is no tweet."""
    why: str
    """Why then."""
    last_at: datetime | None
    """By when every tweet will have been looked at."""

    @property
    def is_adaptive(self) -> bool:
        """Whether looks come when they pay."""
        return self.cadence == Cadence.ADAPTIVE
