"""What an alert says, before any channel's own format."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from socap_cli.model import Campaign, CampaignTweet

VERBS = {"retweet": "retweeted", "reply": "replied to", "quote": "quoted"}
MOST_LINES = 10
HANDLE = re.compile(r"[A-Za-z0-9_]{1,15}")


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
    when: datetime | None


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
    engagements: Sequence[Mapping[str, Any]],
    campaign: Campaign,
    tweets: Mapping[str, CampaignTweet],
    *,
    repeated: bool = False,
) -> Message:
    """A message that tells these engagements, the most important first."""
    lines = [_line(e, tweets.get(e["tweet_id"])) for e in engagements[:MOST_LINES]]
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


def _line(engagement: Mapping[str, Any], tweet: CampaignTweet | None) -> Line:
    username = engagement["username"]
    home = (
        f"https://x.com/{username}"
        if HANDLE.fullmatch(username)
        else f"https://x.com/i/user/{engagement['user_id']}"
    )
    author = tweet.author_username if tweet else None
    tweet_url = tweet.url if tweet else f"https://x.com/i/status/{engagement['tweet_id']}"
    is_post = engagement["action_type"] != "retweet"
    reasons = engagement.get("importance_reasons") or []
    return Line(
        who=engagement["name"] or f"@{username}",
        username=username,
        verb=VERBS[engagement["action_type"]],
        score=engagement["importance_score"],
        reasons=", ".join(f"@{r['username']}" for r in reasons),
        categories=", ".join(c.replace("_", " ") for c in engagement["categories"] if c != "others"),
        followers=engagement.get("followers"),
        text=(engagement.get("text") or "")[:280],
        url=f"https://x.com/i/status/{engagement['source_id']}" if is_post else home,
        tweet_label=f"@{author}'s tweet" if author else "a tweet",
        tweet_url=tweet_url,
        when=engagement.get("engaged_at") or engagement.get("first_seen_at"),
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
