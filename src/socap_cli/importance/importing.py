"""Read lists of important people and of followed accounts, and merge them into the customer's collections."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, TypeVar

from socap_cli.errors import UsageError
from socap_cli.files import ListRow, fold_column, read_rows
from socap_cli.model.important import (
    Change,
    EntryUpdate,
    Follower,
    ImportantPerson,
    IndexEntry,
    PersonUpdate,
    Unreadable,
    fold_handle,
    weight_of,
    weights_of,
)
from socap_cli.model.links import NotAHandle, handle, handles
from socap_cli.store import Db, importance
from socap_cli.store.importance import ImportanceCollections

IMPORT, BUILD = "import", "build"
PEOPLE, INDEX = "important_people", "following_index"
GROUPS = {"importantpeople": PEOPLE, "people": PEOPLE, "followingindex": INDEX, "index": INDEX}
"""Folded names of the lists in a JSON object."""
COLUMNS = {
    "username": (
        "username", "handle", "screenname", "twitterhandle", "twitterusername", "xhandle", "xusername", "twitter",
        "account", "followedusername", "profileurl", "twitterurl",
    ),
    "user_id": ("userid", "twitterid", "accountid", "followeduserid", "idstr"),
    "weight": ("weight", "score", "points", "importance"),
    "name": ("name", "fullname", "displayname"),
    "organisation": ("organisation", "organization", "company"),
    "tags": ("tags", "labels"),
    "is_active": ("isactive", "active"),
    "followed_by": ("followedby",),
    "importance_score": ("importancescore",),
}  # fmt: skip
"""Our fields, and the folded names that exports of X, of CRMs and of this program give them, the surest first."""
OPTIONAL = ("user_id", "followed_user_id", "name", "organisation")
"""Fields that are left out of a row when they cannot be read; anything else costs the row."""
FORMS = 'CSV with username,weight, {"important_people": […]} or {"following_index": […]}'
LONGEST_TEXT = 200
BATCH = 500
"""Accounts that are looked up and written in one round trip."""
ROUNDS = 6
"""How often an account is decided again when somebody else writes it at the same time."""

Item = TypeVar("Item")
Fields = dict[str, Any]


@dataclass(frozen=True, slots=True)
class RejectedRow:
    """A row, or a follower in one, that is left out."""

    place: str
    text: str
    reason: str


@dataclass
class ImportedList:
    """The readable rows of a file, and what is wrong with the others."""

    people: dict[str, ImportantPerson] = field(default_factory=dict)
    """By folded handle, in the order of the file."""
    entries: list[IndexEntry] = field(default_factory=list)
    rejected: list[RejectedRow] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    """Fields that were left out of rows that are kept."""

    def reject(self, place: str, text: object, reason: object) -> None:
        shown = str(text)
        shown = shown if len(shown) <= LONGEST_TEXT else f"{shown[: LONGEST_TEXT - 1]}…"
        self.rejected.append(RejectedRow(place, shown, str(reason)))

    def note(self, place: str, problems: Sequence[str]) -> None:
        """Note the fields that are left out. Raises Unreadable for one that the row cannot do without."""
        for problem in problems:
            if problem.partition(":")[0] not in OPTIONAL:
                raise Unreadable(problem)
            self.notes.append(f"{place}: left out: {problem}")


@dataclass(frozen=True, slots=True)
class MergeResult:
    """What was changed, or would be."""

    changes: tuple[Change, ...]
    unchanged: int
    refused: tuple[str, ...] = ()
    """Accounts for which a unique index of the customer's holds another document."""

    def count(self, collection: str) -> int:
        """Changed documents of a collection."""
        return sum(change.collection == collection for change in self.changes)


def read(content: str, *, name: str = "-", column: str = "") -> ImportedList:
    """Read a list; rows that cannot be read are rejected one by one. `column` names the one with the accounts.

    Raises UsageError when the file as a whole cannot be read, or no row of it.
    """
    names = {**COLUMNS, "username": (fold_column(column),)} if column else COLUMNS
    columns = {alias for aliases in names.values() for alias in aliases}
    imported, guessed = ImportedList(), ""
    for row in read_rows(
        content,
        name=name,
        columns=columns,
        is_key=_is_mention,
        is_group=lambda key, _: fold_column(key) in GROUPS,
    ):
        place = f"{row.group} {row.position}" if row.group else f"line {row.line}"
        try:
            if row.error:
                raise Unreadable(row.error)
            is_index = {"followedby", "followedusername", "followeduserid"} & row.fields.keys()
            for fields in [_named(row, names)] if row.fields else _unnamed(row):
                if GROUPS.get(fold_column(row.group), INDEX if is_index else PEOPLE) == INDEX:
                    imported.entries.append(_entry(fields, place, imported))
                    continue
                person = importance.person_of({**fields, "username": _handle(fields.get("username"))})
                imported.note(place, person.problems)
                if imported.people.setdefault(fold_handle(person.username), person) is not person:
                    raise Unreadable("listed twice; the first counts")
        except (Unreadable, NotAHandle) as reason:
            imported.reject(place, row.text, reason)
        if row.cells and row.fields and not row.fields.keys() & {*names["username"], *names["user_id"]}:
            unread = [column for column in row.fields if column not in columns]
            guessed = f"no column is named username; not read: {', '.join(unread)}"
    if guessed:
        imported.notes.append(guessed)
    if not imported.people and not imported.entries:
        if not imported.rejected:
            raise UsageError(f"{name} lists no accounts", hint=f"use {FORMS}")
        first, more = imported.rejected[0], len(imported.rejected) - 1
        rest = f" (and {more} more)" if more else ""
        raise UsageError(
            f"{name}: {first.place}: {first.reason}{rest}", hint="correct these rows and import again"
        )
    return imported


def _named(row: ListRow, names: Mapping[str, Sequence[str]] = COLUMNS) -> Fields:
    """A row with a header, or an object. Without a column of accounts the first link or @name counts."""
    fields = _by_field(row.fields, names)
    if not row.fields.keys() & {*names["username"], *names["user_id"]}:
        fields["username"] = next(filter(_is_mention, row.cells), None)
    if any(map(_is_mention, row.cells[len(row.fields) :])):
        raise Unreadable("an account beyond the last column; write each account on a line of its own")
    return fields


def _by_field(folded: Mapping[str, Any], names: Mapping[str, Sequence[str]] = COLUMNS) -> Fields:
    """Values by our field names; of several columns for one field the surest that is not blank."""
    return {
        name: folded[alias]
        for name, aliases in names.items()
        for alias in reversed(aliases)
        if folded.get(alias) not in (None, "")
    }


def _unnamed(row: ListRow) -> list[Fields]:
    """A row without a header: a handle, and a weight or a name beside it; or handles alone."""
    cells = [cell.strip() for cell in row.cells if cell.strip()]
    if len(cells) > 1 and all(map(_is_mention, cells)):
        return [{"username": cell} for cell in cells]
    words = cells[0].split() if cells else []
    if len(cells) == 1 and len(words) == 2 and _is_weight(words[1]):
        cells = words
    fields: Fields = {"username": cells[0] if cells else None}
    for cell in cells[1:]:
        fields.setdefault("weight" if _is_weight(cell) else "name", cell)
    return [fields]


def _entry(fields: Fields, place: str, imported: ImportedList) -> IndexEntry:
    """An account with who follows it; a follower that cannot be read is left out and named. Raises Unreadable."""
    document = {
        "followed_username": _handle(fields["username"]) if "username" in fields else None,
        "followed_user_id": fields.get("user_id"),
        "importance_score": fields.get("importance_score"),
    }
    entry = importance.entry_of(document)
    imported.note(place, entry.problems)
    if not entry.username and not entry.user_id:
        raise Unreadable("followed_username and followed_user_id are both missing")
    rows = fields.get("followed_by") or []
    if isinstance(rows, str):  # a cell: JSON as databases export it, or handles with commas or semicolons
        try:
            rows = json.loads(rows) if rows.strip().startswith("[") else handles(rows)
        except (ValueError, RecursionError) as reason:
            raise Unreadable(f"followed_by: {reason}") from None
    if not isinstance(rows, list):
        raise Unreadable("followed_by is not a list")
    followers: dict[str, Follower] = {}
    for number, one in enumerate(rows, start=1):
        try:
            folded = (
                {fold_column(str(key)): value for key, value in one.items()} if isinstance(one, dict) else {}
            )
            named = _by_field(folded) if isinstance(one, dict) else {"username": one}
            follower = importance.follower_of({**named, "username": _handle(named.get("username"))})
            followers.setdefault(fold_handle(follower.username), follower)
        except (Unreadable, NotAHandle) as reason:
            imported.reject(f"{place}: followed_by {number}", one, reason)
    if not followers and (rows or entry.stated_score is None):
        raise Unreadable("no entry of followed_by can be read" if rows else "followed_by is empty")
    return replace(entry, followers=tuple(followers.values()))


def _handle(value: Any) -> str:
    if value is None:
        raise Unreadable("no username")
    if isinstance(value, (bool, float, list, dict)):
        raise Unreadable("the username is not text")
    return handle(str(value))


def _is_mention(text: str) -> bool:
    """Whether a cell is clearly an account: a link or @name."""
    if not text.strip().startswith(("@", "http")):
        return False
    try:
        return bool(handle(text))
    except NotAHandle:
        return False


def _is_weight(text: str) -> bool:
    try:
        return weight_of(text) is not None
    except Unreadable:
        return False


def import_list(
    db: Db, names: ImportanceCollections, imported: ImportedList, *, now: datetime, dry_run: bool = False
) -> MergeResult:
    """Merge people and entries. Repeating it changes nothing."""
    people = _merge_people(db, names, list(imported.people.values()), now=now, dry_run=dry_run)
    index = merge_entries(db, names, imported.entries, source=IMPORT, now=now, dry_run=dry_run)
    return MergeResult(
        people.changes + index.changes, people.unchanged + index.unchanged, people.refused + index.refused
    )


def _merge_people(
    db: Db, names: ImportanceCollections, people: Sequence[ImportantPerson], *, now: datetime, dry_run: bool
) -> MergeResult:
    changes: list[Change] = []
    refused: list[str] = []
    for chunk in _chunks(people):
        stored = importance.find_person(db, names, [person.username for person in chunk])
        merged = (merge_person(stored.get(fold_handle(person.username)), person) for person in chunk)
        updates = [update for update in merged if update is not None]
        late = [] if dry_run else importance.update_people(db, names, updates, now=now)
        refused += [f"@{update.username}" for update in late]
        for update in updates:
            if update in late:
                continue
            before = update.before
            differences = tuple(
                (name, getattr(before, name) if before else None, value)
                for name, value in update.values.items()
            )
            name = before.username if before else update.username
            changes.append(Change(names.important_people, name, before is None, differences))
    return MergeResult(tuple(changes), len(people) - len(changes) - len(refused), tuple(refused))


def merge_entries(
    db: Db,
    names: ImportanceCollections,
    entries: Sequence[IndexEntry],
    *,
    source: str,
    now: datetime,
    dry_run: bool = False,
) -> MergeResult:
    """Merge entries of the index, follower by follower, in rounds until no other write is in the way."""
    changes: list[Change] = []
    refused: list[str] = []
    for chunk in _chunks(entries):
        waiting = list(chunk)
        for _ in range(ROUNDS):
            decided, waiting = _decide(db, names, waiting, source=source, now=now)
            updates = [update for _, update in decided]
            late = [] if dry_run else importance.apply_updates(db, names, updates, now=now)
            lost = {id(update) for update in late}
            waiting += [entry for entry, update in decided if id(update) in lost]
            changes += [_entry_change(names.following_index, one) for one in updates if id(one) not in lost]
            if not waiting:
                break
        refused += [entry.display_name for entry in waiting]
    return MergeResult(tuple(changes), len(entries) - len(changes) - len(refused), tuple(refused))


def _decide(
    db: Db, names: ImportanceCollections, entries: Sequence[IndexEntry], *, source: str, now: datetime
) -> tuple[list[tuple[IndexEntry, EntryUpdate]], list[IndexEntry]]:
    """The updates of this round, one per document, and the entries that wait for the next round."""
    stored = importance.find(db, names, [(entry.user_id, entry.username) for entry in entries])
    decided, later, taken = [], [], set()
    for entry, before in zip(entries, stored, strict=True):
        key = str(before.document["_id"]) if before else entry.user_id or fold_handle(entry.username or "")
        if key in taken:
            later.append(entry)
            continue
        taken.add(key)
        if (update := merge_entry(before, entry, source=source, now=now)) is not None:
            decided.append((entry, update))
    return decided, later


def _chunks(items: Sequence[Item]) -> Iterator[Sequence[Item]]:
    for at in range(0, len(items), BATCH):
        yield items[at : at + BATCH]


def merge_entry(
    before: IndexEntry | None, entry: IndexEntry, *, source: str, now: datetime
) -> EntryUpdate | None:
    """What the followers of `entry` add to the stored one; None when it holds all of it already.

    Followers are merged by handle. One who was there keeps the stored source, unless that was a build: what the
    customer or an import wrote never expires. What a build confirms gets its time anew.
    """
    stored = {fold_handle(follower.username): follower for follower in before.followers} if before else {}
    put = {}
    for follower in entry.followers:
        key = fold_handle(follower.username)
        old = stored.get(key)
        is_changed = old is None or follower.weight != old.weight or follower.name not in (None, old.name)
        if is_changed or (source == BUILD and old is not None and old.source == BUILD):
            kept = source if old is None or old.source == BUILD else old.source
            put[key] = replace(follower, source=kept, seen_at=now if kept is not None else None)
    score = entry.stated_score if not entry.followers else None
    if before and not put and score in (None, before.score):
        return None
    if score is None:
        score = _score(before, {**stored, **put}.values())
    return EntryUpdate(before, entry.username, entry.user_id, tuple(put.values()), (), score)


def drop_followers(before: IndexEntry, usernames: Iterable[str]) -> EntryUpdate | None:
    """Take followers out of an entry; None when none of them is in it."""
    gone = {fold_handle(username) for username in usernames}
    rest = [follower for follower in before.followers if fold_handle(follower.username) not in gone]
    if len(rest) == len(before.followers):
        return None
    return EntryUpdate(before, None, None, (), tuple(sorted(gone)), _score(before, rest))


def _score(before: IndexEntry | None, followers: Iterable[Follower]) -> float:
    """The sum of the weights; a stated score that differs from the sum is moved by as much as the sum moves."""
    total = weights_of(tuple(followers))
    old = weights_of(before.followers) if before else 0.0
    if before is None or before.stated_score is None or math.isclose(before.stated_score, old):
        return total
    return max(0.0, before.stated_score + total - old)


def stale_followers(
    entry: IndexEntry, *, complete: Mapping[str, datetime | None], now: datetime, expire_after: timedelta
) -> list[str]:
    """Handles of followers that a build wrote and that no longer hold.

    `complete` names the important people of today (folded), and when the last reading of their followings began
    that reached the end: a follower not seen since then follows no more. One who is no longer an important person
    goes at once. Without a complete reading a follower holds for `expire_after`.
    """
    oldest = now - expire_after
    stale = []
    for follower in entry.followers:
        person = fold_handle(follower.username)
        since = max(complete.get(person) or oldest, oldest)
        is_old = person not in complete or follower.seen_at is None or follower.seen_at < since
        if follower.source == BUILD and is_old:
            stale.append(follower.username)
    return stale


def merge_person(before: ImportantPerson | None, person: ImportantPerson) -> PersonUpdate | None:
    """The fields that a list changes; None when there is nothing new. Tags are added, never taken away."""
    values: dict[str, object] = {}
    for name in ("weight", "user_id", "name", "organisation", "is_active"):
        value = getattr(person, name)
        if value is not None and (before is None or value != getattr(before, name)):
            values[name] = value
    tags = before.tags if before else ()
    if not set(person.tags) <= set(tags):
        values["tags"] = list(dict.fromkeys((*tags, *person.tags)))
    return PersonUpdate(before, person.username, values) if values or before is None else None


def _entry_change(collection: str, update: EntryUpdate) -> Change:
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
