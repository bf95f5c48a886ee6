"""One account or all of them: what is known of their importance, taken out again, and written down."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from socap_cli.importance.building import accounts_of
from socap_cli.importance.merging import drop_followers
from socap_cli.model.important import Change, Follower, ImportantPerson, IndexEntry, fold_handle
from socap_cli.store import Db, importance, important_people, rescoring
from socap_cli.store.importance import ImportanceCollections


@dataclass(frozen=True, slots=True)
class Account:
    """Everything that the firm's collections say of one account."""

    username: str
    entry: IndexEntry | None
    person: ImportantPerson | None

    @property
    def score(self) -> float:
        """Its importance: 0 for an account that is not in the index."""
        return self.entry.score if self.entry else 0.0

    @property
    def reasons(self) -> list[Follower]:
        """Who follows it, the heaviest first."""
        followers = self.entry.followers if self.entry else ()
        return sorted(followers, key=lambda follower: (-follower.weight, fold_handle(follower.username)))


@dataclass(frozen=True, slots=True)
class Removal:
    """What taking an account out changed, or would change."""

    people: int
    entries: int
    entries_changed: int
    """Accounts that it follows, whose score is lower now."""


def find_account(db: Db, names: ImportanceCollections, username: str) -> Account:
    """An account by its handle in any case; a handle of digits may be an id as well."""
    user_id = username if username.isdigit() else None
    entry = importance.find(db, names, [(None, username)])[0]
    if entry is None and user_id:
        entry = importance.find(db, names, [(user_id, None)])[0]
    person = important_people.find(db, names, [username]).get(fold_handle(username))
    return Account((entry and entry.username) or (person and person.username) or username, entry, person)


def remove_account(
    db: Db, names: ImportanceCollections, account: Account, *, now: datetime, dry_run: bool = False
) -> Removal:
    """Forget an account: as an important person, with all that its following gave, and its own entry.

    Killed in between, it can be repeated.
    """
    followed = list(importance.followed_by(db, names, account.username))
    updates = [update for entry in followed if (update := drop_followers(entry, [account.username]))]
    people = important_people.all_of(db, names, [account.username]) if account.person else []
    entries = importance.all_of(db, names, account.entry) if account.entry else []
    if dry_run:
        return Removal(len(people), len(entries), len(updates))
    late = importance.apply_updates(db, names, updates, now=now)
    rescoring.note_removed(db, [name for entry in entries for name in accounts_of(entry)])
    importance.remove(db, names, entries)
    important_people.remove(db, names, people)
    return Removal(len(people), len(entries), len(updates) - len(late))


def exported(db: Db, names: ImportanceCollections) -> Iterator[tuple[str, dict[str, Any]]]:
    """(list, row) of both collections, in the form that an import reads.

    What cannot be read is left out, and of several documents of one account those that do not count.
    """
    people: set[str] = set()
    for person in important_people.listed(db, names):
        name = fold_handle(person.username)
        if name and name not in people:
            people.add(name)
            yield "important_people", person_row(person)
    best: dict[str, tuple[float, object]] = {}
    for entry in importance.entries(db, names):
        for name in _found_by(entry):
            if name not in best or entry.score > best[name][0]:
                best[name] = entry.score, entry.key
    for entry in importance.entries(db, names):
        if any(best[name][1] == entry.key for name in _found_by(entry)[:1]):
            yield "following_index", entry_row(entry)


def _found_by(entry: IndexEntry) -> list[str]:
    """How a look-up comes to an entry: by its id first, then by its handle, which no id looks like."""
    return [name for name in (entry.user_id, entry.username and f"@{fold_handle(entry.username)}") if name]


def person_row(person: ImportantPerson) -> dict[str, Any]:
    """An important person as an import reads it."""
    row = {
        "username": person.username,
        "weight": person.effective_weight,
        "user_id": person.user_id,
        "name": person.name,
        "organisation": person.organisation,
        "tags": list(person.tags) or None,
        "is_active": person.is_active,
    }
    return _said(row)


def account_row(found: Account) -> dict[str, Any]:
    """An account's importance and reasons for a machine to read."""
    problems = [
        problem for document in (found.entry, found.person) if document for problem in document.problems
    ]
    return {
        "username": found.username,
        "importance_score": found.score,
        "in_index": found.entry is not None,
        "reasons": [follower_row(follower) for follower in found.reasons],
        "important_person": person_row(found.person) if found.person else None,
        "problems": problems,
    }


def entry_row(entry: IndexEntry) -> dict[str, Any]:
    """An entry of the index as an import reads it."""
    row = {
        "followed_username": entry.username,
        "followed_user_id": entry.user_id,
        "importance_score": entry.score,
        "followed_by": [follower_row(follower) for follower in entry.followers],
    }
    return _said(row)


def follower_row(follower: Follower) -> dict[str, Any]:
    """A follower with its source and time."""
    row = {
        "username": follower.username,
        "weight": follower.weight,
        "user_id": follower.user_id,
        "name": follower.name,
        "source": follower.source,
        "seen_at": follower.seen_at,
    }
    return _said(row)


def change_row(change: Change) -> dict[str, Any]:
    """A change for a machine to read."""
    return {
        "collection": change.collection,
        "username": change.username,
        "new": change.is_new,
        "differences": [
            {"field": field, "before": before, "after": after} for field, before, after in change.differences
        ],
    }


def _said(row: dict[str, Any]) -> dict[str, Any]:
    return {field: value for field, value in row.items() if value is not None}
