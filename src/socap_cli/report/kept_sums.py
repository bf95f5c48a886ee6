"""Sums over everybody who engaged: computed once from columns, and kept until an engagement changes."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime
from functools import cache

from pydantic import TypeAdapter, ValidationError

from socap_cli import __version__
from socap_cli.model.campaign import Campaign, CampaignTweet
from socap_cli.model.list_state import TweetState
from socap_cli.report import figures
from socap_cli.report.analytics import DAY
from socap_cli.report.crowd import Crowd
from socap_cli.report.sums import Asked, CrowdSums, sums_of
from socap_cli.store import (
    Db,
    campaigns,
    engagement_columns,
    list_marks,
    report_sums,
    snapshots,
    worker_state,
)
from socap_cli.store.list_marks import Key, Watched


def crowd_sums(db: Db, asked: Asked, *, now: datetime) -> CrowdSums:
    """The sums as they are: those that are kept when nothing has changed since, else computed, and kept."""
    wanted = list_marks.marks(db, list(asked.category_of), now=now)
    key = _key(asked, wanted)
    known = _known(report_sums.find(db, asked.slug, key))
    if known is not None:
        return known
    found = sums_of(
        Crowd(engagement_columns.read(db, list(asked.category_of), now=now), asked.threshold), asked
    )
    if all(watched.is_settled for watched in wanted.values()):
        report_sums.keep(db, asked.slug, key, _adapter().dump_json(found))
    return found


def _key(asked: Asked, wanted: Mapping[Key, Watched]) -> str:
    parts = (__version__, asked, sorted((key, watched.mark) for key, watched in wanted.items()))
    return hashlib.sha256(repr(parts).encode("utf-8", "replace")).hexdigest()


def _known(content: bytes | None) -> CrowdSums | None:
    try:
        return _adapter().validate_json(content) if content else None
    except ValidationError:
        return None


@cache
def _adapter() -> TypeAdapter[CrowdSums]:
    return TypeAdapter(CrowdSums)


def as_of_states(states: Mapping[str, TweetState]) -> datetime | None:
    """The latest reading."""
    return max((state.checked_at for state in states.values() if state.checked_at), default=None)


def asked_of(
    campaign: Campaign,
    found: Mapping[str, CampaignTweet],
    first: datetime | None,
    as_of: datetime | None,
    rows: int,
) -> Asked:
    """What a campaign's sums depend on; `first` and `as_of` are its first and its latest reading."""
    return Asked(
        slug=campaign.slug,
        starts_at=campaign.starts_at,
        threshold=campaign.threshold,
        category_of={tweet_id: tweet.category.short for tweet_id, tweet in found.items()},
        since=as_of - DAY if as_of else None,
        moments=figures.grid_of(first, as_of),
        rows=rows,
    )


def keep_sums(db: Db, campaign: Campaign, *, rows: int, now: datetime) -> None:
    """Compute what a page says of a campaign's engagements now, so that a page need not."""
    found = {tweet.tweet_id: tweet for tweet in campaigns.tweets_of(db, campaign.slug)}
    states = worker_state.load(db, found)
    first = snapshots.first(db, list(found))
    crowd_sums(db, asked_of(campaign, found, first, as_of_states(states), rows), now=now)
