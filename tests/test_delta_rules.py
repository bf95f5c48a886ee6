"""When a list is read and when a pass stops: the pure rules."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from socap_cli.model.kinds import RETWEETS
from socap_cli.model.list_state import ListState, Pass, Phase
from socap_cli.settings import CollectionSettings
from socap_cli.work.delta import (
    LATE,
    PassKind,
    Step,
    after_pass,
    next_step,
    open_pass,
    pass_due,
    run_of_known,
    vanishing_is_plausible,
)

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
READ = ListState(
    "1", RETWEETS, completed_passes=3, counter=50, counter_at_pass=50, collected=50, last_full_at=NOW
)
POLICY = CollectionSettings()


@pytest.mark.parametrize(
    ("why", "state", "last_cycle", "expected"),
    [
        ("never read", ListState("1", RETWEETS, counter=5), False, PassKind.FULL),
        ("its counter did not move", READ, False, PassKind.NONE),
        ("its counter rose", replace(READ, counter=51), False, PassKind.DELTA),
        (
            "its counter fell, and it was read whole a moment ago",
            replace(READ, counter=49),
            False,
            PassKind.DELTA,
        ),
        ("nobody knows its counter", replace(READ, counter=None), False, PassKind.DELTA),
        ("the campaign's last cycle", READ, True, PassKind.DELTA),
        ("somebody asked for all of it", replace(READ, verify=True), False, PassKind.FULL),
        (
            "it fell, and a day has gone",
            replace(READ, counter=49, fell=True, last_full_at=NOW - timedelta(hours=24)),
            False,
            PassKind.FULL,
        ),
        (
            "far more is collected than counted, and a day has gone",
            replace(READ, collected=60, last_full_at=NOW - timedelta(hours=25)),
            False,
            PassKind.FULL,
        ),
        ("a little is unaccounted for", replace(READ, collected=48, last_full_at=None), False, PassKind.NONE),
        (
            "much is, but no more than last time it was read whole",
            replace(READ, collected=30, full_deficit=20),
            False,
            PassKind.NONE,
        ),
        (
            "a pass was left open",
            replace(READ, open_pass=Pass(4, False, Phase.WHOLE, NOW, 50)),
            False,
            PassKind.DELTA,
        ),
    ],
)
def test_a_list_is_read_when(why: str, state: ListState, last_cycle: bool, expected: PassKind) -> None:
    assert pass_due(state, last_cycle=last_cycle, now=NOW, policy=POLICY) is expected


def test_a_new_pass_of_replies_asks_only_for_what_is_newer() -> None:
    state = replace(READ, since=NOW - timedelta(hours=1))
    opened = open_pass(state, PassKind.DELTA, by_time=True, now=NOW)
    assert (opened.phase, opened.number) == (Phase.FRESH, 4)
    assert opened.since == NOW - timedelta(minutes=59, seconds=59)


def test_what_the_last_pass_missed_is_looked_for_among_what_came_just_before() -> None:
    """The counter had it and the list showed only a newer one: it rose by that, and will not tell of it again."""
    state = replace(READ, since=NOW - timedelta(hours=1), deficit=1)
    opened = open_pass(state, PassKind.DELTA, by_time=True, now=NOW)
    assert opened.since == NOW - timedelta(hours=1) - LATE
    protected = replace(state, full_deficit=1)
    assert open_pass(protected, PassKind.DELTA, by_time=True, now=NOW).since == NOW - timedelta(
        minutes=59, seconds=59
    )


def test_a_pass_that_was_left_open_is_gone_on_with() -> None:
    left = Pass(4, False, Phase.WHOLE, NOW, 50, cursor="c", pages=7)
    assert open_pass(replace(READ, open_pass=left), PassKind.DELTA, by_time=True, now=NOW) is left


def test_a_full_pass_does_not_go_on_with_a_shorter_pass() -> None:
    left = Pass(4, False, Phase.WHOLE, NOW, 50, cursor="c", pages=7)
    opened = open_pass(replace(READ, open_pass=left), PassKind.FULL, by_time=True, now=NOW)
    assert (opened.full, opened.cursor) == (True, None)


@pytest.mark.parametrize(
    ("why", "current", "collected", "ended", "expected"),
    [
        ("a full pass goes on", Pass(4, True, Phase.WHOLE, NOW, 50, known_run=99), 50, False, Step.CONTINUE),
        ("until the end", Pass(4, True, Phase.WHOLE, NOW, 50), 50, True, Step.COMPLETE),
        (
            "twenty known in a row prove it",
            Pass(4, False, Phase.WHOLE, NOW, 90, known_run=20),
            50,
            False,
            Step.COMPLETE,
        ),
        ("nineteen do not", Pass(4, False, Phase.WHOLE, NOW, 90, known_run=19), 50, False, Step.CONTINUE),
        (
            "one does when the counter agrees",
            Pass(4, False, Phase.WHOLE, NOW, 53, known_run=1),
            53,
            False,
            Step.COMPLETE,
        ),
        ("none does not", Pass(4, False, Phase.WHOLE, NOW, 53, known_run=0), 53, False, Step.CONTINUE),
        ("fresh ones end at their end", Pass(4, False, Phase.FRESH, NOW, 53), 53, True, Step.COMPLETE),
        (
            "or go on below it when some are missing",
            Pass(4, False, Phase.FRESH, NOW, 54),
            53,
            True,
            Step.OLDER,
        ),
        ("older ones end at the list's end", Pass(4, False, Phase.OLDER, NOW, 54), 53, True, Step.COMPLETE),
    ],
)
def test_a_pass_stops_when(why: str, current: Pass, collected: int, ended: bool, expected: Step) -> None:
    assert next_step(READ, current, collected=collected, ended=ended, policy=POLICY) is expected


def test_after_a_fall_the_counter_alone_ends_no_pass() -> None:
    current = Pass(4, False, Phase.WHOLE, NOW, 49, known_run=5)
    assert (
        next_step(replace(READ, fell=True), current, collected=50, ended=False, policy=POLICY)
        is Step.CONTINUE
    )


@given(st.lists(st.booleans()), st.integers(0, 30), st.integers(1, 25))
def test_a_boundary_is_proven_only_by_known_items_that_stand_together(
    known: list[bool], before: int, wanted: int
) -> None:
    """Against the definition: some stretch of known items, the run before included, is long enough."""
    row = [True] * before + known
    longest = max((len(part) for part in "".join("k" if k else " " for k in row).split(" ")), default=0)
    found = run_of_known(before, known, wanted)
    if found >= wanted:
        assert longest >= wanted
    else:
        assert found == len(row) - (max((n for n, k in enumerate(row) if not k), default=-1) + 1)


def test_a_finished_pass_remembers_what_could_not_be_found() -> None:
    current = Pass(4, True, Phase.WHOLE, NOW, 60, newest=NOW)
    after = after_pass(READ, current, collected=55, removed=2, now=NOW)
    assert (after.completed_passes, after.deficit, after.full_deficit, after.since) == (4, 5, 5, NOW)


@pytest.mark.parametrize("fell", [False, True])
def test_a_full_pass_that_proved_nothing_is_not_made_again_before_its_time(fell: bool) -> None:
    """A list may end in circles for good, and protected accounts stay counted: each look would pay all of it."""
    state = replace(READ, counter=60, counter_at_pass=60, last_full_at=None, fell=fell)
    current = Pass(4, True, Phase.WHOLE, NOW, 60, proven=False)
    after = after_pass(state, current, collected=50, removed=0, now=NOW)
    soon, later = NOW + timedelta(minutes=30), NOW + timedelta(hours=POLICY.verify_every_hours)
    assert pass_due(after, last_cycle=False, now=soon, policy=POLICY) is PassKind.NONE
    assert pass_due(after, last_cycle=False, now=later, policy=POLICY) is PassKind.FULL


def test_a_list_that_shows_much_less_than_its_counter_is_read_whole_a_second_time() -> None:
    """Its provider may have ended it after a page; a list of which most is protected shows the same again."""
    first, day = Pass(1, True, Phase.WHOLE, NOW, 100), timedelta(hours=POLICY.verify_every_hours)
    unread = ListState("9", RETWEETS, counter=100)
    state = after_pass(unread, first, collected=20, removed=0, now=NOW)
    due = [pass_due(state, last_cycle=False, now=NOW + age, policy=POLICY) for age in (day / 2, day)]
    assert due == [PassKind.NONE, PassKind.FULL]
    again = after_pass(state, replace(first, number=2), collected=20, removed=0, now=NOW + day)
    assert again.full_deficit == 80
    assert pass_due(again, last_cycle=False, now=NOW + 9 * day, policy=POLICY) is PassKind.NONE
    whole = after_pass(state, replace(first, number=2), collected=99, removed=0, now=NOW + day)
    assert (whole.full_deficit, whole.deficit) == (1, 1)


@pytest.mark.parametrize(
    ("stored", "unseen", "counter", "expected"),
    [
        (100, 10, 100, True),  # a tenth
        (100, 40, 100, False),  # the provider cut the list short
        (140, 40, 100, True),  # as many came as were taken back
        (100, 90, 100, False),  # the provider cut the list short
        (100, 90, 10, True),  # the counter says so too
        (15, 15, 15, False),  # the provider answered an empty list
        (15, 15, 0, True),
        (2, 2, 2, True),  # too few to tell
        (100, 90, None, False),
    ],
)
def test_a_mass_vanishing_is_believed_only_with_the_counter(
    stored: int, unseen: int, counter: int | None, expected: bool
) -> None:
    assert vanishing_is_plausible(stored=stored, unseen=unseen, counter=counter, deficit=0) is expected
