"""Long lists in windows that are read side by side: complete, at the same price."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.lab import Lab
from support.mortal import Killed, MortalDb

from socap_cli.model.account import ListItem, Page, Profile
from socap_cli.model.kinds import QUOTES, REPLIES, Kind
from socap_cli.model.list_state import Pass, Phase, Window
from socap_cli.work import windows

POSTED = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
NOW = POSTED + timedelta(days=9)
moments = st.datetimes(POSTED.replace(tzinfo=None), NOW.replace(tzinfo=None), timezones=st.just(UTC))
MakeLab = Callable[..., Lab]


def page(*ages: float, more: bool = True) -> Page:
    items = [
        ListItem(
            str(n), Profile(user_id=str(n), username="somebody"), engaged_at=POSTED + timedelta(seconds=age)
        )
        for n, age in enumerate(ages)
    ]
    return Page(tuple(items), "next" if more else None, len(items))


def holds(window: Window, moment: datetime) -> bool:
    """Whether an item of that moment is still to be read in a window that has read down to its oldest item."""
    bounds = [window.until, window.oldest if window.cursor else None]
    return all(moment < bound for bound in bounds if bound) and (not window.since or window.since <= moment)


@given(
    oldest=moments,
    expected=st.integers(0, 30_000),
    wanted=st.integers(1, 60),
    worth=st.integers(1, 100),
    asked=st.lists(moments, max_size=20),
)
def test_what_is_left_lies_in_one_window_and_a_second_at_most_in_two(
    oldest: datetime, expected: int, wanted: int, worth: int, asked: list[datetime]
) -> None:
    rest = Window(None, None, cursor="c", read=20, expected=expected, oldest=oldest)
    parts = windows.divide([rest], wanted=wanted, posted_at=POSTED, worth=worth)
    assert 1 <= len(parts) <= max(1, wanted)
    assert sum(part.expected for part in parts) == expected
    for moment in [*asked, *(part.since for part in parts if part.since), POSTED - timedelta(days=1)]:
        if holds(rest, moment):
            assert sum(holds(part, moment) for part in parts) == 1
    again = [part for part in parts if part.until and part.until > oldest]
    assert all(part.until - oldest <= windows.SECOND for part in again if part.until)


@given(expected=st.integers(0, 500), read=st.integers(1, 20), pages=st.integers(1, 40))
def test_a_window_that_goes_on_expects_at_least_as_much_as_it_has_read(
    expected: int, read: int, pages: int
) -> None:
    window = Window(None, None, expected=expected)
    for number in range(pages):
        window = windows.after_page(window, page(*[1e6 - number] * read))
    assert window.read == read * pages
    assert window.expected == max(expected - read * pages, read * pages)
    assert window.oldest == POSTED + timedelta(seconds=1e6 - pages + 1)


@pytest.mark.parametrize(
    ("window", "why"),
    [
        (Window(None, None, expected=900), "nothing tells where it ends"),
        (Window(None, POSTED + timedelta(seconds=1), expected=900), "there is no second between"),
        (Window(POSTED + timedelta(days=2), POSTED + timedelta(days=1), expected=900), "it is empty"),
    ],
)
def test_a_window_without_a_moment_between_is_not_divided(window: Window, why: str) -> None:
    assert windows.halve(window, POSTED) is None, why


@pytest.mark.parametrize("ages", [(9.0, 900.0, 800.0), (900.0, 800.0, 850.0)])
def test_a_list_that_is_not_newest_first_is_not_divided_by_time(ages: tuple[float, ...]) -> None:
    """An old reply on top does not say that everything newer was read."""
    current = Pass(1, True, Phase.WHOLE, NOW, 900)
    assert not windows.is_long(current, page(*ages), left=800, long_list=200)
    assert windows.is_long(current, page(*sorted(ages, reverse=True)), left=800, long_list=200)
    sorted_first = windows.rest_after(page(1000.0, 950.0), since=None, left=800)
    assert windows.halve(sorted_first, POSTED) is not None
    after = windows.after_page(sorted_first, page(*ages))
    assert windows.halve(after, POSTED) is None
    assert windows.halve(windows.after_page(after, page(5.0, 4.0)), POSTED) is None


def test_a_list_of_a_tweet_whose_id_holds_no_time_is_not_divided() -> None:
    rest = windows.rest_after(page(900.0, 800.0), since=None, left=900)
    assert windows.divide([rest], wanted=9, posted_at=None, worth=10) == [rest]


def most_at_once(lab: Lab) -> int:
    """Requests that began within the time that each of them takes."""
    began = sorted(moment for times in lab.simulator.ledger.times.values() for moment in times)
    least = 0.9 * lab.simulator.faults.latency
    return max(sum(first <= moment < first + least for moment in began[n:]) for n, first in enumerate(began))


def slowly(lab: Lab, latency: float = 0.05) -> None:
    lab.simulator.faults.update({"latency": latency})
    lab.simulator.ledger.keeps_times = True


def crowd(lab: MakeLab, *, kinds: tuple[Kind, ...] = (REPLIES, QUOTES), count: int = 600) -> Lab:
    """A tweet with many replies and quotes, most of them soon after it was posted."""
    one = lab(tweets=1, engagements=0.0, accounts=2 * count)
    for part in range(6):
        for kind in kinds:
            one.engage(kind, count // 6)
        one.advance(minutes=2.0 * 4**part)
    return one


def test_a_long_list_is_read_side_by_side_and_costs_what_it_costs(lab: MakeLab) -> None:
    one = crowd(lab, count=1500)
    slowly(one, 0.2)
    before = one.simulator.ledger.credits
    result = one.cycle()
    one.assert_exact()
    least = 15 + 2 * 1500 * 15
    assert one.simulator.ledger.credits - before <= 1.02 * least
    assert result.engagements_new == 3000
    assert most_at_once(one) >= 8


@pytest.mark.parametrize(
    "faults",
    [
        {"script": ["ok", "error", "error"] * 4},
        {"expired": 0.3},
        {"script": ["ok"] * 3 + ["garble", "drop", "limit", "html"] * 3},
    ],
)
def test_windows_outlive_what_a_provider_does(lab: MakeLab, faults: dict[str, object]) -> None:
    one = crowd(lab)
    one.simulator.faults.update(faults)
    one.enqueue()
    one.work_by_hand(rounds=3)
    one.simulator.faults.update({"script": [], "expired": 0.0})
    one.enqueue()
    one.work_by_hand()
    one.assert_exact()


def test_windows_of_a_killed_pass_are_gone_on_with(lab: MakeLab) -> None:
    one = crowd(lab, kinds=(REPLIES,))
    one.enqueue()
    killed = 0
    for lives in range(4, 60, 5):
        try:
            one.work_by_hand(one.context(db=MortalDb(one.db, lives, after=bool(lives % 2))))  # type: ignore[arg-type]
        except Killed:
            killed += 1
        one.let_time_pass()
        one.enqueue()
    one.work_by_hand()
    one.assert_exact()
    assert killed >= 3


def test_many_new_replies_since_the_last_look_are_read_side_by_side(lab: MakeLab) -> None:
    one = crowd(lab, count=60)
    one.cycle()
    one.advance(minutes=30)
    for _ in range(10):
        one.engage(REPLIES, 90)
        one.advance(minutes=3)
    slowly(one)
    before = one.simulator.ledger.credits
    one.cycle()
    one.assert_exact()
    assert one.simulator.ledger.credits - before <= 1.03 * (15 + 900 * 15)
    assert most_at_once(one) >= 4
