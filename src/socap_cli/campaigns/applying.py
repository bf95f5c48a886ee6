"""Make a campaign what its file says: planned first, then carried out; the same file twice changes nothing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from socap_cli.campaigns import adding, register, windows
from socap_cli.campaigns.adding import Accepted, Verifier
from socap_cli.campaigns.document import Difference, Document, clearing, differences
from socap_cli.campaigns.settings import cleared, read_settings
from socap_cli.campaigns.source import Rejected, Wanted, sort_out
from socap_cli.config import Alerts
from socap_cli.errors import UsageError
from socap_cli.model import Campaign, CampaignTweet, TweetCategory
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
    given, empty = clearing(document.given)
    values = read_settings(given, start=before.starts_at if before else now, of_file=given)
    values |= cleared(empty, document.slug, alerts)
    if before is None:
        after = windows.new_campaign(document.slug, values, alerts, now=now)
    else:
        after = windows.changed(before, values, now=now)
    wanted, rejected = sort_out(document.lines)
    there = {tweet.tweet_id: tweet for tweet in campaigns.tweets_of(db, document.slug)}
    listed = {entry.tweet_id for entry in wanted}
    missing = [tweet for tweet in there.values() if document.lists_tweets and tweet.tweet_id not in listed]
    warnings: tuple[str, ...] = ()
    if missing and rejected:
        warnings = (
            f"{len(missing)} tweets are not in the file; they stay until every line of it can be read",
        )
        missing = []
    return Plan(
        before,
        after,
        tuple(differences(before, after)),
        tuple(entry for entry in wanted if entry.tweet_id not in there),
        tuple(
            Recategorized(entry.tweet_id, there[entry.tweet_id].category, entry.category)
            for entry in wanted
            if entry.tweet_id in there and there[entry.tweet_id].category is not entry.category
        ),
        tuple(missing),
        tuple(rejected),
        warnings,
    )


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
    register.remove_tweets(db, slug, (tweet.tweet_id for tweet in planned.removed))
    register.update(db, planned.before, planned.after)
    return ApplyResult(added.accepted, (*planned.rejected, *added.rejected))
