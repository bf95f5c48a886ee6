"""What the cadence of a campaign means to do, for people."""

from __future__ import annotations

from datetime import datetime

from socap_cli.client.looks import LookPolicy, next_looks
from socap_cli.model.campaign import Campaign
from socap_cli.model.look_summary import LookSummary
from socap_cli.store import Db


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
