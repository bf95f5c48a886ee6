"""One limiter for every process that shares a key."""

from __future__ import annotations

import threading

import pytest

from socap_cli.client.limiter import Limiter
from socap_cli.store import Db, rate_limits

LIMITER = rate_limits.limiter_id("secret-key", "/x")


def test_the_key_is_not_in_the_limiters_name() -> None:
    assert "secret" not in LIMITER


def test_turns_are_handed_out_one_interval_apart(db: Db) -> None:
    waits = [
        turn.wait for turn in rate_limits.reserve(db.rate_limits, LIMITER, rate=10, max_wait=60, turns=20)
    ]
    assert waits[-1] - waits[0] == pytest.approx(19 / (10 * rate_limits.SAFETY))


def test_a_refusal_leaves_the_limiter_as_it_was(db: Db) -> None:
    for _ in range(5):
        rate_limits.reserve(db.rate_limits, LIMITER, rate=1, max_wait=60)
    before = db.rate_limits.find_one({"_id": LIMITER})
    (turn,) = rate_limits.reserve(db.rate_limits, LIMITER, rate=1, max_wait=1)
    after = db.rate_limits.find_one({"_id": LIMITER})
    assert before is not None
    assert after is not None
    assert (turn.granted, after["tat"]) == (False, before["tat"])
    assert turn.wait > 1


def test_a_block_holds_for_everybody_and_is_never_shortened(db: Db) -> None:
    rate_limits.block(db.rate_limits, LIMITER, 30)
    rate_limits.block(db.rate_limits, LIMITER, 1)
    (turn,) = rate_limits.reserve(db.rate_limits, LIMITER, rate=0, max_wait=3)
    assert not turn.granted
    assert 29 < turn.wait <= 30
    assert rate_limits.reserve(
        db.rate_limits, rate_limits.limiter_id("secret-key", "/y"), rate=0, max_wait=3
    )[0].granted
    closed = [one.scope for one in rate_limits.states(db) if one.is_closed]
    assert closed == ["/x"]


def test_a_hundred_threads_are_granted_moments_that_lie_an_interval_apart(db: Db) -> None:
    """The moments themselves, by the database's clock: no twenty-one of them within a second."""
    waits: list[float] = []
    threads = [
        threading.Thread(
            target=lambda: waits.append(
                rate_limits.reserve(db.rate_limits, LIMITER, rate=20, max_wait=60)[0].wait
            )
        )
        for _ in range(100)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    row = db.rate_limits.find_one({"_id": LIMITER})
    assert row is not None
    interval = 1000 / (20 * rate_limits.SAFETY)
    assert 20 * interval > 1000
    assert max(waits) > 99 * interval / 1000 - 5  # five seconds for a slow machine to start them
    assert len(waits) == 100


def test_turns_reserved_at_once_are_the_turns_reserved_one_by_one(db: Db) -> None:
    at_once = rate_limits.reserve(db.rate_limits, LIMITER, rate=10, max_wait=0.55, turns=9)
    granted = [turn.wait for turn in at_once if turn.granted]
    interval = 1 / (10 * rate_limits.SAFETY)
    assert granted == pytest.approx([number * interval for number in range(6)])
    assert {turn.granted for turn in at_once[6:]} == {False}
    (later,) = rate_limits.reserve(db.rate_limits, LIMITER, rate=10, max_wait=60)
    assert at_once[6].wait - 0.3 < later.wait <= at_once[6].wait


def test_without_a_rate_every_turn_is_now(db: Db) -> None:
    assert (
        rate_limits.reserve(db.rate_limits, LIMITER, rate=0, max_wait=3, turns=3)
        == [rate_limits.Turn(True, 0.0)] * 3
    )


@pytest.mark.timeout(30)
def test_who_remembers_more_refusals_than_the_database_goes_on(db: Db) -> None:
    """A restore, or a primary that lost its last writes, leaves a limiter that was refused less often."""
    limiter = Limiter(db, "secret-key", 1000.0, threading.Event())
    limiter.limited("/x", 0.001)
    limiter.limited("/x", 0.001)
    assert limiter.wait("/x", "/x") is False
    db.rate_limits.delete_many({})
    assert limiter.wait("/x", "/x") is False
    limiter.limited("/x", 0.001)
    assert limiter.wait("/x", "/x") is False
