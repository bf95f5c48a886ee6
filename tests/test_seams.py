"""The seams hold: a provider and a list are added by rows, and no module knows of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pytest
from support.lab import START, Lab

from socap_cli.bootstrap import Bootstrap, open_provider
from socap_cli.errors import ConfigError
from socap_cli.model.account import ListItem, Page, Profile, Tweet, TweetsAnswer
from socap_cli.model.kinds import LISTS, Kind, ListKind, counter_names, shown_counters
from socap_cli.model.links import engagement_url
from socap_cli.providers import AllowedRate
from socap_cli.providers.table import PROVIDERS
from socap_cli.report.analytics import engagement_rate
from socap_cli.settings import Configuration, ProviderSettings, Settings
from socap_cli.simulator.world import World
from socap_cli.store import engagements, jobs
from socap_cli.store.engagements import Selection

LIKES = Kind("likes")
ROW = ListKind(LIKES, "like", "liked", "Likes", "#8a4fd1", is_post=False, priority=4)
PAGE = 7


@dataclass
class Toy:
    """A provider without a wire: it looks into a world, and serves one list more than the others do."""

    world: World
    now: Callable[[], datetime]
    name: str = "toy"
    batch: int = 2
    usd_per_credit: float = 0.0
    bills_once_a_day: bool = False
    reads_followings: bool = False

    @property
    def lists(self) -> frozenset[Kind]:
        return frozenset(LISTS)

    @property
    def lists_with_times(self) -> frozenset[Kind]:
        return frozenset()

    @property
    def lists_in_windows(self) -> frozenset[Kind]:
        return frozenset()

    def operation(self, kind: Kind, tweet_id: str, **_: Any) -> str:
        return kind

    def reaches_back(self, kind: Kind) -> None:
        return None

    def endpoint(self, operation: str) -> str:
        return f"/toy/{operation}"

    def limit_scope(self, operation: str) -> str:
        return operation

    def price(self, operation: str, items: int) -> float:
        return float(items)

    def tweets(self, tweet_ids: Sequence[str], *, with_authors: bool = True) -> TweetsAnswer:
        at = self.now().timestamp()
        found = {
            one.tweet_id: Tweet(one.tweet_id, None, one.text, None, dict(one.counters(at)))
            for one in (self.world.tweets[i] for i in tweet_ids)
        }
        return TweetsAnswer(found, len(found))

    def page(self, kind: Kind, tweet_id: str, *, cursor: str | None = None, **_: Any) -> Page:
        begin = int(cursor or 0)
        listed = list(self.world.tweets[tweet_id].lists[kind].newest_first(self.now().timestamp()))
        items = tuple(
            ListItem(
                one.source_id if LISTS[kind].is_post else one.account.user_id,
                Profile(one.account.user_id, one.account.username),
            )
            for one in listed[begin : begin + PAGE]
        )
        more = begin + PAGE < len(listed)
        return Page(items, str(begin + PAGE) if more else None, len(items))

    def followings(self, username: str, *, cursor: str | None = None) -> Page:
        return Page((), None, 0)

    def credits_left(self) -> float | None:
        return None

    def allowed_rate(self, scope: str) -> AllowedRate | None:
        return None

    def close(self) -> None:
        return


@pytest.fixture
def toy(lab: Callable[..., Lab], monkeypatch: pytest.MonkeyPatch) -> Lab:
    """A world that lists who liked a tweet, worked through the toy provider."""
    monkeypatch.setitem(LISTS, LIKES, ROW)
    one = lab(tweets=3)
    provider = Toy(one.world, one.now)
    monkeypatch.setitem(PROVIDERS, "toy", lambda _settings: provider)
    settings = Settings(provider=ProviderSettings(name="toy"))
    with open_provider(Bootstrap(Configuration(settings)), needs_key=False) as built:
        one.provider = built  # type: ignore[assignment]
        return one


def test_a_provider_and_a_list_that_no_module_knows_are_collected_like_the_others(toy: Lab) -> None:
    for kind in LISTS:
        for account in toy.world.accounts[:20]:
            toy.world.engage(toy.tweet_ids[0], kind, toy.now(), account=account)
    toy.cycle()
    stored = {key[1:] for key in toy.stored()}
    wanted = {("like", account.user_id) for account in toy.world.accounts[:20]}
    assert {key for key in stored if key[0] == "like"} == wanted
    assert {action for action, _ in stored} == {kind.action_type for kind in LISTS.values()}
    assert jobs.count_by_status(toy.db)["likes"] == {"completed": 3}
    (first, *_) = engagements.listed(toy.db, Selection(toy.tweet_ids, action_type="like"))
    assert engagement_url(first) == f"https://x.com/{first.profile.username}"


def test_a_quiet_cycle_of_a_toy_reads_counters_only(toy: Lab) -> None:
    toy.cycle()
    assert toy.cycle().requests == 2


def test_whose_key_is_missing_is_said_by_the_settings() -> None:
    with pytest.raises(ConfigError) as refused:
        Bootstrap(Configuration(Settings(provider=ProviderSettings(name="toy")))).key()
    assert refused.value.hint == "set TWITTER_API_KEY (a key of toy)"


def test_a_counter_whose_list_is_read_stays_one_counter(monkeypatch: pytest.MonkeyPatch) -> None:
    before = counter_names()
    monkeypatch.setitem(LISTS, LIKES, ROW)
    assert sorted(counter_names()) == sorted(before)
    assert shown_counters() == ("retweets", "replies", "quotes", "likes", "views")
    assert engagement_rate({"likes": 3, "bookmarks": 2, "views": 1000}) == 0.005


def test_what_the_simulator_counts_is_what_its_lists_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(LISTS, LIKES, ROW)
    world = World(start=START, tweets=1, accounts=50)
    (tweet,) = world.tweets.values()
    for _ in range(4):
        world.engage(tweet.tweet_id, LIKES, START)
    assert tweet.counters(START.timestamp())["likes"] == 4


def test_a_list_that_the_provider_does_not_serve_is_not_asked_for(
    lab: Callable[..., Lab], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(LISTS, LIKES, ROW)
    one = lab(tweets=3, engagements=20.0)
    for tweet_id in one.tweet_ids:
        one.world.engage(tweet_id, LIKES, one.now())
    result = one.cycle()
    assert (result.failed, result.requeued, result.last_error) == (0, 0, None)
    assert {action for _, action, _ in one.stored()} == {"retweet", "reply", "quote"}


def test_a_list_that_the_provider_does_not_serve_is_not_asked_for_without_counters_either(
    lab: Callable[..., Lab], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(LISTS, LIKES, ROW)
    one = lab(tweets=1, engagements=20.0)
    one.enqueue()
    one.db.jobs.update_many({}, {"$set": {"max_attempts": 1}})
    one.simulator.faults.update({"script": ["garble", "garble", "garble"]})
    result = one.work(threads=1)
    assert (result.failed, result.unchanged) == (1, 0)
    assert one.db.jobs.distinct("job_type", {"status": "failed"}) == ["metrics"]
    assert one.db.jobs.count_documents({"status": "pending"}) == 0
