"""Campaigns at the same age."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from socap_cli.model.campaign import Campaign
from socap_cli.report.analytics import AtAge, at_ages
from socap_cli.report.series import bucket_for, readings, span_of, sum_series
from socap_cli.store import Db, campaigns, snapshots

AGES = (
    *(timedelta(minutes=minutes) for minutes in (1, 5, 15, 30)),
    *(timedelta(hours=hours) for hours in (1, 3, 6, 12, 24, 48, 72, 120, 168, 336, 720)),
)


@dataclass(frozen=True, slots=True)
class Compared:
    """One campaign's growth at some ages."""

    campaign: Campaign
    at: tuple[AtAge, ...]


def compare(db: Db, chosen: Sequence[Campaign]) -> tuple[Compared, ...]:
    """The growth of each campaign at the ages that at least one of them reached."""
    found = {campaign.slug: _growth(db, campaign) for campaign in chosen}
    reached = [age for age in AGES if any(_at(row.at, age) for row in found.values())]
    return tuple(
        Compared(row.campaign, tuple(one for one in row.at if one.age in reached)) for row in found.values()
    )


def _growth(db: Db, campaign: Campaign) -> Compared:
    shots = readings(snapshots.series(db, campaigns.tweet_ids_of(db, campaign.slug)))
    series = sum_series(shots, bucket=bucket_for(span_of(shots)))
    return Compared(campaign, at_ages(series.growth, campaign.starts_at, AGES))


def _at(rows: Sequence[AtAge], age: timedelta) -> Mapping[str, int] | None:
    return next((row.growth for row in rows if row.age == age), None)
