"""What there is in the firm's collections, what of it no rule can read, and which indexes would help."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pymongo import ASCENDING, DESCENDING, IndexModel
from pymongo.errors import OperationFailure

from socap_cli.model.important import ImportantPerson, IndexEntry
from socap_cli.store import importance, important_people
from socap_cli.store.connect import Db
from socap_cli.store.importance import WITHOUT_CASE, ImportanceCollections

SHOWN = 5


@dataclass(frozen=True, slots=True)
class UnreadableDocument:
    """A document of which something cannot be read: which, and why."""

    collection: str
    key: str
    problems: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FirmSurvey:
    """The firm's collections as they are."""

    entries: int
    people: int
    unreadable: int
    """Documents of which something could not be read."""
    samples: tuple[UnreadableDocument, ...]
    missing_indexes: tuple[str, ...]
    """Indexes that would make look-ups faster; none is needed."""


@dataclass(frozen=True, slots=True)
class _Wanted:
    collection: str
    field: str
    direction: int
    without_case: bool = False

    @property
    def name(self) -> str:
        return f"socap_{self.field}"

    @property
    def display_name(self) -> str:
        return f"{self.collection}.{self.field}{' (without case)' if self.without_case else ''}"

    def model(self) -> IndexModel:
        collation = {"collation": WITHOUT_CASE} if self.without_case else {}
        return IndexModel([(self.field, self.direction)], name=self.name, **collation)


def survey(db: Db, names: ImportanceCollections) -> FirmSurvey:
    """Read every document once."""
    entries = people = unreadable = 0
    samples: list[UnreadableDocument] = []

    def note(collection: str, document: IndexEntry | ImportantPerson) -> None:
        nonlocal unreadable
        unreadable += bool(document.problems)
        if document.problems and len(samples) < SHOWN:
            samples.append(UnreadableDocument(collection, str(document.key), document.problems))

    for entry in importance.entries(db, names):
        entries += 1
        note(names.following_index, entry)
    for person in important_people.listed(db, names):
        people += 1
        note(names.important_people, person)
    missing = tuple(wanted.display_name for wanted in _missing(db, names))
    return FirmSurvey(entries, people, unreadable, tuple(samples), missing)


def create_indexes(db: Db, names: ImportanceCollections, *, dry_run: bool = False) -> list[str]:
    """Make the indexes that look-ups profit from, beside whatever the firm has; return which are new.

    None is unique: the firm's documents are not judged.
    """
    made = []
    for wanted in _missing(db, names):
        if not dry_run:
            db[wanted.collection].create_indexes([wanted.model()])
        made.append(wanted.display_name)
    return made


def _missing(db: Db, names: ImportanceCollections) -> Iterator[_Wanted]:
    for wanted in (
        _Wanted(names.following_index, "followed_user_id", ASCENDING),
        _Wanted(names.following_index, "followed_username", ASCENDING, without_case=True),
        _Wanted(names.following_index, "importance_score", DESCENDING),
        _Wanted(names.following_index, "updated_at", ASCENDING),
        _Wanted(names.important_people, "username", ASCENDING, without_case=True),
    ):
        if not any(_serves(index, wanted) for index in _indexes(db, wanted.collection)):
            yield wanted


def _indexes(db: Db, collection: str) -> list[dict[str, object]]:
    try:
        return [dict(index) for index in db[collection].list_indexes()]
    except OperationFailure:  # no such collection yet
        return []


def _serves(index: dict[str, object], wanted: _Wanted) -> bool:
    """Whether an index begins with the field and compares as look-ups do."""
    key = index.get("key")
    first = next(iter(key), None) if isinstance(key, dict) else None
    collation = index.get("collation")
    strength = collation.get("strength") if isinstance(collation, dict) else None
    partial = "partialFilterExpression" in index or index.get("sparse")
    return first == wanted.field and (strength == 2) is wanted.without_case and not partial
