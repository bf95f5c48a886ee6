"""Make a campaign what its file says: planned first, then carried out; the same file twice changes nothing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from socap_cli.campaigns import adding, register, removal, windows
from socap_cli.campaigns.adding import Accepted, Verifier
from socap_cli.campaigns.document import Difference, Document, clearing, differences
from socap_cli.campaigns.settings import cleared, read_settings
from socap_cli.campaigns.source import Rejected, Wanted, sort_out
from socap_cli.config import Alerts
from socap_cli.errors import UsageError
from socap_cli.model.campaign import Campaign, CampaignTweet, TweetCategory
from socap_cli.store import Db, campaigns


@dataclass(frozen=True, slots=True)
class Recategorized:
    """A tweet that is in the campaign under another category."""

    tweet_id: str
    before: TweetCategory
    after: TweetCategory


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done so that a campaign is what its file says."""

    before: Campaign | None
    after: Campaign
    changes: tuple[Difference, ...]
    new: tuple[Wanted, ...]
    recategorized: tuple[Recategorized, ...]
    removed: tuple[CampaignTweet, ...]
    rejected: tuple[Rejected, ...]
    warnings: tuple[str, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether the campaign is what the file says already."""
        return self.before is not None and not (
            self.changes or self.new or self.recategorized or self.removed
        )


@dataclass(frozen=True, slots=True)
class ApplyResult:
    """What was done."""

    accepted: tuple[Accepted, ...]
    rejected: tuple[Rejected, ...]


def plan(db: Db, document: Document, alerts: Alerts, *, now: datetime) -> Plan:
    """Compare a file with what is stored. What the file does not name stays as it is.

    Tweets that the file does not list are taken out when it lists any, but not while a line of it cannot be read:
    that line may name one of them. Raises UsageError.
    """
    if not document.slug:
        raise UsageError("the file names no campaign", hint='begin it with: slug = "launch"')
    before = campaigns.find(db, document.slug)
    if before is None and campaigns.exists(db, document.slug):
        register.find(db, document.slug)
    after = _wanted_settings(document.slug, document, before, alerts, now)
    wanted, rejected = sort_out(document.lines)
    there = {tweet.tweet_id: tweet for tweet in campaigns.tweets_of(db, document.slug)}
    listed = {entry.tweet_id for entry in wanted}
    missing = [tweet for tweet in there.values() if document.lists_tweets and tweet.tweet_id not in listed]
    kept = missing if rejected else []
    return Plan(
        before,
        after,
        changes=tuple(differences(before, after)),
        new=tuple(entry for entry in wanted if entry.tweet_id not in there),
        recategorized=tuple(
            Recategorized(entry.tweet_id, known.category, entry.category)
            for entry in wanted
            if (known := there.get(entry.tweet_id)) and known.category is not entry.category
        ),
        removed=tuple(tweet for tweet in missing if tweet not in kept),
        rejected=tuple(rejected),
        warnings=(f"{len(kept)} not in the file stay until every line of it can be read",) if kept else (),
    )


def _wanted_settings(
    slug: str, document: Document, before: Campaign | None, alerts: Alerts, now: datetime
) -> Campaign:
    """The campaign with the settings that the file names. Raises UsageError."""
    given, empty = clearing(document.given)
    values = read_settings(given, start=before.starts_at if before else now, of_file=given)
    values |= cleared(empty, slug, alerts)
    if before is None:
        return windows.new_campaign(slug, values, alerts, now=now)
    return windows.changed(before, values, now=now)


def carry_out(db: Db, planned: Plan, *, verifier: Verifier | None, now: datetime) -> ApplyResult:
    """Do what was planned. Killed anywhere, applying the file again does the rest. Raises ProviderError."""
    slug = planned.after.slug
    lines = [entry.line for entry in planned.new]
    if planned.before is None:
        added = adding.add(db, planned.after, lines, verifier=verifier, now=now)
        return ApplyResult(added.accepted, (*planned.rejected, *added.rejected))
    added = adding.add_usable(db, slug, lines, verifier=verifier, now=now)
    for change in planned.recategorized:
        campaigns.set_category(db, slug, change.tweet_id, change.after)
    removal.remove_tweets(db, slug, (tweet.tweet_id for tweet in planned.removed))
    register.update(db, planned.before, planned.after)
    return ApplyResult(added.accepted, (*planned.rejected, *added.rejected))
