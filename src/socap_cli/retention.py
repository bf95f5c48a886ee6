"""What is deleted for good: a person on request, what X deleted, what is too old."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from socap_cli.errors import SocapError
from socap_cli.model.important import fold_handle
from socap_cli.store import Db, campaigns, forgetting, importance
from socap_cli.store.importance import ImportanceCollections


@dataclass(frozen=True, slots=True)
class Erased:
    """What was erased of a person, and where their name still stands since it is somebody else's to take away."""

    username: str
    accounts: int
    engagements: int
    alerts: int
    silences: int
    left: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Pruned:
    """What was deleted, or would be."""

    taken_back: int
    """Engagements that were gone from X."""
    campaigns: tuple[str, ...] = ()
    tweets: int = 0
    engagements: int = 0
    """Of these tweets."""
    snapshots: int = 0


def erase(
    db: Db, firm: ImportanceCollections, username: str, *, now: datetime, dry_run: bool = False
) -> Erased:
    """Delete all that a person did, their alerts and silences; note the account, so that no pass stores it again.

    Raises SocapError when nothing of them is stored, and they were never erased.
    """
    ids = forgetting.user_ids(db, username)
    if not ids and forgetting.erased_at(db, username) is None:
        raise SocapError(
            f"nothing of @{username} is stored",
            hint="an account that changed its handle is stored under the one it had: socap engagements list SLUG",
        )
    if not dry_run:
        forgetting.note(db, username, ids, now=now)
    done = forgetting.engagements(db, forgetting.of_people(ids), dry_run=dry_run)
    silences = forgetting.silences_of(db, username, dry_run=dry_run)
    left = tuple(_places(db, firm, username))
    return Erased(username, len(ids), done.engagements, done.alerts, silences, left)


def _places(db: Db, firm: ImportanceCollections, username: str) -> list[str]:
    """Where else the name stands, each with the command that takes it away."""
    name = fold_handle(username)
    places = []
    if importance.find_person(db, firm, [name]):
        places.append(f"the important people: socap importance remove @{username}")
    elif importance.find(db, firm, [("", name)])[0] is not None:
        places.append(f"the index of followers: socap importance remove @{username}")
    for campaign in campaigns.listed(db):
        for word, names in (("vip", campaign.vips), ("ignore", campaign.ignores)):
            if name in map(fold_handle, names):
                command = f"socap campaign edit {campaign.slug} --remove-{word} @{username}"
                places.append(f"the {word}s of {campaign.slug}: {command}")
        if any(
            fold_handle(tweet.author_username or "") == name
            for tweet in campaigns.tweets_of(db, campaign.slug)
        ):
            places.append(f"the tweets of {campaign.slug}, as an author: socap campaign remove-tweet")
    return places


def prune(
    db: Db, *, now: datetime, taken_back_for: timedelta, older_than: timedelta | None, dry_run: bool = False
) -> Pruned:
    """Delete engagements that have been gone from X for so long; with `older_than` old campaigns and their data too.

    A campaign is old by when it was completed; a tweet goes when no campaign holds it and nobody looked at it since.
    What was spent stays. Can be repeated.
    """
    gone = forgetting.engagements(db, forgetting.taken_back(now - taken_back_for), dry_run=dry_run)
    if older_than is None:
        return Pruned(gone.engagements)
    before = now - older_than
    old = forgetting.completed_before(db, before)
    slugs = old if dry_run else [slug for slug in old if forgetting.campaign(db, slug, before)]
    tweets = forgetting.tweets_of_nobody(db, without=slugs, before=before)
    engagements, snapshots = 0, 0
    for tweet_id in tweets:
        done, readings = forgetting.tweet(db, tweet_id, dry_run=dry_run)
        engagements, snapshots = engagements + done.engagements, snapshots + readings
    return Pruned(gone.engagements, tuple(slugs), len(tweets), engagements, snapshots)
