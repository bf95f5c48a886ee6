"""Register campaigns and tweets: verified at the provider, and written so that a killed run can be repeated."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime

from socap_cli.campaigns import settings
from socap_cli.campaigns.settings import Difference, Document, cleared, clearing, differences, read_settings
from socap_cli.campaigns.source import Line, ListedTweet, Rejected, identify
from socap_cli.client.looks import record_counters
from socap_cli.client.metered import ListRequest, MeteredClient, fetch_tweets
from socap_cli.errors import ProviderError, SocapError, UsageError
from socap_cli.model.account import Tweet
from socap_cli.model.campaign import Campaign, CampaignTweet, TweetCategory
from socap_cli.model.kinds import REPLIES
from socap_cli.model.links import handle_in, tweet_url
from socap_cli.settings import AlertSettings
from socap_cli.store import Db, alert_queue, campaigns, engagements, jobs, worker_state
from socap_cli.store.engagements import Selection
from socap_cli.text import counted

NO_TWEET = "1"
"""The id of no tweet, so that its replies are a request that finds nothing."""


@dataclass(frozen=True, slots=True)
class Verifier:
    """Looks tweets up at the provider before they are added."""

    client: MeteredClient
    inform: Callable[[str], None] = lambda _: None

    def tweets(self, slug: str, ids: Sequence[str]) -> dict[str, Tweet]:
        """The tweets that the provider knows, charged to the campaign. Raises ProviderError."""
        self.inform(f"looking up {counted(len(ids), 'tweet')} at the provider")
        try:
            return fetch_tweets(self.client, ids, slug, inform=self.inform)
        except ProviderError as error:
            before = f"{error.hint}, or " if error.hint else ""
            error.hint = f"{before}add them unchecked with --no-verify; no tweet was added"
            raise

    def out_of_reach(self, slug: str, tweets: Sequence[CampaignTweet], now: datetime) -> list[CampaignTweet]:
        """Tweets so old that their first replies cannot be read; a search that is free shows whether an archive can."""
        for is_asked in (False, True):
            reach = self.client.provider.reaches_back(REPLIES)
            old = [tweet for tweet in tweets if reach and tweet.posted_at and tweet.posted_at < now - reach]
            if old and not is_asked:
                with suppress(ProviderError):
                    self.client.page(ListRequest(REPLIES, NO_TWEET, (slug,), since=old[0].posted_at))
        return old


@dataclass(frozen=True, slots=True)
class Accepted:
    """A tweet that is in the campaign now, and the line that named it."""

    line: int
    tweet: CampaignTweet
    is_new: bool


@dataclass(frozen=True, slots=True)
class AddResult:
    """The outcome of every line."""

    slug: str
    accepted: tuple[Accepted, ...]
    rejected: tuple[Rejected, ...]
    warnings: tuple[str, ...] = ()

    @property
    def tweets_added(self) -> int:
        return sum(entry.is_new for entry in self.accepted)

    @property
    def tweets_already_there(self) -> int:
        return len(self.accepted) - self.tweets_added


@dataclass(frozen=True, slots=True)
class Plan:
    """What makes a campaign equal to its file."""

    before: Campaign | None
    after: Campaign
    changes: tuple[Difference, ...]
    new: tuple[ListedTweet, ...]
    recategorized: tuple[tuple[CampaignTweet, TweetCategory], ...]
    """Tweets with their new category."""
    removed: tuple[CampaignTweet, ...]
    rejected: tuple[Rejected, ...]
    warnings: tuple[str, ...] = ()

    @property
    def is_empty(self) -> bool:
        return self.before is not None and not (
            self.changes or self.new or self.recategorized or self.removed
        )


@dataclass(frozen=True, slots=True)
class CampaignTotals:
    campaign: Campaign
    tweets: int
    engagements: int
    """Without removed ones."""
    important: int
    """Engagements at or over the campaign's threshold."""
    views: int | None
    """The sum of the last known counters; None when none is known."""
    alerts_sent: int


def add(
    db: Db,
    campaign: Campaign,
    lines: Sequence[Line],
    *,
    verifier: Verifier | None,
    now: datetime,
    dry_run: bool = False,
) -> AddResult:
    """Create a campaign with its tweets. The campaign is written last: after a kill, `add` works again.

    Raises SocapError when the slug is taken or no line names a usable tweet; then nothing is changed.
    """
    taken = SocapError(
        f"campaign {campaign.slug!r} exists already",
        hint=f"add to it with: socap campaign add-tweets {campaign.slug}; "
        f"change it with: socap campaign edit {campaign.slug}",
    )
    if campaigns.exists(db, campaign.slug):
        raise taken
    result = _add(db, campaign.slug, lines, verifier, now, write=not dry_run)
    if lines and not result.accepted:
        raise _nothing_usable(result.rejected)
    if not dry_run and not campaigns.insert(db, campaign):
        raise taken
    return result


def add_tweets(
    db: Db,
    slug: str,
    lines: Sequence[Line],
    *,
    verifier: Verifier | None,
    now: datetime,
    dry_run: bool = False,
    may_be_none: bool = False,
) -> AddResult:
    """Add tweets to a campaign. Raises SocapError when no line names a usable tweet, unless `may_be_none`."""
    find(db, slug)
    result = _add(db, slug, lines, verifier, now, write=not dry_run)
    if not result.accepted and not may_be_none:
        raise _nothing_usable(result.rejected)
    return result


def _add(
    db: Db, slug: str, lines: Sequence[Line], verifier: Verifier | None, now: datetime, *, write: bool
) -> AddResult:
    listed, rejected = identify(lines)
    before = {tweet.tweet_id: tweet for tweet in campaigns.tweets_of(db, slug)}
    known: dict[str, Tweet] = {}
    if verifier is not None and listed:
        known = verifier.tweets(slug, [entry.tweet_id for entry in listed])
        reasons = {entry.tweet_id: _why_not(known.get(entry.tweet_id)) for entry in listed}
        rejected += [
            Rejected(entry.line.number, entry.line.text or entry.url, reason)
            for entry in listed
            if (reason := reasons[entry.tweet_id])
        ]
        listed = [entry for entry in listed if not reasons[entry.tweet_id]]
        known = {entry.tweet_id: known[entry.tweet_id] for entry in listed}
    tweets = [_tweet(slug, entry, known.get(entry.tweet_id), now) for entry in listed]
    if write:
        campaigns.add_tweets(db, tweets)
    if write and known:
        record_counters(db, worker_state.load(db, known), known, now=now)
    accepted, warnings = [], []
    for entry, tweet in zip(listed, tweets, strict=True):
        there = before.get(tweet.tweet_id)
        accepted.append(Accepted(entry.line.number, there or tweet, there is None))
        if there and entry.line.category and there.category is not entry.category:
            warnings.append(
                f"tweet {entry.tweet_id} is there as {there.category.short}, not {entry.category.short}: "
                f"socap campaign edit-tweet {slug} {entry.tweet_id} --category {entry.category.short}"
            )
    if verifier is not None and (old := verifier.out_of_reach(slug, tweets, now)):
        warnings.append(
            f"{counted(len(old), 'tweet')} older than seven days: the provider no longer lists their older replies"
        )
    rejected.sort(key=lambda entry: entry.line)
    return AddResult(slug, tuple(accepted), tuple(rejected), tuple(warnings))


def _why_not(known: Tweet | None) -> str:
    """Why a tweet cannot be monitored; empty when it can."""
    if known is None:
        return "the provider does not know this tweet: deleted, protected or mistyped"
    if known.retweet_of:
        return f"a retweet of {tweet_url(known.retweet_of)}: add that tweet instead"
    return ""


def _tweet(slug: str, entry: ListedTweet, known: Tweet | None, now: datetime) -> CampaignTweet:
    author = known.author if known else None
    return CampaignTweet(
        campaign_id=slug,
        tweet_id=entry.tweet_id,
        category=entry.category,
        url=tweet_url(entry.tweet_id, author.username if author else handle_in(entry.url, entry.tweet_id)),
        added_at=now,
        author_username=author.username if author else None,
        author_name=author.name if author else None,
        text=known.text if known else None,
        posted_at=known.posted_at if known else None,
        author_followers=author.followers if author else None,
    )


def _nothing_usable(rejected: Sequence[Rejected]) -> SocapError:
    if not rejected:
        return UsageError("no tweets given", hint="use --tweet URL or --from FILE")
    first = rejected[0]
    more = f" (and {len(rejected) - 1} more)" if len(rejected) > 1 else ""
    return SocapError(
        f"no usable tweet: line {first.line}: {first.reason}{more}", hint="no campaign was changed"
    )


def plan(db: Db, document: Document, alerts: AlertSettings, *, now: datetime) -> Plan:
    """Compare a file with what is stored. What the file does not name stays as it is.

    Tweets that the file does not list are removed if it lists any, but not while a line of it is rejected, because
    that line may name one of them. Raises UsageError.
    """
    if not document.slug:
        raise UsageError("the file has no slug", hint='begin it with: slug = "launch"')
    before = campaigns.find(db, document.slug)
    if before is None and campaigns.exists(db, document.slug):
        find(db, document.slug)
    given, empty = clearing(document.given)
    values = read_settings(given, start=before.starts_at if before else now, of_file=given)
    values |= cleared(empty, document.slug, alerts)
    if before is None:
        after = settings.new_campaign(document.slug, values, alerts, now=now)
    else:
        after = settings.changed(before, values, now=now)
    listed, rejected = identify(document.lines)
    there = {tweet.tweet_id: tweet for tweet in campaigns.tweets_of(db, document.slug)}
    ids = {entry.tweet_id for entry in listed}
    missing = [tweet for tweet in there.values() if document.lists_tweets and tweet.tweet_id not in ids]
    kept = len(missing) if rejected else 0
    return Plan(
        before,
        after,
        changes=tuple(differences(before, after)),
        new=tuple(entry for entry in listed if entry.tweet_id not in there),
        recategorized=tuple(
            (known, entry.category)
            for entry in listed
            if (known := there.get(entry.tweet_id)) and known.category is not entry.category
        ),
        removed=() if rejected else tuple(missing),
        rejected=tuple(rejected),
        warnings=(f"{kept} tweets not in the file stay until every line of it can be read",) if kept else (),
    )


def carry_out(db: Db, planned: Plan, *, verifier: Verifier | None, now: datetime) -> AddResult:
    """Killed anywhere, applying the file again does the rest. Raises ProviderError."""
    slug = planned.after.slug
    lines = [entry.line for entry in planned.new]
    if planned.before is None:
        added = add(db, planned.after, lines, verifier=verifier, now=now)
    else:
        added = add_tweets(db, slug, lines, verifier=verifier, now=now, may_be_none=True)
        for tweet, category in planned.recategorized:
            campaigns.set_category(db, slug, tweet.tweet_id, category)
        remove_tweets(db, slug, (tweet.tweet_id for tweet in planned.removed))
        update(db, planned.before, planned.after)
    return replace(added, rejected=(*planned.rejected, *added.rejected))


def find(db: Db, slug: str) -> Campaign:
    """Raises SocapError that names the existing campaigns, or says that its document is invalid."""
    campaign = campaigns.find(db, slug)
    if campaign is not None:
        return campaign
    if campaigns.exists(db, slug):
        raise SocapError(
            f"the document of campaign {slug!r} cannot be read: {campaigns.unreadable(db).get(slug, 'it changed')}",
            hint=f"correct it in the database, or delete it: socap campaign delete {slug} --yes",
        )
    known = [campaign.slug for campaign in campaigns.listed(db)]
    hint = f"existing campaigns: {', '.join(known[:8])}" if known else "create one: socap campaign add"
    raise SocapError(f"campaign {slug!r} not found", hint=hint)


def left_out(db: Db) -> list[str]:
    """A warning for each document that is not a valid campaign."""
    return [
        f"campaign {slug!r} is skipped: {reason} in its document"
        for slug, reason in campaigns.unreadable(db).items()
    ]


def update(db: Db, before: Campaign, after: Campaign) -> Campaign:
    """Write what differs. Raises SocapError when the campaign was deleted meanwhile."""
    return campaigns.update(db, before, after) or find(db, before.slug)


def tweet_of(db: Db, slug: str, tweet_id: str) -> CampaignTweet:
    """Raises SocapError when the campaign does not contain the tweet."""
    find(db, slug)
    for tweet in campaigns.tweets_of(db, slug):
        if tweet.tweet_id == tweet_id:
            return tweet
    raise SocapError(f"tweet {tweet_id} is not in campaign {slug!r}", hint=f"socap campaign show {slug}")


def delete(db: Db, slug: str, *, dry_run: bool = False) -> tuple[int, int]:
    """Remove a campaign, its tweets, jobs and alerts, also when its document is invalid; engagements stay.

    Returns how many tweets were removed and how many engagements stay. Raises SocapError when there is none.
    """
    if not campaigns.exists(db, slug):
        find(db, slug)
    ids = campaigns.tweet_ids_of(db, slug)
    left = engagements.count(db, Selection(ids, present=True))
    if not dry_run:
        jobs.delete(db, slug)
        alert_queue.drop_campaign(db, slug)
        campaigns.delete(db, slug)
    return len(ids), left


def remove_tweets(db: Db, slug: str, tweet_ids: Iterable[str]) -> None:
    """Jobs first, so that a killed run can be repeated."""
    for tweet_id in tweet_ids:
        jobs.delete(db, slug, tweet_id)
        campaigns.remove_tweet(db, slug, tweet_id)


def overview(db: Db) -> list[CampaignTotals]:
    """Every valid campaign, by slug."""
    rows = []
    for campaign in campaigns.listed(db):
        ids = campaigns.tweet_ids_of(db, campaign.slug)
        views = [state.counters.get("views") for state in worker_state.load(db, ids).values()]
        known_views = [count for count in views if count is not None]
        rows.append(
            CampaignTotals(
                campaign,
                tweets=len(ids),
                engagements=engagements.count(db, Selection(ids, present=True)),
                important=engagements.count(
                    db, Selection(ids, min_importance=campaign.threshold, present=True)
                ),
                views=sum(known_views) if known_views else None,
                alerts_sent=alert_queue.totals(db, campaign.slug).deliveries.get("sent", 0),
            )
        )
    return rows
