"""Bad answers through the whole of collection: the good rows beside every bad one are stored, and no run ends of it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from support.lab import Lab

from socap_cli.errors import WrongAddress
from socap_cli.model.account import ListItem, Page, Profile, UnreadableRow
from socap_cli.model.kinds import LISTS
from socap_cli.model.list_state import Pass, Phase
from socap_cli.providers.twitterapi_io import TwitterApiIo
from socap_cli.simulator import faults as simulator_faults
from socap_cli.work.context import WorkResult
from socap_cli.work.delta import PassTracker

MakeLab = Callable[..., Lab]
ALL_READ = 500
ODD_ROW = (UnreadableRow("its id is missing or no id", "{}"),)


def spoilt(lab: MakeLab, **faults: Any) -> tuple[Lab, WorkResult]:
    """A world of three tweets with these faults, after one cycle."""
    one = lab(tweets=3, engagements=90.0, removed=0.0, page=ALL_READ)
    one.simulator.faults.update(faults)
    return one, one.cycle()


def test_values_that_no_document_holds_cost_nothing(lab: MakeLab) -> None:
    one, result = spoilt(lab, odd_values=1.0)
    assert (result.failed, result.requeued, result.rows_unreadable) == (0, 0, 0)
    one.assert_exact()
    for stored in one.db.engagements.find():
        assert "\ud83d" not in str(stored)


def test_rows_that_cannot_be_read_are_counted_and_the_others_stored(lab: MakeLab) -> None:
    one, result = spoilt(lab, unreadable=0.2, odd_values=0.3)
    wanted = {key for key in one.truth() if not simulator_faults.is_unreadable(key[2], 0.2)}
    assert wanted < one.truth()
    assert set(one.stored()) == wanted
    assert (result.failed, result.requeued) == (0, 0)
    assert result.rows_unreadable >= len(one.truth() - wanted)


def test_rows_that_can_be_read_again_are_found(lab: MakeLab) -> None:
    one, _ = spoilt(lab, unreadable=0.2)
    one.simulator.faults.update({"unreadable": 0.0})
    one.cycle(verify=True)
    one.assert_exact()


@pytest.mark.parametrize(
    "script", [["null"], ["drip"], ["bomb"], ["nested"], ["oversized"], ["empty"], ["garble"]]
)
def test_a_bad_answer_is_asked_for_again_and_ends_no_run(lab: MakeLab, script: list[str]) -> None:
    one = lab(tweets=3, engagements=30.0)
    one.enqueue()
    one.simulator.faults.update({"script": ["ok", *script]})
    assert one.work().failed == 0
    one.let_time_pass()
    one.work()
    if script == ["null"]:
        one.cycle(verify=True)
    one.assert_exact()


def test_a_tweet_whose_lists_are_gone_fails_by_itself(lab: MakeLab) -> None:
    one = lab(tweets=4, engagements=40.0)
    gone = one.tweet_ids[1]
    one.simulator.faults.update({"not_found": [gone]})
    result = one.cycle()
    assert 1 <= result.failed <= len(LISTS)
    assert set(one.stored()) == {key for key in one.truth() if key[0] != gone}
    assert one.db.jobs.count_documents({"status": "pending"}) == 0


def test_an_address_at_which_nothing_is_ends_the_run(lab: MakeLab) -> None:
    one = lab(tweets=60)
    one.provider.close()
    one.provider = TwitterApiIo("a-key-12345", url=f"{one.simulator.url}/elsewhere", timeout=1)
    one.enqueue()
    with pytest.raises(WrongAddress) as raised:
        one.work_by_hand()
    assert raised.value.hint == "check TWITTER_API_URL"


def test_a_tweet_that_is_missing_beside_unreadable_rows_has_not_vanished(lab: MakeLab) -> None:
    one = lab(tweets=3)
    provider = one.provider
    tweets = provider.tweets

    class Spoilt:
        """Gives one tweet's row without an id."""

        def __getattr__(self, name: str) -> Any:
            return getattr(provider, name)

        def tweets(self, tweet_ids: Any, **_: Any) -> Any:
            answer = tweets(tweet_ids)
            kept = {key: value for key, value in answer.tweets.items() if key != one.tweet_ids[0]}
            return type(answer)(kept, answer.billed_items, ODD_ROW)

    one.provider = Spoilt()  # type: ignore[assignment]
    for _ in range(3):
        one.cycle()
    state = one.db.worker_state.find_one({"_id": one.tweet_ids[0]}) or {}
    assert not state.get("misses")
    one.provider = provider
    one.cycle()
    assert one.db.jobs.count_documents({"status": {"$ne": "completed"}}) == 0


NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


def item(source_id: str, engaged_at: datetime | None) -> ListItem:
    return ListItem(source_id, Profile("1", "ada"), engaged_at)


def test_a_time_that_lies_ahead_is_no_bound_for_the_next_pass() -> None:
    current = Pass(number=2, full=False, phase=Phase.FRESH, started_at=NOW, counter=5)
    earlier = NOW - timedelta(minutes=5)
    page = Page((item("3", NOW + timedelta(days=9000)), item("2", earlier), item("1", None)), None, 3)
    assert PassTracker(20, 3).advance(current, page, [False] * 3).current.newest == earlier


def test_a_list_that_ends_in_the_middle_proves_nothing() -> None:
    current = Pass(number=2, full=True, phase=Phase.WHOLE, started_at=NOW, counter=5)
    for cut_off in (False, True):
        advance = PassTracker(20, 3).advance(
            current, Page((item("2", NOW),), None, 1, cut_off=cut_off), [False]
        )
        assert (advance.ended, advance.gave_up, advance.current.proven) == (True, cut_off, not cut_off)


def test_pages_of_rows_that_are_of_no_concern_are_no_blanks() -> None:
    """Replies to one reply may fill pages in the middle of a list; they end it only when they have no end."""
    tracker, blanks = PassTracker(20, 3), PassTracker(20, 3)
    current = Pass(1, True, Phase.WHOLE, NOW, 60)
    foreign = [Page((), f"c{n}", 20) for n in range(60)]
    assert not any(tracker.advance(current, page, ()).ended for page in foreign[:40])
    assert any(tracker.advance(current, page, ()).ended for page in foreign[40:])
    assert [blanks.advance(current, Page((), f"c{n}", 0), ()).ended for n in range(4)] == [False] * 3 + [True]
