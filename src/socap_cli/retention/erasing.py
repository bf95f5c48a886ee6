"""Erase a person on request, and keep them from being collected again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from socap_cli.errors import SocapError
from socap_cli.model.important import fold_handle
from socap_cli.store import Db, campaigns, erased_people, forgetting, importance, important_people
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


def erase(
    db: Db, firm: ImportanceCollections, username: str, *, now: datetime, dry_run: bool = False
) -> Erased:
    """Delete all that a person did, their alerts and silences; note the account, so that no pass stores it again.

    Raises SocapError when nothing of them is stored, and they were never erased.
    """
    ids = forgetting.user_ids(db, username)
    if not ids and erased_people.erased_at(db, username) is None:
        raise SocapError(
            f"nothing of @{username} is stored",
            hint="an account that changed its handle is stored under the one it had: socap engagements list SLUG",
        )
    if not dry_run:
        erased_people.note(db, username, ids, now=now)
    done = forgetting.engagements(db, forgetting.of_people(ids), dry_run=dry_run)
    silences = forgetting.silences_of(db, username, dry_run=dry_run)
    left = tuple(_places(db, firm, username))
    return Erased(username, len(ids), done.engagements, done.alerts, silences, left)


def _places(db: Db, firm: ImportanceCollections, username: str) -> list[str]:
    """Where else the name stands, each with the command that takes it away."""
    name = fold_handle(username)
    places = []
    if important_people.find(db, firm, [name]):
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
