"""Campaigns in a list, and one with its tweets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from socap_cli.campaigns.overview import CampaignTotals
from socap_cli.cli import tables
from socap_cli.cli.campaign_text import shortened, tweet_row, value_text
from socap_cli.cli.run import Run
from socap_cli.cli.wording import since
from socap_cli.model.cadence import Look
from socap_cli.model.campaign import Campaign, CampaignStatus, CampaignTweet, public_campaign
from socap_cli.model.kinds import shown_counters
from socap_cli.model.list_state import TweetState

COUNTERS = shown_counters()
LABELS = {
    "slug": "campaign", "status": "status", "starts_at": "starts", "ends_at": "ends", "threshold": "alerts from",
    "channels": "channels", "slack_webhook": "own webhook", "vips": "VIPs", "ignores": "ignored",
    "spacing_minutes": "spread over, minutes", "frequency_window_minutes": "again after, minutes",
    "client_name": "client", "client_email": "client's mail", "quiet_hours": "quiet hours", "digest": "digest",
    "cadence": "cadence", "stop_when_cold": "stops when cold",
    "last_cycle_at": "last cycle", "completed_at": "completed", "created_at": "created",
}  # fmt: skip
"""Fields of a campaign in the order and words of `campaign show`."""


def show_list(run: Run, rows: Sequence[CampaignTotals], *, now: datetime) -> None:
    """A row for each campaign."""
    if not rows:
        run.info("no campaign: socap campaign add SLUG --from FILE")
        return
    names = ("slug", "status", "tweets", "engagements", "important", "views", "alerts", "ends", "name")
    drop = ("name", "alerts", "views", "important", "ends", "engagements", "tweets")
    shown = (
        [
            row.campaign.slug, row.campaign.status.value, row.tweets, row.engagements, row.important, row.views,
            row.alerts_sent, _end(row.campaign, now), row.campaign.name,
        ]
        for row in rows
    )  # fmt: skip
    tables.show(tables.Columns(names, numbers=names[2:7], cut=("name",), drop=drop), shown, now=now)


def _end(campaign: Campaign, now: datetime) -> datetime | None:
    """When it ends or ended; nothing for one that was completed before its time."""
    early = campaign.status is CampaignStatus.COMPLETED and campaign.ends_at and campaign.ends_at > now
    return None if early else campaign.ends_at


def totals_row(row: CampaignTotals) -> dict[str, Any]:
    """A campaign with its totals, for a program."""
    totals = {
        name: getattr(row, name) for name in ("tweets", "engagements", "important", "views", "alerts_sent")
    }
    return {**public_campaign(row.campaign), **totals}


def watched_row(tweet: CampaignTweet, state: TweetState, look: Look | None) -> dict[str, Any]:
    """A tweet with its counters and its next look, for a program."""
    when = {"at": look.at, "lists": sorted(look.lists), "why": look.why} if look else None
    return {**tweet_row(tweet), "counters": dict(state.counters), "next_look": when}


def show_campaign(
    campaign: Campaign,
    tweets: Sequence[CampaignTweet],
    states: Mapping[str, TweetState],
    *,
    looks: Mapping[str, Look],
    now: datetime,
) -> None:
    """A campaign's settings, and a row for each tweet."""
    public = public_campaign(campaign)
    pairs = (
        (label, value_text(public[field]))
        for field, label in LABELS.items()
        if public[field] not in (None, ()) and public[field] is not False
    )
    tables.pairs(pairs, title=campaign.name)
    columns = ("tweet", "category", "author", "posted", *COUNTERS, "next look", "why", "text")
    tables.show(
        tables.Columns(
            columns,
            numbers=COUNTERS,
            cut=("text", "why"),
            drop=("text", "why", "posted", *reversed(COUNTERS), "next look", "category"),
        ),
        (
            [
                tweet.tweet_id,
                tweet.category.short,
                f"@{tweet.author_username}" if tweet.author_username else None,
                tweet.posted_at,
                *(states[tweet.tweet_id].counters.get(name) for name in COUNTERS),
                *_look_cells(looks.get(tweet.tweet_id), now),
                shortened(tweet.text) if tweet.text else None,
            ]
            for tweet in tweets
        ),
        now=now,
    )


def _look_cells(look: Look | None, now: datetime) -> tuple[str | None, str | None]:
    """When, and why then."""
    if look is None:
        return None, None
    return ("due" if look.at <= now else since(look.at, now)), look.why
