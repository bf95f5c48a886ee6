"""The simulator's bad days, as the provider's client sees them."""

from __future__ import annotations

import json
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.request import Request, urlopen

import bson
import pytest

from socap_cli import errors
from socap_cli.errors import ProviderError
from socap_cli.model.account import ListItem
from socap_cli.model.kinds import LISTS, QUOTES, REPLIES, RETWEETS, Kind
from socap_cli.providers.twitterapi_io import TwitterApiIo
from socap_cli.simulator import faults
from socap_cli.simulator.faults import FAULTS, Faults
from socap_cli.simulator.server import Simulator
from socap_cli.simulator.world import World

START = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
Simulate = Callable[..., Simulator]


@pytest.fixture
def provider(simulate: Simulate) -> Iterator[Callable[[Simulator], TwitterApiIo]]:
    made: list[TwitterApiIo] = []

    def make(simulator: Simulator) -> TwitterApiIo:
        made.append(TwitterApiIo(simulator.key or "a-key-12345", url=simulator.url, timeout=0.4))
        return made[-1]

    yield make
    for one in made:
        one.close()


def whole_list(provider: TwitterApiIo, kind: Kind, tweet_id: str) -> tuple[list[ListItem], int]:
    """(items, rows that could not be read) of all pages."""
    items: list[ListItem] = []
    unreadable, cursor = 0, None
    while True:
        page = provider.page(kind, tweet_id, cursor=cursor)
        items.extend(page.items)
        unreadable += len(page.unreadable)
        cursor = page.next_cursor
        if cursor is None:
            return items, unreadable


@pytest.mark.parametrize("part", [0.0, 0.3, 0.6])
def test_rows_that_cannot_be_read_are_always_the_same_and_cost_no_other(
    simulate: Simulate, provider: Callable[[Simulator], TwitterApiIo], part: float
) -> None:
    simulator = simulate(tweets=4, engagements=120.0, removed=0.0, page=500)
    simulator.faults.update({"unreadable": part, "odd_values": 0.5})
    client = provider(simulator)
    truth = simulator.world.truth(simulator.clock.now())
    for tweet_id, lists in truth.items():
        for kind, ids in lists.items():
            readable = {i for i in ids if not faults.is_unreadable(i, part)}
            if not readable:
                continue  # a page without one good row is malformed
            items, _ = whole_list(client, kind, tweet_id)
            assert {item.source_id for item in items} == readable
            for item in items:
                bson.encode(
                    {"text": item.text, "name": item.profile.name, "followers": item.profile.followers}
                )


def test_every_kind_of_unreadable_row_is_served(
    simulate: Simulate, provider: Callable[[Simulator], TwitterApiIo]
) -> None:
    simulator = simulate(tweets=3, engagements=100.0)
    simulator.faults.update({"unreadable": 0.6})
    client = provider(simulator)
    reasons: Counter[str] = Counter()
    for tweet_id in simulator.world.tweets:
        for kind in LISTS:
            reasons.update(row.reason.split(":")[0] for row in client.page(kind, tweet_id).unreadable)
    assert {"it is null", "its id is missing or no id", "it is a str, not an object", "unavailable"} <= set(
        reasons
    )


EXPECTED: dict[str, type[ProviderError] | None] = {
    "ok": None, "error": errors.ProviderUnavailable, "html": errors.ProviderUnavailable,
    "garble": errors.MalformedAnswer, "hang": errors.ProviderUnavailable, "limit": errors.RateLimited,
    "expire": errors.CursorRefused, "refuse": errors.RequestRefused, "drop": errors.ProviderUnavailable,
    "status": errors.RequestRefused, "empty": errors.MalformedAnswer, "null": None,
    "drip": errors.ProviderUnavailable, "oversized": errors.MalformedAnswer, "bomb": errors.MalformedAnswer,
    "nested": errors.MalformedAnswer, "missing": errors.NotFound, "no_credits": errors.CreditsExhausted,
    "forbidden": None, "spend_cap": None, "usage_cap": None,
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_every_fault_is_what_it_says(
    simulate: Simulate, provider: Callable[[Simulator], TwitterApiIo], fault: str
) -> None:
    simulator = simulate(tweets=1, engagements=60.0, page=3)
    simulator.clock.advance(timedelta(hours=48))
    tweet_id = next(iter(simulator.world.tweets))
    client = provider(simulator)
    cursor = client.page(REPLIES, tweet_id).next_cursor
    simulator.faults.update({"script": [fault]})
    expected = EXPECTED[fault]
    if expected is None:
        client.page(REPLIES, tweet_id, cursor=cursor)
    else:
        with pytest.raises(expected):
            client.page(REPLIES, tweet_id, cursor=cursor)
    client.page(REPLIES, tweet_id, cursor=cursor)


def test_only_the_lists_of_tweets_that_are_gone_are_not_found(
    simulate: Simulate, provider: Callable[[Simulator], TwitterApiIo]
) -> None:
    simulator = simulate(tweets=2)
    gone, there = simulator.world.tweets
    simulator.faults.update({"not_found": [gone]})
    client = provider(simulator)
    with pytest.raises(errors.NotFound):
        client.page(RETWEETS, gone)
    client.page(RETWEETS, there)
    assert set(client.tweets([gone, there]).tweets) == {gone, there}


def test_a_limit_is_the_accounts(simulate: Simulate, provider: Callable[[Simulator], TwitterApiIo]) -> None:
    simulator = simulate(tweets=1)
    simulator.faults.update({"qps": 5, "retry_after": None})
    tweet_id = next(iter(simulator.world.tweets))
    client = provider(simulator)
    for _ in range(10):
        for kind in (RETWEETS, REPLIES, QUOTES):
            try:
                client.page(kind, tweet_id)
            except errors.RateLimited as error:
                assert error.retry_after is None
    assert simulator.ledger.statuses == {200: 5, 429: 25}


def test_less_than_one_request_a_second_is_a_limit_too(
    simulate: Simulate, provider: Callable[[Simulator], TwitterApiIo]
) -> None:
    simulator = simulate(tweets=1)
    simulator.faults.update({"qps": 0.2, "retry_after": 4.5})
    client = provider(simulator)
    client.tweets(["1"])
    began = time.monotonic()
    simulator.fate._recent[0] -= 3.9
    with pytest.raises(errors.RateLimited) as raised:
        client.tweets(["1"])
    assert raised.value.retry_after == 4.5
    simulator.fate._recent[0] -= 1.2
    client.tweets(["1"])
    assert time.monotonic() - began < 1


def test_moments_of_requests_are_kept_only_when_asked_for(
    simulate: Simulate, provider: Callable[[Simulator], TwitterApiIo]
) -> None:
    simulator = simulate(tweets=1)
    client = provider(simulator)
    client.tweets(["1"])
    simulator.ledger.keeps_times = True
    client.tweets(["1"])
    assert (simulator.ledger.requests["/twitter/tweets"], len(simulator.ledger.times["/twitter/tweets"])) == (
        2,
        1,
    )


def test_posts_have_the_length_and_the_scripts_of_real_ones() -> None:
    world = World(start=START, tweets=30)
    items = [item for tweet in world.tweets.values() for part in tweet.lists.values() for item in part.items]
    texts = [item.text for item in items if item.text]
    assert all(100 <= len(text) <= 280 for text in texts)
    for script in ("[\u0600-\u06ff]{5}", "[\u4e00-\u9fff]{3}", "[\u3040-\u309f]{3}", "[a-z]{5}"):
        assert sum(bool(re.search(script, text)) for text in texts) > len(texts) / 20


def test_the_same_seed_makes_the_same_world() -> None:
    one, two = (World(start=START, seed=3, tweets=5, accounts=200) for _ in range(2))
    assert one.truth(one.horizon) == two.truth(two.horizon)
    assert one.following_index == two.following_index
    assert World(start=START, seed=4, tweets=5, accounts=200).truth(one.horizon) != one.truth(one.horizon)


def post(url: str, body: Any) -> tuple[int, bytes]:
    request = Request(url, data=json.dumps(body).encode(), method="POST")
    try:
        with urlopen(request) as answer:
            return answer.status, answer.read()
    except OSError as error:
        return error.code, error.read()  # type: ignore[attr-defined]


def test_faults_are_told_over_http_and_wrong_ones_refused(simulate: Simulate) -> None:
    simulator = simulate(tweets=1)
    assert post(f"{simulator.url}/sim/faults", {"errors": 0.5, "script": ["drip", "ok"]})[0] == 200
    assert (simulator.faults.errors, list(simulator.faults.script)) == (0.5, ["drip", "ok"])
    for wrong, said in (({"latnecy": 1}, b"no fault named latnecy"), ({"script": ["sleep"]}, b"script")):
        status, body = post(f"{simulator.url}/sim/faults", wrong)
        assert (status, said in body) == (400, True)


def test_a_taken_port_is_told(simulate: Simulate) -> None:
    port = int(simulate(tweets=1).url.rsplit(":", 1)[1])
    with pytest.raises(errors.SocapError, match=f"port {port}"):
        Simulator(World(start=START, tweets=1, accounts=50), port=port, faults=Faults())
