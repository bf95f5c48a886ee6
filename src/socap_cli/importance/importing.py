"""Write what a list says into the firm's collections, merged with what stands there."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, TypeVar

from socap_cli.errors import UsageError
from socap_cli.files import (
    Document,
    NotAHandle,
    NotJson,
    Row,
    Table,
    documents,
    fold_column,
    handle,
    handles,
    read_table,
)
from socap_cli.model import cleaning
from socap_cli.model.important import (
    Change,
    EntryUpdate,
    Follower,
    ImportantPerson,
    IndexEntry,
    PersonUpdate,
    Unreadable,
    fold_handle,
    id_of,
    weight_of,
    weights_of,
)
from socap_cli.store import Db, importance
from socap_cli.store.importance import ImportanceCollections

BATCH = 500
"""Accounts that are looked up and written in one round trip."""


ROUNDS = 6
"""How often an account is decided anew when somebody else writes it at the same time."""


Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class MergeResult:
    """What was changed, or would be."""

    changes: tuple[Change, ...]
    unchanged: int
    refused: tuple[str, ...] = ()
    """Accounts that another document stands in the way of, under a unique index of the firm's."""

    def count(self, collection: str) -> int:
        """Documents of a collection that were changed."""
        return sum(change.collection == collection for change in self.changes)


class _Merge:
    """One chunk of entries, decided and written in rounds until nobody else's write is in the way."""

    def __init__(
        self, db: Db, names: ImportanceCollections, source: str, now: datetime, dry_run: bool
    ) -> None:
        self._db, self._names, self._source, self._now, self._dry_run = db, names, source, now, dry_run
        self.refused: tuple[str, ...] = ()

    def run(self, wanted: Sequence[IndexEntry]) -> Iterator[Change]:
        """Write; yields the changes that were made."""
        rest = list(wanted)
        for _ in range(ROUNDS):
            decided, rest = self._decide(rest)
            if not self._dry_run and decided:
                late = importance.apply_updates(
                    self._db, self._names, [update for _, update in decided], now=self._now
                )
                lost = {id(update) for update in late}
                rest.extend(entry for entry, update in decided if id(update) in lost)
                decided = [(entry, update) for entry, update in decided if id(update) not in lost]
            yield from (entry_change(self._names.following_index, update) for _, update in decided)
            if not rest:
                return
        self.refused = tuple(entry.display_name for entry in rest)

    def _decide(
        self, wanted: Sequence[IndexEntry]
    ) -> tuple[list[tuple[IndexEntry, EntryUpdate]], list[IndexEntry]]:
        """The updates of this round, one a document, and the entries that wait for the next."""
        known = importance.find(self._db, self._names, [(entry.user_id, entry.username) for entry in wanted])
        decided, later, taken = [], [], set()
        for entry, before in zip(wanted, known, strict=True):
            if before and before.user_id and entry.user_id not in (None, before.user_id):
                before = None  # the handle has moved on to another account
            name = str(before.key) if before else entry.user_id or fold_handle(entry.username or "")
            if name in taken:
                later.append(entry)
                continue
            taken.add(name)
            if (update := merge_entry(before, entry, source=self._source, now=self._now)) is not None:
                decided.append((entry, update))
        return decided, later


IMPORT, BUILD = "import", "build"


PEOPLE, INDEX = "important_people", "following_index"


LISTS = {"importantpeople": PEOPLE, "people": PEOPLE, "followingindex": INDEX, "index": INDEX}
"""Folded names of the lists in a JSON object."""


NAMES = {
    "username": (
        "username", "handle", "screenname", "twitterhandle", "twitterusername", "xhandle", "xusername", "account",
        "user", "twitter", "x", "followedusername", "profile", "profileurl", "profilelink", "twitterurl",
        "twitterlink", "link", "url", "nutzername", "benutzername", "konto", "compte", "cuenta", "usuario",
    ),
    "user_id": ("userid", "twitterid", "accountid", "followeduserid", "restid", "idstr"),
    "weight": ("weight", "score", "points", "importance", "gewicht", "gewichtung", "poids", "peso"),
    "name": ("name", "fullname", "displayname"),
    "organisation": ("organisation", "organization", "org", "company", "firm", "fund", "employer"),
    "tags": ("tags", "tag", "labels", "label", "categories", "category"),
    "is_active": ("isactive", "active"),
    "followed_by": ("followedby", "followers"),
    "importance_score": ("importancescore",),
}  # fmt: skip
"""Fields, and the folded names under which files hold them, the surest first."""


COLUMNS = frozenset(alias for aliases in NAMES.values() for alias in aliases)


FORMS = 'CSV with username,weight, {"important_people": […]} or {"following_index": […]}'


LONGEST_TEXT = 200


TAG_MARKS = re.compile(r"[;,|]")


ANSWERS = {"": None, "true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


Fields = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Rejected:
    """A row, or a follower in one, that is left out: where it stands, what it says, why."""

    place: str
    text: str
    reason: str


@dataclass
class Listed:
    """What a file says, and what of it could not be read."""

    people: dict[str, ImportantPerson] = field(default_factory=dict)
    """By folded handle, in the order of the file."""
    entries: list[IndexEntry] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    """What was mended in rows that are kept, or left out of them."""

    def add(self, one: ImportantPerson, place: str) -> None:
        """Take a person in; who was listed before is left out here."""
        if self.people.setdefault(one.username.lower(), one) is not one:
            self.reject(place, f"@{one.username}", "listed twice; the first counts")

    def reject(self, place: str, text: object, reason: object) -> None:
        """Leave a row out."""
        self.rejected.append(Rejected(place, shortened(str(text)), str(reason)))


def import_list(
    db: Db, names: ImportanceCollections, listed: Listed, *, now: datetime, dry_run: bool = False
) -> MergeResult:
    """Merge people and entries; with `dry_run` only say what that would change. Repeating it changes nothing."""
    people = import_people(db, names, list(listed.people.values()), now=now, dry_run=dry_run)
    index = merge_entries(db, names, listed.entries, source=IMPORT, now=now, dry_run=dry_run)
    return MergeResult(
        people.changes + index.changes, people.unchanged + index.unchanged, people.refused + index.refused
    )


def import_people(
    db: Db,
    names: ImportanceCollections,
    wanted: Sequence[ImportantPerson],
    *,
    now: datetime,
    dry_run: bool = False,
) -> MergeResult:
    """Merge important people by handle, field by field."""
    changes: list[Change] = []
    refused: list[str] = []
    for chunk in _chunks(wanted):
        known = importance.find_person(db, names, [person.username for person in chunk])
        updates = [
            update
            for person in chunk
            if (update := merge_person(known.get(fold_handle(person.username)), person)) is not None
        ]
        in_the_way = [] if dry_run else importance.update_people(db, names, updates, now=now)
        refused.extend(f"@{update.username}" for update in in_the_way)
        done = {id(update) for update in updates} - {id(update) for update in in_the_way}
        changes.extend(
            person_change(names.important_people, update) for update in updates if id(update) in done
        )
    return MergeResult(tuple(changes), len(wanted) - len(changes) - len(refused), tuple(refused))


def merge_entries(
    db: Db,
    names: ImportanceCollections,
    wanted: Sequence[IndexEntry],
    *,
    source: str,
    now: datetime,
    dry_run: bool = False,
) -> MergeResult:
    """Merge entries of the index, follower by follower."""
    changes: list[Change] = []
    refused: list[str] = []
    for chunk in _chunks(wanted):
        update = _Merge(db, names, source, now, dry_run)
        changes.extend(update.run(chunk))
        refused.extend(update.refused)
    return MergeResult(tuple(changes), len(wanted) - len(changes) - len(refused), tuple(refused))


def _chunks(items: Sequence[Item]) -> Iterator[Sequence[Item]]:
    for at in range(0, len(items), BATCH):
        yield items[at : at + BATCH]


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


def read(content: str, *, name: str = "-") -> Listed:
    """What a file lists, row by row; rows that cannot be read are named and left out.

    Raises UsageError when the file as a whole cannot be read, or nothing in it can.
    """
    listed = Listed()
    if content.lstrip()[:1] in ("{", "["):
        _read_json(content, name, listed)
    else:
        _read_table(content, name, listed)
    if not listed.people and not listed.entries:
        raise _nobody(name, listed)
    return listed


def _nobody(name: str, listed: Listed) -> UsageError:
    if not listed.rejected:
        return UsageError(f"{name} holds nobody", hint=f"use {FORMS}")
    first, more = listed.rejected[0], len(listed.rejected) - 1
    rest = f" (and {more} more)" if more else ""
    return UsageError(f"{name}: {first.place}: {first.reason}{rest}", hint="mend these rows and import again")


def _read_json(content: str, name: str, listed: Listed) -> None:
    for where, number, row in _json_rows(content, name, listed):
        place = f"{where} {number}"
        try:
            fields = fields_of(row) if isinstance(row, Mapping) else {"username": row}
            if where == PEOPLE:
                listed.add(person(fields, place, listed), place)
            else:
                listed.entries.append(entry(fields, place, listed))
        except Unreadable as reason:
            listed.reject(place, json.dumps(row)[:200], reason)


def _json_rows(content: str, name: str, listed: Listed) -> Iterator[tuple[str, int, Any]]:
    """(list, position, row) of an object with lists, of one list, or of an object a line."""
    found = _documents(content, name)
    tree = found[0].value if len(found) == 1 else [one.value for one in found if not one.unreadable]
    for one in found:
        if one.unreadable:
            listed.reject(f"line {one.line}", one.text, one.unreadable)
    if isinstance(tree, dict) and any(fold_column(key) in LISTS for key in tree):
        for key, rows in tree.items():
            if fold_column(key) in LISTS and not isinstance(rows, list | None):
                listed.reject(key, json.dumps(rows), "no list")
            elif fold_column(key) in LISTS:
                yield from (
                    (LISTS[fold_column(key)], number, row) for number, row in enumerate(rows or (), start=1)
                )
        return
    if not isinstance(tree, (list, dict)):
        raise UsageError(f"{name}: neither a list nor an object", hint=f"use {FORMS}")
    rows = tree if isinstance(tree, list) else [tree] if tree else []
    for number, row in enumerate(rows, start=1):
        yield (INDEX if _is_entry(row) else PEOPLE), number, row


def _is_entry(row: Any) -> bool:
    names = {fold_column(key) for key in row} if isinstance(row, Mapping) else set()
    return bool(names & {"followedby", "followedusername", "followeduserid"})


def _documents(content: str, name: str) -> list[Document]:
    try:
        return documents(content)
    except NotJson as reason:
        raise UsageError(f"{name}: {reason}", hint="mend that line; write long ids as text") from None


def _read_table(content: str, name: str, listed: Listed) -> None:
    table = read_table(content, names=COLUMNS, is_key=_is_mention)
    for unreadable in table.unreadable:
        listed.reject(f"line {unreadable.line}", unreadable.text, unreadable.reason)
    names = _columns(table, name)
    is_index = bool({"followedusername", "followeduserid"} & set(table.header))
    for row in _data(table, listed):
        place = f"line {row.line}"
        try:
            for fields in [_titled(names, row)] if names else _bare(row):
                if is_index:
                    listed.entries.append(entry(_with_followers(fields), place, listed))
                elif any(str(value).strip() for value in fields.values()):
                    listed.add(person(fields, place, listed), place)
        except Unreadable as reason:
            listed.reject(place, row.text, reason)


def _titled(names: Sequence[str], row: Row) -> dict[str, Any]:
    """The cells of a row under their titles. Raises Unreadable for an account that no title stands above."""
    if any(map(_is_mention, row.cells[len(names) :])):
        raise Unreadable("an account beyond the last title; write each on a line of its own")
    return fields_of(dict(zip(names, row.cells, strict=False)))


def _columns(table: Table, name: str) -> Sequence[str]:
    """The header, with the column of accounts found by what stands in it when no name tells. Raises UsageError."""
    if not table.header or set(table.header) & set(NAMES["username"]):
        return table.header
    counts = [
        sum(at < len(row.cells) and _is_mention(row.cells[at]) for row in table.rows)
        for at in range(len(table.header))
    ]
    if not any(counts):
        raise UsageError(f"{name}: no column with accounts", hint="call it username")
    at = counts.index(max(counts))
    return [*table.header[:at], "username", *table.header[at + 1 :]]


def _data(table: Table, listed: Listed) -> Sequence[Row]:
    """The rows without one of unknown titles: it holds no account where each after it does."""
    first, *rest = table.rows or (None,)
    if table.header or first is None or not rest or first.has_key(_is_mention):
        return table.rows
    if len(first.cells) < 2 or not all(row.has_key(_is_mention) for row in rest):
        return table.rows
    listed.reject(f"line {first.line}", first.text, "titles that are not known; write username and weight")
    return rest


def _with_followers(fields: dict[str, Any]) -> dict[str, Any]:
    """Who follows an account, from one cell: JSON as databases export it, or handles with marks between them."""
    cell = str(fields.get("followed_by", "")).strip()
    try:
        return {
            **fields,
            "followed_by": json.loads(cell) if cell[:1] == "[" else handles(cell) if cell else [],
        }
    except (NotAHandle, ValueError, RecursionError) as reason:
        raise Unreadable(f"followed_by: {reason}") from None


def _bare(row: Row) -> list[dict[str, Any]]:
    """A row without a header: a handle, and a weight or a name beside it; or handles alone."""
    cells = [cell.strip() for cell in row.cells if cell.strip()]
    if len(cells) > 1 and all(map(_is_mention, cells)):
        return [{"username": cell} for cell in cells]
    words = cells[0].split()
    if len(cells) == 1 and len(words) == 2 and _is_weight(words[1]):
        cells = words
    fields: dict[str, Any] = {"username": cells[0]}
    for cell in cells[1:]:
        fields.setdefault("weight" if _is_weight(cell) else "name", cell)
    return [fields]


def _is_weight(text: str) -> bool:
    try:
        return weight_of(text) is not None
    except Unreadable:
        return False


def _is_mention(text: str) -> bool:
    """Whether a cell is clearly an account: a link or @name."""
    return text.strip().startswith(("@", "http")) and _is_handle(text)


def _is_handle(text: str) -> bool:
    try:
        handle(text)
    except NotAHandle:
        return False
    return True


def fields_of(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row by the names of our fields; of several columns for one field the surest that is not blank."""
    folded = {fold_column(str(name)): value for name, value in row.items()}
    found: dict[str, Any] = {}
    for name, aliases in NAMES.items():
        given = [folded[alias] for alias in aliases if folded.get(alias) not in (None, "")]
        if given:
            found[name] = given[0]
    return found


def person(fields: Fields, place: str, listed: Listed) -> ImportantPerson:
    """An important person. Raises Unreadable when the handle or the weight cannot be read."""
    return ImportantPerson(
        username=_handle(fields.get("username")),
        weight=weight_of(plain(fields.get("weight"))),
        user_id=_id(fields, place, listed),
        name=_text(fields, "name", place, listed),
        organisation=_text(fields, "organisation", place, listed),
        tags=_tags(fields.get("tags")),
        is_active=_answer(fields.get("is_active")),
    )


def entry(fields: Fields, place: str, listed: Listed) -> IndexEntry:
    """An account with who follows it; a follower that cannot be read is left out and named. Raises Unreadable."""
    username = fields.get("username")
    user_id = _id(fields, place, listed)
    stated = weight_of(plain(fields.get("importance_score")))
    given = fields.get("followed_by") or ()
    if not isinstance(given, Sequence) or isinstance(given, str):
        raise Unreadable("followed_by is no list")
    followers = _each(given, lambda row, at: _follower(row, at, listed), f"{place}: followed_by", listed)
    if not username and not user_id:
        raise Unreadable("neither followed_username nor followed_user_id")
    if not followers and (given or stated is None):
        raise Unreadable("nobody in followed_by can be read" if given else "followed_by is empty")
    return IndexEntry(_handle(username) if username else None, user_id, tuple(followers), stated)


def _each(
    rows: Sequence[Any], read: Callable[[Any, str], Follower], place: str, listed: Listed
) -> list[Follower]:
    found: dict[str, Follower] = {}
    for number, row in enumerate(rows, start=1):
        try:
            follower = read(row, f"{place} {number}")
        except Unreadable as reason:
            listed.reject(f"{place} {number}", row, reason)
        else:
            found.setdefault(follower.username.lower(), follower)
    return list(found.values())


def _follower(row: Any, place: str, listed: Listed) -> Follower:
    fields = fields_of(row) if isinstance(row, Mapping) else {"username": row}
    weight = weight_of(plain(fields.get("weight")))
    return Follower(
        _handle(fields.get("username")),
        1.0 if weight is None else weight,
        _id(fields, place, listed),
        _text(fields, "name", place, listed),
    )


def plain(value: Any) -> Any:
    """A number in MongoDB's extended JSON, {"$numberLong": "5"}, as the number that it is."""
    if isinstance(value, Mapping) and len(value) == 1:
        name, inner = next(iter(value.items()))
        return inner if name in ("$numberInt", "$numberLong", "$numberDouble", "$numberDecimal") else value
    return value


def shortened(text: str) -> str:
    """The beginning of a text, for a line of a report."""
    return text if len(text) <= LONGEST_TEXT else f"{text[: LONGEST_TEXT - 1]}…"


def _handle(value: Any) -> str:
    if value is None or isinstance(value, (bool, float, list, Mapping)):
        raise Unreadable("no username" if value is None else "the username is no text")
    try:
        return handle(str(value))
    except NotAHandle as reason:
        raise Unreadable(str(reason)) from None
    except ValueError:  # a number of more digits than Python writes
        raise Unreadable("the username is a number of many digits") from None


def _id(fields: Fields, place: str, listed: Listed) -> str | None:
    try:
        return id_of(plain(fields.get("user_id")))
    except Unreadable as reason:
        listed.notes.append(f"{place}: user_id left out: {reason}")
        return None


def _text(fields: Fields, name: str, place: str, listed: Listed) -> str | None:
    """A text that a database and a page can hold."""
    value = fields.get(name)
    if not isinstance(value, str):
        if value is not None:
            listed.notes.append(f"{place}: {name} left out: no text")
        return None
    if any("\ud800" <= character <= "\udfff" for character in value):
        listed.notes.append(f"{place}: {name}: half a character replaced")
    return cleaning.one_line(value, limit=LONGEST_TEXT) or None


def _tags(value: Any) -> tuple[str, ...]:
    words = TAG_MARKS.split(value) if isinstance(value, str) else value if isinstance(value, list) else ()
    clean = (word.strip() for word in words if isinstance(word, str) and word.isprintable())
    return tuple(dict.fromkeys(word[:LONGEST_TEXT] for word in clean if word))


def _answer(value: Any) -> bool | None:
    if value is None or isinstance(value, bool):
        return value
    try:
        return ANSWERS[str(value).strip().lower()]
    except KeyError:
        raise Unreadable(f"is_active: {shortened(ascii(value))} is neither yes nor no") from None
