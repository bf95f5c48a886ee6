"""Whatever happens, in any order, and wherever senders are killed: what is owed is told once, and nothing else."""

from __future__ import annotations

import os
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from support.lab import START
from support.mortal import Killed, MortalDb

from socap_cli.alerts.context import AlertContext
from socap_cli.alerts.plan import is_ignored, is_vip
from socap_cli.alerts.send import send_alerts
from socap_cli.config import Alerts
from socap_cli.errors import ChannelDead, DeliveryFailed, DeliveryUnknown, MessageRefused
from socap_cli.model import Campaign, CampaignStatus, CampaignTweet, TweetCategory
from socap_cli.model.alert import AlertStatus, Silence
from socap_cli.model.message import Message
from socap_cli.store import (
    Db,
    alert_messages,
    alert_view,
    campaigns,
    channel_state,
    indexes,
    open_database,
    silences,
)
from socap_cli.store.alert_view import AlertFilter

EXAMPLES = int(os.environ.get("SOCAP_FUZZ", "25"))
SLUGS = ("one", "two")
USERS = ("ann", "bob", "cleo", "dan")
TWEETS = ("100", "101")
ACTIONS = ("reply", "retweet", "quote")
SCORES = (0.0, 5.0, 10.0, 50.0, None)
MODES = (
    "ok",
    "failed",
    "limited",
    "unknown, taken",
    "unknown, not taken",
    "refused",
    "dead",
    "bug",
    "killed, taken",
)


FOUND = st.tuples(*map(st.sampled_from, (USERS, TWEETS, ACTIONS, SCORES)))


@dataclass
class Memory:
    """A channel that takes messages, or fails as it is told."""

    name: str = "memory"
    interval: float = 0.0
    most_people: int = 2
    missing: str = "no memory"
    is_ready: bool = True
    mode: dict[str, str] = field(default_factory=dict)
    taken: list[tuple[str, str, bool, int]] = field(default_factory=list)
    """(address, message id, said to be a repeat, engagements)."""
    lock: threading.Lock = field(default_factory=threading.Lock)

    def receivers(self, campaign: Campaign) -> tuple[str, ...]:
        return ("team",)

    def check(self, address: str) -> str:
        return address

    def shown(self, address: str) -> str:
        return address

    def examine(self, address: str) -> str:
        return "ok"

    def notify(self, address: str, text: str) -> None:
        if self.mode.get(address, "ok") != "ok":
            raise DeliveryFailed("no")

    def send(self, address: str, message: Message) -> None:
        mode = self.mode.get(address, "ok")
        if mode in ("ok", "unknown, taken", "killed, taken"):
            with self.lock:
                self.taken.append((address, message.message_id, message.may_be_repeated, message.engagements))
        errors: dict[str, BaseException] = {
            "failed": DeliveryFailed("later"),
            "limited": DeliveryFailed("too many", retry_after=5),
            "unknown, taken": DeliveryUnknown("no answer"),
            "unknown, not taken": DeliveryUnknown("no answer"),
            "refused": MessageRefused("no"),
            "dead": ChannelDead("gone"),
            "bug": ZeroDivisionError("oops"),
            "killed, taken": Killed(),
        }
        if mode in errors:
            raise errors[mode]


@contextmanager
def empty_database(uri: str) -> Iterator[Db]:
    with open_database(uri, "alert_histories") as db:
        db.client.drop_database(db.name)
        indexes.ensure(db)
        yield db
        db.client.drop_database(db.name)


OPENED: list[Db] = []
"""The database of this test."""


class AlertHistories(RuleBasedStateMachine):
    """Two campaigns over two tweets, and everything that can happen to them."""

    def __init__(self) -> None:
        super().__init__()
        self.db = OPENED[-1]
        self.now = START
        self.memory = Memory()
        self.made = 0
        self.joined: dict[tuple[str, str], Any] = {}
        self.ever_owed: set[tuple[str, str]] = set()

    @initialize()
    def begin(self) -> None:
        for name in self.db.list_collection_names():
            self.db[name].delete_many({})
        for slug in SLUGS:
            plain = Campaign(slug, slug, CampaignStatus.ACTIVE, START, None, 10.0, (), 20, 30, START)
            campaigns.insert(
                self.db,
                replace(
                    plain, channels=("memory",) if slug == "one" else ("memory=boss,min=20", "memory=team")
                ),
            )
        for slug, tweet in (("one", "100"), ("one", "101"), ("two", "100")):
            self.join_tweet(slug, tweet)

    def context(self, db: Any = None) -> AlertContext:
        chosen = Alerts(digest_after=2, max_attempts=3)
        return AlertContext(
            db if db is not None else self.db, {"memory": self.memory}, chosen, lambda: self.now,
            sleep=lambda _: None, patience=0.2, lock_patience=0.3,
        )  # fmt: skip

    def change(self, slug: str, **values: Any) -> None:
        before = campaigns.find(self.db, slug)
        assert before is not None
        campaigns.update(self.db, before, replace(before, **values))

    @rule(slug=st.sampled_from(SLUGS), tweet=st.sampled_from(TWEETS))
    def join(self, slug: str, tweet: str) -> None:
        self.join_tweet(slug, tweet)

    def join_tweet(self, slug: str, tweet: str) -> None:
        row = CampaignTweet(
            slug, tweet, TweetCategory.MAIN, f"https://x.com/c/status/{tweet}", self.now, "client"
        )
        if campaigns.add_tweets(self.db, [row]):
            self.joined[slug, tweet] = self.now

    @rule(found=st.lists(FOUND, min_size=1, max_size=6), backfill=st.sampled_from([False, False, True]))
    def engage(self, found: list[tuple[str, str, str, float | None]], backfill: bool) -> None:
        for user, tweet, action, score in found:
            self.made += 1
            source = str(USERS.index(user) + 1) if action == "retweet" else str(1000 + self.made)
            fresh = {
                "tweet_id": tweet, "action_type": action, "source_id": source, "username": user,
                "user_id": str(USERS.index(user) + 1), "name": user, "importance_score": score,
                "importance_reasons": [], "categories": ["founders"], "first_seen_at": self.now,
                "last_seen_at": self.now, "backfill": backfill, "needs_planning": True,
            }  # fmt: skip
            key = {"_id": f"{tweet}:{action}:{source}"}
            self.db.engagements.update_one(key, {"$setOnInsert": fresh}, upsert=True)

    @precondition(lambda self: self.made)
    @rule(user=st.sampled_from(USERS), score=st.sampled_from([20.0, 100.0]))
    def rescore(self, user: str, score: float) -> None:
        """As a rescoring does: only upwards, with the mark in the same write."""
        self.db.engagements.update_many(
            {"username": user, "$or": [{"importance_score": {"$lt": score}}, {"importance_score": None}]},
            {"$set": {"importance_score": score, "needs_planning": True}},
        )

    @rule(slug=st.sampled_from(SLUGS), threshold=st.sampled_from([0.0, 10.0, 30.0]))
    def set_threshold(self, slug: str, threshold: float) -> None:
        self.change(slug, threshold=threshold)

    @rule(
        slug=st.sampled_from(SLUGS),
        vips=st.sets(st.sampled_from(USERS), max_size=1),
        ignores=st.sets(st.sampled_from(USERS), max_size=1),
    )
    def name_people(self, slug: str, vips: set[str], ignores: set[str]) -> None:
        self.change(slug, vips=tuple(vips), ignores=tuple(ignores))

    @rule(slug=st.sampled_from(SLUGS), status=st.sampled_from([CampaignStatus.PAUSED, CampaignStatus.ACTIVE]))
    def pause(self, slug: str, status: CampaignStatus) -> None:
        self.change(slug, status=status)

    @rule(
        slug=st.sampled_from(SLUGS),
        quiet=st.sampled_from([None, "off", "12:00-13:00", "11:00-20:00 Asia/Tokyo vips"]),
        digest=st.sampled_from([None, "hourly", "daily 18:00"]),
    )
    def set_quiet(self, slug: str, quiet: str | None, digest: str | None) -> None:
        self.change(slug, quiet_hours=quiet, digest=digest)

    @rule(
        channels=st.sampled_from(
            [("memory",), ("memory=boss,min=20", "memory=team"), ("memory", "nowhere"), ()]
        )
    )
    def set_channels(self, channels: tuple[str, ...]) -> None:
        self.change("two", channels=channels)

    @rule(
        slug=st.sampled_from([*SLUGS, None]),
        user=st.sampled_from([*USERS, None]),
        minutes=st.sampled_from([10, 600]),
    )
    def silence(self, slug: str | None, user: str | None, minutes: int) -> None:
        until = self.now + timedelta(minutes=minutes)
        silences.put(self.db, Silence(f"{slug}{user}", until, self.now, "ops", "", slug, user))

    @rule(minutes=st.sampled_from([1, 20, 31, 200]))
    def advance(self, minutes: int) -> None:
        self.now += timedelta(minutes=minutes)

    @rule(address=st.sampled_from(["team", "boss"]), mode=st.sampled_from(MODES))
    def break_channel(self, address: str, mode: str) -> None:
        self.memory.mode[address] = mode

    @rule()
    def retry(self) -> None:
        channel_state.switch_on(self.db, self.db.channels.distinct("_id"))
        alert_messages.retry(self.db, now=self.now)

    def send_once(self, db: Any = None) -> None:
        try:
            send_alerts(self.context(db))
        except Killed:
            self.db.locks.update_many({}, {"$set": {"token": None}})  # its lease runs out

    @rule(minutes=st.sampled_from([0, 1, 20, 31]))
    def send(self, minutes: int) -> None:
        self.now += timedelta(minutes=minutes)
        self.note_owed()
        self.send_once()

    @rule(found=st.lists(FOUND, min_size=1, max_size=6))
    def engage_and_send(self, found: list[tuple[str, str, str, float | None]]) -> None:
        self.engage(found, backfill=False)
        self.send(20)

    @rule(lives=st.integers(1, 40), after=st.booleans())
    def send_and_be_killed(self, lives: int, after: bool) -> None:
        self.note_owed()
        self.send_once(MortalDb(self.db, lives, after=after))

    @rule(lives=st.integers(1, 60))
    def two_send_at_once(self, lives: int) -> None:
        self.note_owed()
        mortal = MortalDb(self.db, lives, after=True)
        senders = [threading.Thread(target=self.send_once, args=(db,)) for db in (None, mortal)]
        for sender in senders:
            sender.start()
        for sender in senders:
            sender.join()

    def owed(self) -> set[tuple[str, str]]:
        """(campaign, engagement) that the settings of this moment say is owed."""
        found = set()
        rows = list(self.db.engagements.find())
        for slug in SLUGS:
            campaign = campaigns.find(self.db, slug)
            assert campaign is not None
            for row in rows:
                name, score = row["username"], row["importance_score"] or 0.0  # not in the index: 0
                counts = is_vip(campaign, name) or (
                    score >= campaign.threshold and not is_ignored(campaign, name)
                )
                if (slug, row["tweet_id"]) in self.joined and counts:
                    found.add((slug, row["_id"]))
        return found

    def note_owed(self) -> None:
        self.ever_owed |= self.owed()

    @invariant()
    def nothing_is_told_that_was_never_owed(self) -> None:
        told = {
            (row["campaign_id"], row["engagement_id"])
            for row in self.db.alert_history.find({"status": "sent"})
        }
        assert told <= self.ever_owed

    @invariant()
    def what_waits_is_listed_with_its_reason(self) -> None:
        for listing in alert_view.listed(self.db, AlertFilter(status=AlertStatus.HELD), limit=1000):
            assert listing.reason or listing.deliveries

    def teardown(self) -> None:
        """Everything is mended: what is owed is told exactly once, or a repeat says that it may be one."""
        if not self.joined or not self.made:
            return
        self.memory.mode.clear()
        self.db.silences.delete_many({})
        for slug in SLUGS:
            self.change(
                slug, status=CampaignStatus.ACTIVE, quiet_hours="off", digest="off", channels=("memory",)
            )
        for _ in range(4):
            self.note_owed()
            self.now += timedelta(hours=12)
            self.retry()
            self.send_once()
        owed = self.owed()
        for slug, engagement in owed:
            rows = list(
                self.db.alert_history.find(
                    {"campaign_id": slug, "engagement_id": engagement, "channel": "memory"}
                )
            )
            assert [row["status"] for row in rows if row["receiver"] == "team"] == ["sent"], (
                slug,
                engagement,
            )
        self.nothing_is_told_that_was_never_owed()
        unmarked = Counter(
            (address, message) for address, message, repeat, _ in self.memory.taken if not repeat
        )
        assert all(count == 1 for count in unmarked.values())
        told = Counter(
            (row["_id"])
            for row in self.db.alert_history.find({"status": "sent"})
            if row["message_id"] is not None
        )
        assert all(count == 1 for count in told.values())
        for address, message, _, engagements in self.memory.taken:
            rows = list(self.db.alert_history.find({"message_id": message}))
            assert {row["receiver"] for row in rows} <= {address}
            assert engagements >= len(rows)


def test_what_is_owed_is_told_once_whatever_happens(mongod: str) -> None:
    with empty_database(mongod) as db:
        OPENED.append(db)
        AlertHistories.TestCase.settings = settings(
            max_examples=EXAMPLES, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck),
        )  # fmt: skip
        AlertHistories.TestCase().runTest()
