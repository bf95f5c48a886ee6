"""One account or all of them: what is known of their importance, taken out again, and written down."""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from importlib.resources import files
from typing import Any

from socap_cli.errors import ConfigError
from socap_cli.files import display_name, read_text
from socap_cli.importance.building import accounts_of
from socap_cli.importance.importing import drop_followers
from socap_cli.model.engagement import (
    OTHERS,
    Engagement,
    Importance,
    LabelRules,
    Rule,
    categorize,
    organisations_of,
)
from socap_cli.model.important import Change, Follower, ImportantPerson, IndexEntry, fold_handle
from socap_cli.store import Db, importance
from socap_cli.store.importance import ImportanceCollections, Rescored, Scope


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


OVERLAP = timedelta(minutes=10)
"""Changes are looked for from so long before the last time: other hosts' clocks wrote them."""


MOST_ACCOUNTS = 2000
"""From more changed accounts on all engagements are rescored, which is one pass over them."""


SAMPLES = 20


EVERYTHING = Scope()


@dataclass
class RescoreResult:
    """What a rescoring did, or would do."""

    engagements: int = 0
    """How many were looked at."""
    changed: int = 0
    higher: int = 0
    """How many the alerts consider again."""
    recategorized: int = 0
    samples: list[tuple[str, float | None, float | None]] = field(default_factory=list)
    """(handle, score before, score after) of the first that changed."""


LABEL = re.compile(r"[a-z0-9][a-z0-9_-]{0,40}")


KEYS = ("words", "patterns", "unless")


SHOWN_BY = "see a whole file with: socap categories export"


def find_account(db: Db, names: ImportanceCollections, username: str) -> Account:
    """An account by its handle in any case; a handle of digits may be an id as well."""
    user_id = username if username.isdigit() else None
    entry = importance.find(db, names, [(None, username)])[0]
    if entry is None and user_id:
        entry = importance.find(db, names, [(user_id, None)])[0]
    person = importance.find_person(db, names, [username]).get(fold_handle(username))
    return Account((entry and entry.username) or (person and person.username) or username, entry, person)


def remove_account(
    db: Db, names: ImportanceCollections, account: Account, *, now: datetime, dry_run: bool = False
) -> Removal:
    """Forget an account: as an important person, with all that its following gave, and its own entry.

    Killed in between, it can be repeated.
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
    importance.remove_person(db, names, people)
    return Removal(len(people), len(entries), len(updates) - len(late))


def exported(db: Db, names: ImportanceCollections) -> Iterator[tuple[str, dict[str, Any]]]:
    """(list, row) of both collections, in the form that an import reads.

    What cannot be read is left out, and of several documents of one account those that do not count.
    """
    people: set[str] = set()
    for person in importance.listed(db, names):
        name = fold_handle(person.username)
        if name and name not in people:
            people.add(name)
            yield "important_people", person_row(person)
    best: dict[str, tuple[float, object]] = {}
    for entry in importance.index_entries(db, names):
        for name in _found_by(entry):
            if name not in best or entry.score > best[name][0]:
                best[name] = entry.score, entry.key
    for entry in importance.index_entries(db, names):
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


def rescore(
    db: Db,
    names: ImportanceCollections,
    rules: LabelRules,
    *,
    scope: Scope = EVERYTHING,
    dry_run: bool = False,
    progress: Callable[[int], None] = lambda _: None,
) -> RescoreResult:
    """Score and categorize engagements anew. Repeating it changes nothing."""
    result = RescoreResult()
    for batch in importance.read(db, scope):
        scores = importance.look_up(db, names, [one.profile for one in batch])
        changes = [
            change
            for one in batch
            if (change := _change(one, scores[one.profile.user_id], rules, result)) is not None
        ]
        if not dry_run:
            importance.write(db, changes)
        result.engagements += len(batch)
        result.changed += len(changes)
        result.higher += sum(change.is_higher for change in changes)
        progress(result.engagements)
    return result


def catch_up(db: Db, names: ImportanceCollections, rules: LabelRules, *, now: datetime) -> RescoreResult:
    """Rescore what changed since the last time: entries by their `updated_at`, removed accounts, the rules.

    The first time there is nothing to compare with and everything is rescored.
    """
    state = importance.state(db)
    mark = fingerprint(rules)
    if state.index_until is None or state.rules != mark:
        result = rescore(db, names, rules)
    else:
        changed = list(importance.index_entries(db, names, since=state.index_until - OVERLAP))
        ids = {entry.user_id for entry in changed if entry.user_id} | set(state.removed)
        handles = {fold_handle(entry.username) for entry in changed if entry.username} | set(state.removed)
        if not ids and not handles:
            result = RescoreResult()
        else:
            few = len(ids | handles) <= MOST_ACCOUNTS
            result = rescore(db, names, rules, scope=Scope(ids, handles) if few else EVERYTHING)
    importance.note_done(db, state, index_until=now, rules=mark)
    return result


def fingerprint(rules: LabelRules) -> str:
    """A short text that differs whenever the rules do."""
    return hashlib.sha256(repr(rules).encode()).hexdigest()[:16]


def _change(one: Engagement, score: Importance, rules: LabelRules, result: RescoreResult) -> Rescored | None:
    """What is different of an engagement now; None when nothing is."""
    labels = categorize(one.profile, rules), organisations_of(one.profile, rules)
    if (one.importance, one.categories, one.organisations) == (score, *labels):
        return None
    before, after = one.importance.score, score.score
    if before != after and len(result.samples) < SAMPLES:
        result.samples.append((one.profile.username, before, after))
    result.recategorized += (one.categories, one.organisations) != labels
    is_higher = (after or 0.0) > (before or 0.0)
    return Rescored(one.engagement_id, score, *labels, is_higher=is_higher)


def default_text() -> str:
    """The rules that hold when no file is named, with what they mean."""
    return files("socap_cli.importance").joinpath("categories.toml").read_text(encoding="utf-8")


@lru_cache(maxsize=1)
def default_rules() -> LabelRules:
    """The rules of `default_text`; a test checks them, so that no command compiles what it does not look for."""
    return _read(default_text(), "the default rules")


def load_rules(path: str) -> LabelRules:
    """The rules of a file. Raises UsageError when it cannot be read, ConfigError that names the wrong rule."""
    return parse_rules(read_text(path), display_name(path))


def parse_rules(text: str, name: str) -> LabelRules:
    """TOML as rules. Raises ConfigError that names the line or the rule."""
    rules = _read(text, name)
    for rule in (*rules.categories, *rules.organisations):
        _check(rule, name)
    return rules


def _read(text: str, name: str) -> LabelRules:
    try:
        tree = tomllib.loads(text)
    except RecursionError:
        raise ConfigError(f"{name}: nested too deeply", hint=SHOWN_BY) from None
    except ValueError as error:
        raise ConfigError(f"{name}: {error}", hint="mend that line") from None
    unknown = set(tree) - {"categories", "organisations"}
    if unknown:
        raise ConfigError(f"{name}: no section [{sorted(unknown)[0]}]", hint=SHOWN_BY)
    categories = tuple(
        _category(label, _table(row, f"{name}: [categories.{label}]"), name)
        for label, row in _table(tree.get("categories", {}), f"{name}: [categories]").items()
    )
    organisations = tuple(
        Rule(label, _words(words, f"{name}: [organisations] {label}"))
        for label, words in _table(tree.get("organisations", {}), f"{name}: [organisations]").items()
    )
    return LabelRules(categories, organisations)


def _category(label: str, row: dict[str, Any], name: str) -> Rule:
    place = f"{name}: [categories.{label}]"
    if not LABEL.fullmatch(label) or label == OTHERS:
        raise ConfigError(f"{place}: no usable label", hint="use lower-case letters, digits and _")
    unknown = set(row) - set(KEYS)
    if unknown:
        raise ConfigError(f"{place}: no key {sorted(unknown)[0]}", hint=f"there are {', '.join(KEYS)}")
    words, patterns, unless = (_words(row.get(key, []), f"{place} {key}") for key in KEYS)
    return Rule(label, words, patterns, unless)


def _check(rule: Rule, name: str) -> None:
    """That a rule matches something, and not everything. Raises ConfigError."""
    try:
        pattern = rule.expression
    except (re.error, OverflowError, RecursionError) as error:
        raise ConfigError(
            f"{name}: {rule.label}: not a pattern: {error}", hint="mend it, or use words"
        ) from None
    if not rule.words and not rule.patterns:
        raise ConfigError(f"{name}: {rule.label}: neither words nor patterns", hint=SHOWN_BY)
    if pattern.search(""):
        raise ConfigError(f"{name}: {rule.label}: matches everybody", hint="a word or pattern is empty")


def _table(value: Any, place: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ConfigError(f"{place}: not a table", hint=SHOWN_BY)
    return value


def _words(value: Any, place: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(word, str) and word.strip() for word in value):
        raise ConfigError(f"{place}: not a list of words", hint=SHOWN_BY)
    return tuple(value)
