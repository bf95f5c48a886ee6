"""One row of a list of important people, or of the accounts they follow, whatever its columns are called."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from socap_cli.files.column_names import fold_column
from socap_cli.files.pasted import NotAHandle, handle
from socap_cli.model import cleaning
from socap_cli.model.important import Follower, ImportantPerson, IndexEntry, Unreadable, id_of, weight_of

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
