"""Fill the index from the provider: read whom each important person follows, page by page, and go on where it ended."""

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
"""A build may run unattended: it waits out longer than a person would."""
USUAL_FOLLOWINGS = 1000
"""Taken for somebody of whom no number is known."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What a build reads and how long its statements hold."""

    limit: int = 5000
    """Followings read of each person at most."""
    refresh_after: timedelta = timedelta(days=7)
    """Who was read since then is left out."""
    expire_after: timedelta = timedelta(days=90)
    """A statement that no later build confirmed is dropped after this time."""


@dataclass(frozen=True, slots=True)
class BuildEstimate:
    """What a build will cost, from the numbers that are known."""

    people: int
    up_to_date: int
    assumed: int
    """People of whom nobody knows how many they follow."""
    requests: int
    cost: float
    """Credits."""


@dataclass
class BuildResult:
    """What a build did."""

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
    """Who is to be read, with how far that is, and how many are up to date."""
    states = importance.load(db)
    found, fresh = [], 0
    seen: set[str] = set()
    for person in importance.listed(db, names, active=True):
        handle = fold_handle(person.username)
        if not person.username or handle in seen:  # of several documents the first counts
            continue
        seen.add(handle)
        state = states.get(handle, BuildState(handle))
        if state.started_at is None and state.read_at and now - state.read_at < terms.refresh_after:
            fresh += 1
        else:
            found.append((person, state))
    return found, fresh


def estimate(
    due: Sequence[tuple[ImportantPerson, BuildState]], up_to_date: int, provider: Provider, terms: Terms
) -> BuildEstimate:
    """Pages of 200 accounts each, up to the limit a person; what an open reading has read is not read again."""
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
    """One run of building. Killed or failed anywhere, the next goes on with the page after the last stored."""

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
        """Read everybody who is due, then drop what no longer holds.

        Raises ProviderError, BudgetReached, Stopping; what was asked is metered and what was read is kept then.
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
            importance.save(self._db, state)
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
        """Take out followers that no longer hold, and entries of ours that nobody is left in."""
        now = self._client.now()
        states = importance.load(self._db)
        people = importance.listed(self._db, self._names, active=True)
        whole = {
            name: _since(states.get(name)) for name in (fold_handle(person.username) for person in people)
        }
        expire_after = self._terms.expire_after
        updates = []
        for entry in importance.written_by(self._db, self._names, BUILD):
            gone = stale_followers(entry, complete=whole, now=now, expire_after=expire_after)
            if (update := drop_followers(entry, gone)) is not None:
                updates.append(update)
        for at in range(0, len(updates), BATCH):
            late = importance.apply_updates(self._db, self._names, updates[at : at + BATCH], now=now)
            done = len(updates[at : at + BATCH]) - len(late)  # what was overtaken is met by the next build
            self.result.followers_expired += done
        empty = importance.without_followers(self._db, self._names)
        importance.note_removed(self._db, [account for entry in empty for account in accounts_of(entry)])
        self.result.entries_removed = importance.remove(self._db, self._names, empty)


def accounts_of(entry: IndexEntry) -> list[str]:
    """The names under which engagements may know an account: its id, its folded handle."""
    return [name for name in (entry.user_id, fold_handle(entry.username or "")) if name]


def _since(state: BuildState | None) -> datetime | None:
    return state.whole_since if state else None
