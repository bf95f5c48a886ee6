"""Engagements as rows of a page, and rows grouped by person. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from socap_cli.model.campaign import CampaignTweet
from socap_cli.model.engagement import Engagement
from socap_cli.model.labels import OTHERS
from socap_cli.model.links import engagement_url, profile_url
from socap_cli.report.values import EngagementRow, Person

LONGEST_TEXT = 280
LONGEST_NAME = 80


def cut(text: str, most: int) -> str:
    """The beginning of a text, with an ellipsis when that is not all of it; white space becomes one space."""
    plain = " ".join(text.split())
    return plain if len(plain) <= most else f"{plain[: most - 1].rstrip()}…"


def engagement_row(engagement: Engagement, tweet: CampaignTweet) -> EngagementRow:
    """An engagement as a row of the page."""
    profile = engagement.profile
    return EngagementRow(
        engagement_id=engagement.engagement_id,
        name=cut(profile.name, LONGEST_NAME) or profile.username,
        username=profile.username,
        user_id=profile.user_id,
        person_url=profile_url(profile),
        action_type=engagement.action_type,
        importance_score=engagement.importance.score,
        reasons=engagement.importance.reasons,
        categories=tuple(label for label in engagement.categories if label != OTHERS),
        organisations=tuple(getattr(engagement, "organisations", ())),
        followers=profile.followers,
        verified=profile.verified,
        bio=cut(profile.bio, LONGEST_TEXT),
        text=cut(engagement.text or "", LONGEST_TEXT),
        at=engagement.at,
        at_is_ours=engagement.engaged_at is None,
        backfill=engagement.backfill,
        url=engagement_url(engagement),
        tweet_id=engagement.tweet_id,
        tweet_author=tweet.author_username or "",
        tweet_category=tweet.category.short,
    )


def grouped(rows: Iterable[EngagementRow], *, since: datetime | None) -> tuple[Person, ...]:
    """Rows by account, the most important account first; `since` is from when an account is new."""
    found: dict[str, list[EngagementRow]] = {}
    for row in rows:
        found.setdefault(row.user_id, []).append(row)
    people = [_person(did, since) for did in found.values()]
    return tuple(sorted(people, key=lambda one: (-one.score, -one.latest.at.timestamp(), one.latest.user_id)))


def _person(rows: list[EngagementRow], since: datetime | None) -> Person:
    did = sorted(rows, key=lambda row: (row.at, row.engagement_id), reverse=True)
    best = max(did, key=lambda row: row.importance_score or 0.0)
    is_new = since is not None and all(not row.backfill and row.at > since for row in did)
    latest = did[0] if did[0].importance_score == best.importance_score else best
    return Person(latest, tuple(did), is_new)
