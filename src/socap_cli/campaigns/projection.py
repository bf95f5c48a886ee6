"""Whether a budget lasts: today, and until campaigns end. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from socap_cli.campaigns.estimate import Estimate
from socap_cli.config import Budget
from socap_cli.model.cadence import HOUR

DAY_HOURS = 24.0


@dataclass(frozen=True, slots=True)
class CampaignProjection:
    """What a campaign cost, and will have cost."""

    campaign: str
    spent: float
    today: float
    """Credits at the end of the day."""
    whole: float
    """At its end."""
    ends_at: datetime
    end_is_assumed: bool


@dataclass(frozen=True, slots=True)
class Projection:
    """What all of them cost today, and whether it fits."""

    spent_today: float
    today: float
    """Credits at midnight UTC."""
    campaigns: tuple[CampaignProjection, ...]
    warnings: tuple[str, ...] = ()


def project(
    estimates: Mapping[str, Estimate],
    spent_today: Mapping[str, float],
    budget: Budget,
    *,
    now: datetime,
    endless: Iterable[str] = (),
) -> Projection:
    """What the day and the campaigns will have cost; `endless` ones do not even stop by themselves."""
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    rows = tuple(
        CampaignProjection(
            slug,
            found.spent,
            spent_today.get(slug, 0.0) + found.chosen.day.likely * _part(found, now, midnight),
            found.chosen.whole.likely,
            found.ends_at,
            found.end_is_assumed,
        )
        for slug, found in estimates.items()
    )
    spent = sum(spent_today.values())
    today = spent + sum(row.today - spent_today.get(row.campaign, 0.0) for row in rows)
    warnings = (
        *_of_the_day(spent, today, budget, now, midnight),
        *(
            f"{slug} has no end: it costs until somebody ends it; --end, or --stop-when-cold"
            for slug in endless
        ),
        *_of_campaigns(rows, budget, now),
    )
    return Projection(spent, today, rows, warnings)


def _part(found: Estimate, now: datetime, midnight: datetime) -> float:
    """Which part of the next 24 hours' cost falls into today."""
    lasts = min(DAY_HOURS, max(0.0, (found.ends_at - now) / HOUR))
    return min(1.0, (midnight - now) / HOUR / lasts) if lasts else 0.0


def _of_the_day(
    spent: float, today: float, budget: Budget, now: datetime, midnight: datetime
) -> Iterator[str]:
    for limit, then in ((budget.day_hard, "nothing is read"), (budget.day_soft, "only counters are read")):
        if limit and today > limit and today > spent:
            at = now + (midnight - now) * max(0.0, (limit - spent) / (today - spent))
            yield f"today will cost about {today:,.0f} credits: from about {at:%H:%M}Z on {then} ({limit:,.0f})"


def _of_campaigns(rows: tuple[CampaignProjection, ...], budget: Budget, now: datetime) -> Iterator[str]:
    own, day = budget.campaign_hard or budget.campaign_soft, budget.day_hard or budget.day_soft
    for row in rows:
        if own and row.today > own:
            yield f"{row.campaign} will cost about {row.today:,.0f} credits today, more than its {own:,.0f}"
    left = sum(max(0.0, row.whole - row.spent) for row in rows)
    lasts = max((row.ends_at - now for row in rows), default=timedelta())
    days = max(1.0, lasts / timedelta(days=1))
    if day and left > day * days:
        yield (
            f"until the last of them ends, the campaigns will cost about {left:,.0f} credits more; the budget "
            f"allows {day * days:,.0f} in {days:.1f} days"
        )
