"""Fill the index from the provider: read whom each important person follows, page by page."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from socap_cli.client.metered import MeteredClient, patiently
from socap_cli.errors import CursorRefused, RequestRefused
from socap_cli.importance.importing import BATCH, BUILD, drop_followers, merge_entries, stale_followers
from socap_cli.model.account import Page
from socap_cli.model.important import Follower, ImportantPerson, IndexEntry, PersonUpdate, fold_handle
from socap_cli.providers import FOLLOWINGS, Provider
from socap_cli.store import Db, importance
from socap_cli.store.importance import BuildState, ImportanceCollections

PAGE = 200
"""Accounts in one page of followings."""
TRIES = 6
"""A build may run unattended, so it waits longer than a person would."""
USUAL_FOLLOWINGS = 1000
"""Assumed for a person whose number of followings is unknown."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What a build reads, and how long the followers that it writes hold."""

    limit: int = 5000
    """Most followings to read of each person."""
    refresh_after: timedelta = timedelta(days=7)
    """A person who was read within this time is skipped."""
    expire_after: timedelta = timedelta(days=90)
    """A follower that no later build confirmed is dropped after this time."""


@dataclass(frozen=True, slots=True)
class BuildEstimate:
    people: int
    up_to_date: int
    assumed: int
    """People whose number of followings is unknown."""
    requests: int
    cost: float
    """Credits."""


@dataclass
class BuildResult:
    people: int = 0
    accounts: int = 0
    entries_changed: int = 0
    followers_expired: int = 0
    entries_removed: int = 0
    problems: dict[str, str] = field(default_factory=dict)
    """People who could not be read, by handle."""


def due_people(
    db: Db, names: ImportanceCollections, terms: Terms, *, now: datetime
) -> tuple[list[tuple[ImportantPerson, BuildState]], int]:
    """The people to read, with how far each is read, and how many are up to date."""
    states = importance.load_builds(db)
    due, fresh = [], 0
    for handle, person in _active_people(db, names).items():
        state = states.get(handle, BuildState(handle))
        if state.started_at is None and state.read_at and now - state.read_at < terms.refresh_after:
            fresh += 1
        else:
            due.append((person, state))
    return due, fresh


def _active_people(db: Db, names: ImportanceCollections) -> dict[str, ImportantPerson]:
    """By folded handle; of several documents the first counts."""
    people: dict[str, ImportantPerson] = {}
    for person in importance.listed(db, names):
        if person.username and person.is_active is not False:
            people.setdefault(fold_handle(person.username), person)
    return people


def estimate(
    due: Sequence[tuple[ImportantPerson, BuildState]], up_to_date: int, provider: Provider, terms: Terms
) -> BuildEstimate:
    """The pages left to read of each person, up to the limit; an unfinished reading continues at its cursor.

    Raises RequestRefused where the provider's followings are not read.
    """
    if not provider.reads_followings:
        raise RequestRefused(
            f"followings are not read from {provider.name}", hint="import a list: socap importance import"
        )
    requests, cost, assumed = 0, 0.0, 0
    for person, state in due:
        known = person.following_count or (state.accounts if state.read_at else 0)
        assumed += not known
        count = known or USUAL_FOLLOWINGS
        left = min(count, terms.limit) - (state.accounts if state.started_at else 0)
        pages = max(1, math.ceil(left / PAGE))
        requests += pages
        cost += pages * provider.price(FOLLOWINGS, min(PAGE, max(1, left)))
    return BuildEstimate(len(due), up_to_date, assumed, requests, round(cost, 2))


class Builder:
    """One run of building. After a kill or failure the next run continues after the last stored page."""

    def __init__(
        self,
        db: Db,
        names: ImportanceCollections,
        client: MeteredClient,
        terms: Terms,
        *,
        inform: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._db, self._names, self._client, self._terms = db, names, client, terms
        self._inform = inform
        self.result = BuildResult()

    def run(self, due: Iterable[tuple[ImportantPerson, BuildState]]) -> BuildResult:
        """Read the people who are due, then drop what no longer holds.

        Raises ProviderError, BudgetReached, Stopping; by then requests are metered and the pages read are stored.
        """
        try:
            for person, state in due:
                self._read_whole(person, state)
        finally:
            self._client.meter.write()
        self._expire()
        return self.result

    def _read_whole(self, person: ImportantPerson, state: BuildState) -> None:
        """Read one person's followings to their end, or to the limit."""
        if state.started_at is None:
            state = replace(state, started_at=self._client.now(), cursor=None, accounts=0)
        while state.started_at is not None:
            try:
                page = patiently(self._inform, tries=TRIES)(
                    self._client.followings, person.username, cursor=state.cursor
                )
            except CursorRefused:
                state = replace(state, started_at=self._client.now(), cursor=None, accounts=0)
                continue
            except RequestRefused as error:
                self.result.problems[person.username] = error.message
                state = replace(state, started_at=None, read_at=self._client.now(), problem=error.message)
            else:
                state = self._store(person, state, page)
            importance.save_build(self._db, state)
            self._inform(f"@{person.username}: {state.accounts:,} followings")
        self.result.people += person.username not in self.result.problems

    def _store(self, person: ImportantPerson, state: BuildState, page: Page) -> BuildState:
        """Merge a page into the index; the state after it."""
        now = self._client.now()
        follower = Follower(person.username, person.effective_weight, person.user_id, person.name)
        profiles = [item.profile for item in page.items]
        entries = [IndexEntry(profile.username, profile.user_id, (follower,)) for profile in profiles]
        merged = merge_entries(self._db, self._names, entries, source=BUILD, now=now)
        self.result.accounts += len(entries)
        self.result.entries_changed += len(merged.changes)
        after = replace(state, cursor=page.next_cursor, accounts=state.accounts + len(entries), problem=None)
        if page.next_cursor is not None and entries and after.accounts < self._terms.limit:
            return after
        is_whole = page.next_cursor is None
        if is_whole:
            synced = {"following_count": after.accounts, "last_synced": now}
            update = PersonUpdate(person, person.username, synced)
            importance.update_people(self._db, self._names, [update], now=now)
        whole_since = state.started_at if is_whole else state.whole_since
        return replace(after, started_at=None, cursor=None, read_at=now, whole_since=whole_since)

    def _expire(self) -> None:
        """Drop followers that no longer hold, and our entries without any follower."""
        now = self._client.now()
        states = importance.load_builds(self._db)
        people = _active_people(self._db, self._names)
        complete = {name: states[name].whole_since if name in states else None for name in people}
        updates = []
        for entry in importance.written_by(self._db, self._names, BUILD):
            stale = stale_followers(entry, complete=complete, now=now, expire_after=self._terms.expire_after)
            if (update := drop_followers(entry, stale)) is not None:
                updates.append(update)
        for at in range(0, len(updates), BATCH):
            chunk = updates[at : at + BATCH]
            late = importance.apply_updates(self._db, self._names, chunk, now=now)
            self.result.followers_expired += len(chunk) - len(late)  # the next build decides late ones again
        empty = importance.without_followers(self._db, self._names)
        importance.note_removed(self._db, [account for entry in empty for account in accounts_of(entry)])
        self.result.entries_removed = importance.remove(self._db, self._names, empty)


def accounts_of(entry: IndexEntry) -> list[str]:
    """The names by which engagements may know an account: its id and its folded handle."""
    return [name for name in (entry.user_id, fold_handle(entry.username or "")) if name]
