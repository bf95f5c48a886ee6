"""Add campaigns and tweets: verified at the provider, written so that a killed run can be repeated."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from socap_cli.campaigns.register import find
from socap_cli.campaigns.source import Rejected, Wanted, sort_out
from socap_cli.campaigns.trees import Line
from socap_cli.client.lookup import fetch_tweets
from socap_cli.client.metered import MeteredClient
from socap_cli.client.recording import record_counters
from socap_cli.errors import ProviderError, SocapError, UsageError
from socap_cli.model.account import Tweet
from socap_cli.model.campaign import Campaign, CampaignTweet
from socap_cli.model.links import tweet_url
from socap_cli.store import Db, campaigns, worker_state

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
