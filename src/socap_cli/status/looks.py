"""When the tweets of each campaign are looked at next, in a line."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from socap_cli.client.looks import LookPolicy, next_looks
from socap_cli.model import Campaign
from socap_cli.store import Db


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


def summarized(db: Db, campaign: Campaign, policy: LookPolicy, *, now: datetime) -> LookSummary:
    """What the campaign's cadence means to do."""
    looks = sorted(next_looks(db, campaign, policy, now=now).values(), key=lambda look: look.at)
    later = [look for look in looks if look.at > now]
    return LookSummary(
        campaign.slug,
        policy.cadence_of(campaign).value,
        tweets=len(looks),
        due=len(looks) - len(later),
        next_at=later[0].at if later else None,
        why=later[0].why if later else "",
        last_at=looks[-1].at if looks else None,
    )
