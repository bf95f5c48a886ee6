"""Add and change campaigns: verified at the provider, written so that a killed run can be repeated."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from socap_cli.campaigns.source import Line, Rejected, Wanted, sort_out
from socap_cli.client.lookup import fetch_tweets
from socap_cli.client.metered import MeteredClient
from socap_cli.client.recording import record_counters
from socap_cli.errors import SocapError, UsageError
from socap_cli.model import Campaign, CampaignStatus, CampaignTweet, Tweet
from socap_cli.model.links import tweet_url
from socap_cli.store import Db, alerts, campaigns, jobs, worker_state

SLUG = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")


@dataclass(frozen=True, slots=True)
class AddResult:
    slug: str
    tweets_added: int
    tweets_already_there: int
    rejected: tuple[Rejected, ...]
    added: tuple[str, ...] = ()


def check_slug(slug: str) -> str:
    if not SLUG.fullmatch(slug):
        raise UsageError(
            f"{slug!r} is no campaign slug",
            hint="use lower-case letters, digits, - and _, at most 63, no space",
        )
    return slug


def add(
    db: Db, campaign: Campaign, lines: Sequence[Line], *, client: MeteredClient | None, now: datetime
) -> AddResult:
    """Create a campaign with its tweets. The campaign itself is written last: killed before, `add` works again."""
    check_slug(campaign.slug)
    check_window(campaign)
    if campaigns.find(db, campaign.slug) is not None:
        raise _taken(campaign.slug)
    wanted, rejected = sort_out(lines)
    if lines and not wanted:
        raise _nothing_usable(rejected)
    result = _add_tweets(db, campaign.slug, wanted, rejected, client=client, now=now)
    if wanted and not result.tweets_added and not result.tweets_already_there:
        raise _nothing_usable(list(result.rejected))
    if not campaigns.insert(db, campaign):
        raise _taken(campaign.slug)
    return result


def add_tweets(
    db: Db, slug: str, lines: Sequence[Line], *, client: MeteredClient | None, now: datetime
) -> AddResult:
    """Add tweets to a campaign that exists."""
    find(db, slug)
    wanted, rejected = sort_out(lines)
    if not wanted:
        raise _nothing_usable(rejected)
    return _add_tweets(db, slug, wanted, rejected, client=client, now=now)


def find(db: Db, slug: str) -> Campaign:
    """The campaign of that slug. Raises SocapError that names what there is instead."""
    campaign = campaigns.find(db, slug)
    if campaign is None:
        known = [c.slug for c in campaigns.listed(db)]
        hint = f"there are: {', '.join(known[:8])}" if known else "there is none yet: socap campaign add"
        raise SocapError(f"no campaign {slug!r}", hint=hint)
    return campaign


def edit(db: Db, slug: str, changes: dict[str, Any]) -> Campaign:
    """Change a campaign's settings. A later end opens its window again."""
    campaign = find(db, slug)
    if "ends_at" in changes:
        changes = {**changes, "last_cycle_at": None}
    changed = replace(campaign, **changes)
    check_window(changed)
    return campaigns.update(db, campaign, changed) or find(db, slug)


def set_status(db: Db, slug: str, status: CampaignStatus, *, now: datetime) -> Campaign:
    """Pause, resume or complete. Only a campaign that is not completed can be paused or resumed."""
    campaign = find(db, slug)
    if campaign.status is CampaignStatus.COMPLETED and status is not CampaignStatus.COMPLETED:
        raise SocapError(
            f"campaign {slug!r} is completed",
            hint="give it a later end first: socap campaign edit SLUG --days N",
        )
    completed_at = now if status is CampaignStatus.COMPLETED else None
    changed = replace(campaign, status=status, completed_at=campaign.completed_at or completed_at)
    return campaigns.update(db, campaign, changed) or campaign


def delete(db: Db, slug: str) -> int:
    """Remove a campaign, its tweets and jobs; what was collected stays. Returns how many tweets it had."""
    find(db, slug)
    tweets = campaigns.count_tweets(db, slug)
    jobs.delete(db, slug)
    alerts.drop_campaign(db, slug)
    campaigns.delete(db, slug)
    return tweets


def remove_tweet(db: Db, slug: str, tweet_id: str) -> None:
    """Take a tweet out of a campaign, jobs first, so that a killed run can be repeated."""
    find(db, slug)
    if tweet_id not in campaigns.tweet_ids_of(db, slug):
        raise SocapError(f"tweet {tweet_id} is not in campaign {slug!r}", hint=f"socap campaign show {slug}")
    jobs.delete(db, slug, tweet_id)
    campaigns.remove_tweet(db, slug, tweet_id)


def check_window(campaign: Campaign) -> None:
    if campaign.ends_at is not None and campaign.ends_at <= campaign.starts_at:
        raise UsageError(
            f"the window ends at {campaign.ends_at:%Y-%m-%d %H:%M} before it starts",
            hint="check --start and --end",
        )


def _add_tweets(
    db: Db,
    slug: str,
    wanted: list[Wanted],
    rejected: list[Rejected],
    *,
    client: MeteredClient | None,
    now: datetime,
) -> AddResult:
    found: dict[str, Tweet] = {}
    if client is not None and wanted:
        found = fetch_tweets(client, [entry.tweet_id for entry in wanted], slug)
        gone = [entry for entry in wanted if entry.tweet_id not in found]
        reason = "the provider does not know this tweet: deleted, protected or mistyped"
        rejected = sorted(
            [*rejected, *(Rejected(e.line.number, e.line.text or e.url, reason) for e in gone)],
            key=lambda r: r.line,
        )
        wanted = [entry for entry in wanted if entry.tweet_id in found]
    tweets = [_tweet(slug, entry, found.get(entry.tweet_id), now) for entry in wanted]
    added = campaigns.add_tweets(db, tweets)
    if found:
        record_counters(db, worker_state.load(db, found), found, now=now)
    return AddResult(slug, added, len(tweets) - added, tuple(rejected), tuple(t.tweet_id for t in tweets))


def _tweet(slug: str, entry: Wanted, known: Tweet | None, now: datetime) -> CampaignTweet:
    author = known.author if known else None
    return CampaignTweet(
        campaign_id=slug,
        tweet_id=entry.tweet_id,
        category=entry.category,
        url=tweet_url(entry.tweet_id, author.username if author else None),
        added_at=now,
        author_username=author.username if author else None,
        author_name=author.name if author else None,
        text=known.text if known else None,
        posted_at=known.posted_at if known else None,
    )


def _taken(slug: str) -> SocapError:
    return SocapError(
        f"there is a campaign {slug!r} already",
        hint=f"add to it with: socap campaign add-tweets {slug}; change it with: socap campaign edit {slug}",
    )


def _nothing_usable(rejected: list[Rejected]) -> SocapError:
    if not rejected:
        return UsageError("no tweets named", hint="give --tweet URL or --from FILE")
    first = rejected[0]
    more = f" (and {len(rejected) - 1} more)" if len(rejected) > 1 else ""
    return SocapError(
        f"no usable tweet: line {first.line}: {first.reason}{more}", hint="no campaign was changed"
    )
