"""One account or all of them: show, remove, export, and rescore what is collected by the index and rules of today."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from socap_cli.importance.building import accounts_of
from socap_cli.importance.importing import drop_followers
from socap_cli.model.engagement import LabelRules, categorize, organisations_of
from socap_cli.model.important import Follower, ImportantPerson, IndexEntry, fold_handle
from socap_cli.store import Db, importance
from socap_cli.store.importance import ImportanceCollections

OVERLAP = timedelta(minutes=10)
"""Changes are looked up from this long before the last time, because other hosts' clocks wrote them."""
MOST_ACCOUNTS = 2000
"""With more changed accounts than this all engagements are rescored, in one pass."""
SAMPLES = 20


@dataclass(frozen=True, slots=True)
class Account:
    """The documents of one account in the customer's collections."""

    username: str
    entry: IndexEntry | None
    person: ImportantPerson | None

    @property
    def score(self) -> float:
        return self.entry.score if self.entry else 0.0

    @property
    def reasons(self) -> list[Follower]:
        """Who follows it, the heaviest first."""
        return self.entry.heaviest if self.entry else []


@dataclass(frozen=True, slots=True)
class Removal:
    """What removing an account changed, or would change."""

    people: int
    entries: int
    entries_changed: int
    """Accounts that it follows, whose score is lower now."""


@dataclass
class RescoreResult:
    engagements: int = 0
    """Engagements that were compared."""
    changed: int = 0
    higher: int = 0
    """Engagements that the alerts consider again."""
    recategorized: int = 0
    samples: list[tuple[str, float | None, float | None]] = field(default_factory=list)
    """(handle, score before, score after) of the first that changed."""


def find_account(db: Db, names: ImportanceCollections, username: str) -> Account:
    """An account by its handle in any case; a handle of digits may be an id as well."""
    user_id = username if username.isdigit() else None
    by_name, by_id = importance.find(db, names, [(None, username), (user_id, None)])
    entry = by_name or by_id
    person = importance.find_person(db, names, [username]).get(fold_handle(username))
    return Account((entry and entry.username) or (person and person.username) or username, entry, person)


def remove_account(
    db: Db, names: ImportanceCollections, account: Account, *, now: datetime, dry_run: bool = False
) -> Removal:
    """Remove an account: as an important person, from the reasons of the accounts it follows, and its own entry.

    Can be repeated after a kill.
    """
    followed = list(importance.followed_by(db, names, account.username))
    updates = [update for entry in followed if (update := drop_followers(entry, [account.username]))]
    people = importance.all_people(db, names, [account.username]) if account.person else []
    entries = importance.all_of(db, names, account.entry) if account.entry else []
    if dry_run:
        return Removal(len(people), len(entries), len(updates))
    late = importance.apply_updates(db, names, updates, now=now)
    importance.note_removed(db, [name for entry in entries for name in accounts_of(entry)])
    importance.remove(db, names, entries)
    importance.remove_people(db, names, people)
    return Removal(len(people), len(entries), len(updates) - len(late))


def exported(db: Db, names: ImportanceCollections) -> Iterator[tuple[str, dict[str, Any]]]:
    """(list, row) of both collections, in the form that an import reads.

    Unreadable documents are left out, and of several documents of one account those that do not count.
    """
    people: set[str] = set()
    for person in importance.listed(db, names):
        name = fold_handle(person.username)
        if name and name not in people:
            people.add(name)
            yield "important_people", person_row(person)
    best: dict[str, IndexEntry] = {}
    for entry in importance.index_entries(db, names):
        key = entry.user_id or (entry.username and f"@{fold_handle(entry.username)}")
        if key and (key not in best or entry.score > best[key].score):
            best[key] = entry
    for entry in best.values():
        yield "following_index", entry_row(entry)


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
    return _stated(row)


def entry_row(entry: IndexEntry) -> dict[str, Any]:
    """An entry of the index as an import reads it."""
    row = {
        "followed_username": entry.username,
        "followed_user_id": entry.user_id,
        "importance_score": entry.score,
        "followed_by": [_stated(asdict(follower)) for follower in entry.followers],
    }
    return _stated(row)


def _stated(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if value is not None}


def account_row(account: Account) -> dict[str, Any]:
    """An account's importance with all its reasons."""
    documents = [document for document in (account.entry, account.person) if document]
    return {
        "username": account.username,
        "importance_score": account.score,
        "in_index": account.entry is not None,
        "reasons": [_stated(asdict(follower)) for follower in account.reasons],
        "important_person": person_row(account.person) if account.person else None,
        "problems": [problem for document in documents for problem in document.problems],
    }


def rescore(
    db: Db,
    names: ImportanceCollections,
    rules: LabelRules,
    *,
    accounts: Collection[str] | None = None,
    tweet_ids: Collection[str] | None = None,
    dry_run: bool = False,
) -> RescoreResult:
    """Score and categorize engagements again: all, or those of accounts (ids and folded handles) or tweets.

    Repeating it changes nothing.
    """
    result = RescoreResult()
    for batch in importance.read_engagements(db, accounts=accounts, tweet_ids=tweet_ids):
        scores = importance.look_up(db, names, [one.profile for one in batch])
        changes = []
        for before in batch:
            after = replace(
                before,
                importance=scores[before.profile.user_id],
                categories=categorize(before.profile, rules),
                organisations=organisations_of(before.profile, rules),
            )
            if after == before:
                continue
            changes.append((before, after))
            old, new = before.importance.score, after.importance.score
            result.higher += (new or 0.0) > (old or 0.0)
            result.recategorized += replace(after, importance=before.importance) != before
            if old != new and len(result.samples) < SAMPLES:
                result.samples.append((before.profile.username, old, new))
        if not dry_run:
            importance.write_scores(db, changes)
        result.engagements += len(batch)
        result.changed += len(changes)
    return result


def catch_up(db: Db, names: ImportanceCollections, rules: LabelRules, *, now: datetime) -> RescoreResult:
    """Rescore what changed since the last time: entries by their `updated_at`, removed accounts, the rules.

    The first time everything is rescored.
    """
    state = importance.rescoring_state(db)
    fingerprint = hashlib.sha256(repr(rules).encode()).hexdigest()[:16]
    if state.index_until is None or state.rules != fingerprint:
        result = rescore(db, names, rules)
    else:
        changed = importance.index_entries(db, names, since=state.index_until - OVERLAP)
        accounts = {name for entry in changed for name in accounts_of(entry)} | set(state.removed)
        few = len(accounts) <= MOST_ACCOUNTS
        result = (
            rescore(db, names, rules, accounts=accounts if few else None) if accounts else RescoreResult()
        )
    importance.note_rescored(db, state, index_until=now, rules=fingerprint)
    return result
