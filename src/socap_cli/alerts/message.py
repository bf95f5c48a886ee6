"""What an alert says, before any channel's own format."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from socap_cli.model import Campaign, CampaignTweet, Engagement, list_of
from socap_cli.model.links import engagement_url, tweet_url

MOST_LINES = 10


@dataclass(frozen=True, slots=True)
class Line:
    """One engagement: who, what they did, why they matter, and where to look."""

    who: str
    username: str
    verb: str
    score: float | None
    reasons: str
    categories: str
    followers: int | None
    text: str
    url: str
    tweet_label: str
    tweet_url: str


@dataclass(frozen=True, slots=True)
class Message:
    """A message for one receiver. `thread` groups a campaign's messages of a day."""

    message_id: str
    campaign_id: str
    campaign_name: str
    title: str
    lines: tuple[Line, ...]
    left_out: int
    repeated: bool
    thread: str


def compose(
    alert: Mapping[str, Any],
    engagements: Sequence[Engagement],
    campaign: Campaign,
    tweets: Mapping[str, CampaignTweet],
    *,
    repeated: bool = False,
) -> Message:
    """A message that tells these engagements, the most important first."""
    lines = [_line(e, tweets.get(e.tweet_id)) for e in engagements[:MOST_LINES]]
    return Message(
        message_id=str(alert["_id"]),
        campaign_id=campaign.slug,
        campaign_name=campaign.name,
        title=_title(
            lines,
            len(engagements),
            campaign,
            backfill=bool(alert.get("backfill")),
            vip=bool(alert.get("vip")),
        ),
        lines=tuple(lines),
        left_out=len(engagements) - len(lines),
        repeated=repeated,
        thread=f"{campaign.slug}-{alert['sealed_at']:%Y%m%d}",
    )


def _title(lines: Sequence[Line], count: int, campaign: Campaign, *, backfill: bool, vip: bool) -> str:
    if backfill:
        people = "person" if count == 1 else "people"
        return f"{campaign.name}: {count} important {people} had engaged before monitoring began"
    first = lines[0]
    who = f"{'VIP ' if vip else ''}{first.who} (@{first.username})"
    if count > 1:
        return f"{who} {first.verb} {count} times in {campaign.name}"
    return f"{who} {first.verb} {first.tweet_label}"


def _line(engagement: Engagement, tweet: CampaignTweet | None) -> Line:
    profile = engagement.profile
    author = tweet.author_username if tweet else None
    return Line(
        who=profile.name or f"@{profile.username}",
        username=profile.username,
        verb=list_of(engagement.action_type).verb,
        score=engagement.importance.score,
        reasons=", ".join(f"@{username}" for username, _ in engagement.importance.reasons),
        categories=", ".join(c.replace("_", " ") for c in engagement.categories if c != "others"),
        followers=profile.followers,
        text=(engagement.text or "")[:280],
        url=engagement_url(engagement),
        tweet_label=f"@{author}'s tweet" if author else "a tweet",
        tweet_url=tweet_url(engagement.tweet_id, author),
    )


def detail(line: Line) -> str:
    """Why a line is worth reading, in one phrase."""
    parts = []
    if line.score is not None:
        parts.append(f"importance {line.score:g}")
    if line.reasons:
        parts.append(f"followed by {line.reasons}")
    if line.followers is not None:
        parts.append(f"{line.followers:,} followers")
    if line.categories:
        parts.append(line.categories)
    return " · ".join(parts)
