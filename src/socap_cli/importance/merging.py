"""What a new statement changes in what is known. Pure: nothing that others wrote is lost by it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from socap_cli.model.important import (
    Change,
    EntryUpdate,
    Follower,
    ImportantPerson,
    IndexEntry,
    PersonUpdate,
    fold_handle,
    weights_of,
)

IMPORT, BUILD = "import", "build"


def merge_entry(
    before: IndexEntry | None, wanted: IndexEntry, *, source: str, now: datetime
) -> EntryUpdate | None:
    """What these followers add to an account's entry; None when it says all of it already.

    Followers are merged by handle. One who was there keeps the source that stands there, unless that was a
    build: what the firm or an import wrote is never made to expire. What a build confirms gets its time anew.
    """
    known = {fold_handle(follower.username): follower for follower in before.followers} if before else {}
    put = []
    for follower in wanted.followers:
        old = known.get(fold_handle(follower.username))
        if old is None or _says_more(follower, old) or (source == BUILD == old.source):
            put.append(_merged(old, follower, source, now))
    has_score = not wanted.followers and wanted.stated_score is not None
    if before and not put and not (has_score and wanted.stated_score != before.score):
        return None
    after = {**known, **{fold_handle(follower.username): follower for follower in put}}
    score = _score(before, after.values())
    if has_score and wanted.stated_score is not None:
        score = wanted.stated_score
    return EntryUpdate(before, wanted.username, wanted.user_id, tuple(put), (), score)


def drop_followers(before: IndexEntry, handles: Iterable[str]) -> EntryUpdate | None:
    """Take followers out of an entry; None when none of them is in it."""
    gone = {fold_handle(handle) for handle in handles}
    rest = [follower for follower in before.followers if fold_handle(follower.username) not in gone]
    if len(rest) == len(before.followers):
        return None
    return EntryUpdate(before, None, None, (), tuple(sorted(gone)), _score(before, rest))


def stale_followers(
    entry: IndexEntry, *, complete: Mapping[str, datetime | None], now: datetime, expire_after: timedelta
) -> list[str]:
    """Handles of followers that a build wrote and that no longer hold.

    `complete` names the important people of today (folded) and when the last reading of their followings that
    came to its end began: who was not seen since then follows no more. Who is no important person any more goes
    at once; without a whole reading a statement holds for `expire_after`.
    """
    gone = []
    for follower in entry.followers:
        person = fold_handle(follower.username)
        oldest = now - expire_after
        since = max(complete.get(person) or oldest, oldest)
        is_stale = person not in complete or follower.seen_at is None or follower.seen_at < since
        if follower.source == BUILD and is_stale:
            gone.append(follower.username)
    return gone


def merge_person(before: ImportantPerson | None, wanted: ImportantPerson) -> PersonUpdate | None:
    """The fields that a statement changes; None when there is nothing new. Tags are added, never taken away."""
    said: dict[str, object] = {
        "weight": wanted.weight,
        "user_id": wanted.user_id,
        "name": wanted.name,
        "organisation": wanted.organisation,
        "is_active": wanted.is_active,
    }
    values = {
        field: value
        for field, value in said.items()
        if value is not None and (before is None or value != getattr(before, field))
    }
    tags = list(before.tags) if before else []
    new_tags = [tag for tag in wanted.tags if tag not in tags]
    if new_tags:
        values["tags"] = tags + new_tags
    return PersonUpdate(before, wanted.username, values) if values or before is None else None


def entry_change(collection: str, update: EntryUpdate) -> Change:
    """What an update changes, for a person to read."""
    before = update.before
    name = update.username or (before.username if before else None) or f"id {update.user_id}"
    old = {fold_handle(f.username): f.weight for f in before.followers} if before else {}
    differences: list[tuple[str, object, object]] = [
        (f"followed by @{follower.username}", old.get(fold_handle(follower.username)), follower.weight)
        for follower in update.put
        if old.get(fold_handle(follower.username)) != follower.weight
    ]
    differences += [(f"followed by @{name}", old.get(name), None) for name in update.drop if name in old]
    if before is None or before.score != update.score:
        differences.append(("importance_score", before.score if before else None, update.score))
    return Change(collection, name, before is None, tuple(differences))


def person_change(collection: str, update: PersonUpdate) -> Change:
    """What an update changes, for a person to read."""
    before = update.before
    name = before.username if before else update.username
    differences = tuple(
        (field, getattr(before, field) if before else None, value) for field, value in update.values.items()
    )
    return Change(collection, name, before is None, differences)


def _says_more(follower: Follower, old: Follower) -> bool:
    return follower.weight != old.weight or follower.name not in (None, old.name)


def _merged(old: Follower | None, follower: Follower, source: str, now: datetime) -> Follower:
    kept = source if old is None or old.source == BUILD else old.source
    return replace(follower, source=kept, seen_at=now if kept is not None else None)


def _score(before: IndexEntry | None, followers: Iterable[Follower]) -> float:
    """The sum of the weights; a stated score that was another is moved by as much as the sum moves."""
    total = weights_of(tuple(followers))
    if before is None or before.stated_score is None:
        return total
    old = weights_of(before.followers)
    if math.isclose(before.stated_score, old):
        return total
    return max(0.0, before.stated_score + total - old)
