"""Add campaigns and tweets: verified at the provider, written so that a killed run can be repeated."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from socap_cli.campaigns import settings
from socap_cli.campaigns.settings import Difference, Document, cleared, clearing, differences, read_settings
from socap_cli.campaigns.source import Line, Rejected, Wanted, sort_out
from socap_cli.client.looks import record_counters
from socap_cli.client.metered import MeteredClient, fetch_tweets
from socap_cli.errors import ProviderError, SocapError, UsageError
from socap_cli.model.account import Tweet
from socap_cli.model.campaign import Campaign, CampaignStatus, CampaignTweet, TweetCategory
from socap_cli.model.links import tweet_url
from socap_cli.settings import Alerts
from socap_cli.store import Db, alert_queue, campaigns, engagements, jobs, worker_state

UNKNOWN = "the provider does not know this tweet: deleted, protected or mistyped"


@dataclass(frozen=True, slots=True)
class Verifier:
    """Looks tweets up at the provider before they are watched, and says what it waits for."""

    client: MeteredClient
    inform: Callable[[str], None] = lambda _: None

    def tweets(self, slug: str, ids: Sequence[str]) -> dict[str, Tweet]:
        """The tweets that the provider knows; the campaign pays. Raises ProviderError that says how to do without."""
        self.inform(f"looking up {len(ids)} tweet{'s' if len(ids) != 1 else ''} at the provider")
        try:
            return fetch_tweets(self.client, ids, slug, inform=self.inform)
        except ProviderError as error:
            before = f"{error.hint}, or " if error.hint else ""
            error.hint = f"{before}add them unchecked with --no-verify; no tweet was added"
            raise


@dataclass(frozen=True, slots=True)
class Accepted:
    """A tweet that is in the campaign now, and the line that named it."""

    line: int
    tweet: CampaignTweet
    is_new: bool
    """False when it was in the campaign before."""


@dataclass(frozen=True, slots=True)
class AddResult:
    """What became of every line."""

    slug: str
    accepted: tuple[Accepted, ...]
    rejected: tuple[Rejected, ...]
    warnings: tuple[str, ...] = ()

    @property
    def tweets_added(self) -> int:
        """Tweets that were not in the campaign before."""
        return sum(one.is_new for one in self.accepted)

    @property
    def tweets_already_there(self) -> int:
        """Tweets that were."""
        return len(self.accepted) - self.tweets_added


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


@dataclass(frozen=True, slots=True)
class Deletion:
    """What a deletion took away, and what it left."""

    tweets: int
    engagements_left: int


@dataclass(frozen=True, slots=True)
class CampaignTotals:
    """A campaign in a line."""

    campaign: Campaign
    tweets: int
    engagements: int
    """Those that are still there."""
    important: int
    """Engagements at or over the campaign's threshold."""
    views: int | None
    """The last known sum over its tweets; None when none is known."""
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
    """Create a campaign with its tweets. The campaign itself is written last: killed before, `add` works again.

    With `dry_run` only the lines are judged. Raises SocapError when the slug is taken or no line names a usable
    tweet; then nothing is changed.
    """
    if campaigns.exists(db, campaign.slug):
        raise _taken(campaign.slug)
    wanted, rejected = sort_out(lines)
    result = _add(db, campaign.slug, (wanted, rejected), verifier, now, write=not dry_run)
    if lines and not result.accepted:
        raise _nothing_usable(result.rejected)
    if not dry_run and not campaigns.insert(db, campaign):
        raise _taken(campaign.slug)
    return result


def add_tweets(
    db: Db,
    slug: str,
    lines: Sequence[Line],
    *,
    verifier: Verifier | None,
    now: datetime,
    dry_run: bool = False,
) -> AddResult:
    """Add tweets to a campaign that exists. Raises SocapError when no line names a usable tweet."""
    result = add_usable(db, slug, lines, verifier=verifier, now=now, dry_run=dry_run)
    if not result.accepted:
        raise _nothing_usable(result.rejected)
    return result


def add_usable(
    db: Db,
    slug: str,
    lines: Sequence[Line],
    *,
    verifier: Verifier | None,
    now: datetime,
    dry_run: bool = False,
) -> AddResult:
    """Add what of these lines is usable, be it nothing, to a campaign that exists."""
    find(db, slug)
    return _add(db, slug, sort_out(lines), verifier, now, write=not dry_run)


def _add(
    db: Db,
    slug: str,
    sorted_out: tuple[list[Wanted], list[Rejected]],
    verifier: Verifier | None,
    now: datetime,
    *,
    write: bool,
) -> AddResult:
    wanted, rejected = sorted_out
    before = {tweet.tweet_id: tweet for tweet in campaigns.tweets_of(db, slug)}
    found: dict[str, Tweet] = {}
    if verifier is not None and wanted:
        found = verifier.tweets(slug, [entry.tweet_id for entry in wanted])
        gone = [entry for entry in wanted if entry.tweet_id not in found]
        rejected = [*rejected, *(Rejected(e.line.number, e.line.text or e.url, UNKNOWN) for e in gone)]
        wanted = [entry for entry in wanted if entry.tweet_id in found]
    tweets = [_tweet(slug, entry, found.get(entry.tweet_id), now) for entry in wanted]
    if write:
        campaigns.add_tweets(db, tweets)
    if write and found:
        record_counters(db, worker_state.load(db, found), found, now=now)
    accepted = tuple(
        Accepted(entry.line.number, before.get(tweet.tweet_id, tweet), tweet.tweet_id not in before)
        for entry, tweet in zip(wanted, tweets, strict=True)
    )
    return AddResult(
        slug,
        accepted,
        tuple(sorted(rejected, key=lambda one: one.line)),
        _other_categories(slug, wanted, before),
    )


def _other_categories(
    slug: str, wanted: Sequence[Wanted], before: Mapping[str, CampaignTweet]
) -> tuple[str, ...]:
    """A warning for each tweet that is there under another category than its line says."""
    return tuple(
        f"tweet {entry.tweet_id} is there as {known.category.short}, not {entry.category.short}: "
        f"socap campaign edit-tweet {slug} {entry.tweet_id} --category {entry.category.short}"
        for entry in wanted
        if (known := before.get(entry.tweet_id))
        and entry.line.category
        and known.category is not entry.category
    )


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
        author_followers=author.followers if author else None,
    )


def _taken(slug: str) -> SocapError:
    return SocapError(
        f"there is a campaign {slug!r} already",
        hint=f"add to it with: socap campaign add-tweets {slug}; change it with: socap campaign edit {slug}",
    )


def _nothing_usable(rejected: Sequence[Rejected]) -> SocapError:
    if not rejected:
        return UsageError("no tweets named", hint="give --tweet URL or --from FILE")
    first = rejected[0]
    more = f" (and {len(rejected) - 1} more)" if len(rejected) > 1 else ""
    return SocapError(
        f"no usable tweet: line {first.line}: {first.reason}{more}", hint="no campaign was changed"
    )


def plan(db: Db, document: Document, alerts: Alerts, *, now: datetime) -> Plan:
    """Compare a file with what is stored. What the file does not name stays as it is.

    Tweets that the file does not list are taken out when it lists any, but not while a line of it cannot be read:
    that line may name one of them. Raises UsageError.
    """
    if not document.slug:
        raise UsageError("the file names no campaign", hint='begin it with: slug = "launch"')
    before = campaigns.find(db, document.slug)
    if before is None and campaigns.exists(db, document.slug):
        find(db, document.slug)
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
        return settings.new_campaign(slug, values, alerts, now=now)
    return settings.changed(before, values, now=now)


def carry_out(db: Db, planned: Plan, *, verifier: Verifier | None, now: datetime) -> ApplyResult:
    """Do what was planned. Killed anywhere, applying the file again does the rest. Raises ProviderError."""
    slug = planned.after.slug
    lines = [entry.line for entry in planned.new]
    if planned.before is None:
        added = add(db, planned.after, lines, verifier=verifier, now=now)
        return ApplyResult(added.accepted, (*planned.rejected, *added.rejected))
    added = add_usable(db, slug, lines, verifier=verifier, now=now)
    for change in planned.recategorized:
        campaigns.set_category(db, slug, change.tweet_id, change.after)
    remove_tweets(db, slug, (tweet.tweet_id for tweet in planned.removed))
    update(db, planned.before, planned.after)
    return ApplyResult(added.accepted, (*planned.rejected, *added.rejected))


def find(db: Db, slug: str) -> Campaign:
    """The campaign of that slug. Raises SocapError that names what there is instead, or that it cannot be read."""
    campaign = campaigns.find(db, slug)
    if campaign is not None:
        return campaign
    if campaigns.exists(db, slug):
        raise SocapError(
            f"the document of campaign {slug!r} cannot be read: a field is missing or of a wrong type",
            hint=f"mend it in the database, or take it away: socap campaign delete {slug} --yes",
        )
    known = [c.slug for c in campaigns.listed(db)]
    hint = f"there are: {', '.join(known[:8])}" if known else "there is none yet: socap campaign add"
    raise SocapError(f"no campaign {slug!r}", hint=hint)


def left_out(db: Db) -> list[str]:
    """A warning for each document that is no campaign, so that none is left out silently."""
    return [
        f"the document of campaign {slug!r} cannot be read, and it is left out: socap campaign show {slug}"
        for slug in campaigns.unreadable(db)
    ]


def update(db: Db, before: Campaign, after: Campaign) -> Campaign:
    """Write what differs. Raises SocapError when the campaign is gone meanwhile."""
    return campaigns.update(db, before, after) or find(db, before.slug)


def tweet_of(db: Db, slug: str, tweet_id: str) -> CampaignTweet:
    """A tweet of a campaign. Raises SocapError when it is not in it."""
    find(db, slug)
    for tweet in campaigns.tweets_of(db, slug):
        if tweet.tweet_id == tweet_id:
            return tweet
    raise SocapError(f"tweet {tweet_id} is not in campaign {slug!r}", hint=f"socap campaign show {slug}")


def set_category(db: Db, slug: str, tweet_id: str, category: TweetCategory) -> bool:
    """Give a tweet another category; False when it has it already. What was collected counts under the new one."""
    if tweet_of(db, slug, tweet_id).category is category:
        return False
    campaigns.set_category(db, slug, tweet_id, category)
    return True


def delete(db: Db, slug: str, *, dry_run: bool = False) -> Deletion:
    """Remove a campaign, its tweets, jobs and alerts; what was collected stays.

    Works for a document that cannot be read, too. Raises SocapError when there is none.
    """
    if not campaigns.exists(db, slug):
        find(db, slug)
    ids = campaigns.tweet_ids_of(db, slug)
    left = sum(engagements.count_by(db, ids, "action_type").values())
    if not dry_run:
        jobs.delete(db, slug)
        alert_queue.drop_campaign(db, slug)
        campaigns.delete(db, slug)
    return Deletion(len(ids), left)


def remove_tweets(db: Db, slug: str, tweet_ids: Iterable[str]) -> None:
    """Take tweets out of a campaign, jobs first, so that a killed run can be repeated."""
    for tweet_id in tweet_ids:
        jobs.delete(db, slug, tweet_id)
        campaigns.remove_tweet(db, slug, tweet_id)


def set_status(
    db: Db, slug: str, status: CampaignStatus, *, now: datetime, dry_run: bool = False
) -> Campaign:
    """Pause or complete. Raises SocapError for pausing what is completed."""
    after = settings.with_status(campaign := find(db, slug), status, now=now)
    return after if dry_run else update(db, campaign, after)


def resume(db: Db, slug: str, days: timedelta | None, *, now: datetime, dry_run: bool = False) -> Campaign:
    """Go on collecting, a completed campaign as well. Raises UsageError when its window is over."""
    after = settings.resumed(campaign := find(db, slug), days, now=now)
    return after if dry_run else update(db, campaign, after)


def overview(db: Db, status: CampaignStatus | None = None) -> list[CampaignTotals]:
    """Every campaign that can be read, by slug."""
    return [_totals(db, campaign) for campaign in campaigns.listed(db, status)]


def _totals(db: Db, campaign: Campaign) -> CampaignTotals:
    ids = campaigns.tweet_ids_of(db, campaign.slug)
    counters = [state.counters.get("views") for state in worker_state.load(db, ids).values()]
    views = [count for count in counters if count is not None]
    return CampaignTotals(
        campaign,
        tweets=len(ids),
        engagements=sum(engagements.count_by(db, ids, "action_type").values()),
        important=engagements.count_important(db, ids, campaign.threshold),
        views=sum(views) if views else None,
        alerts_sent=alert_queue.totals(db, campaign.slug).deliveries.get("sent", 0),
    )
