"""Whatever happens, in any order, and wherever senders are killed: what is owed is told once, and nothing else.

`make fuzz` runs more histories.
"""

from __future__ import annotations

import os
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from support.lab import START, campaign
from support.memory_channel import MODES, Memory, Taken
from support.mortal import Killed, MortalDb

from socap_cli.alerts.context import AlertContext
from socap_cli.alerts.send import ANOTHER_PLANS, send_alerts
from socap_cli.model.alert import AlertListing, AlertStatus, Silence
from socap_cli.model.campaign import Campaign, CampaignStatus, CampaignTweet, TweetCategory
from socap_cli.model.engagement import Importance
from socap_cli.model.message import parse_quiet_hours
from socap_cli.settings import AlertSettings
from socap_cli.store import (
    Db,
    alert_messages,
    alert_queue,
    campaigns,
    engagements,
    importance,
    open_database,
    rate_limits,
)
from socap_cli.store.alert_queue import AlertFilter
from socap_cli.store.connect import ensure_indexes
from socap_cli.store.importance import ImportanceCollections

EXAMPLES = int(os.environ.get("SOCAP_FUZZ", "25"))
PARTS = 2
"""Items, so that two workers share the histories."""
SLUGS = ("one", "two", "three")
USERS = ("ann", "bob", "cleo", "dan")
TWEETS = ("100", "101")
ACTIONS = ("reply", "retweet", "quote")
SCORES = (0.0, 5.0, 10.0, 50.0, None)
CHANNELS = (
    (),
    ("memory",),
    ("memory=boss,min=20", "memory=team"),
    ("memory=boss",),
    ("memory=boss,min=20",),
    ("memory", "nowhere"),
    ("nowhere",),
    ("memory=nonsense", "memory"),
    ("memory=boss,digest=hourly", "memory=team,min=10"),
    ("memory,digest=daily 18:00",),
    ("memory=boss,min=20", "memory=boss,digest=hourly"),
    ("memory=",),
)
QUIET = (None, "off", "12:00-13:00", "11:00-20:00 Asia/Tokyo vips", "23:00-11:00 America/New_York")
DIGESTS = (None, "hourly", "daily 18:00")
BROKEN = "index that cannot be read"
FOUND = st.tuples(*map(st.sampled_from, (USERS, TWEETS, ACTIONS, SCORES)))
slugs = st.sampled_from(SLUGS)
lives = st.none() | st.integers(1, 60)


@contextmanager
def empty_database(uri: str) -> Iterator[Db]:
    with open_database(uri, "alert_histories") as db:
        db.client.drop_database(db.name)
        ensure_indexes(db)
        db.command("create", BROKEN, viewOn="engagements", pipeline=[{"$set": {"x": {"$divide": [1, 0]}}}])
        yield db
        db.client.drop_database(db.name)


OPENED: list[Db] = []
"""The database of this test."""


class AlertHistories(RuleBasedStateMachine):
    """Three campaigns over two tweets, and everything that can happen to them."""

    def __init__(self) -> None:
        super().__init__()
        self.db = OPENED[-1]
        self.now = START
        self.memory = Memory(alerts_of=self.alerts_of)
        self.made = 0
        self.joined: set[tuple[str, str]] = set()
        self.ever_owed: set[tuple[str, str]] = set()
        self.index_is_broken = False
        self.anybody_was_killed = False
        self.resend_unknown = True

    @initialize(resend_unknown=st.booleans())
    def begin(self, resend_unknown: bool) -> None:
        self.resend_unknown = resend_unknown
        for name in self.db.list_collection_names():
            if name not in (BROKEN, "system.views"):
                self.db[name].delete_many({})
        self.add_campaign("one", 20, ("memory",))
        self.add_campaign("two", 20, ("memory=boss,min=20", "memory=team"))
        for slug, tweet in (("one", "100"), ("one", "101"), ("two", "100")):
            self.join(slug, tweet)

    # What people do.

    @rule(spacing=st.sampled_from([0, 20]), channels=st.sampled_from(CHANNELS))
    def add_another_campaign(self, spacing: int, channels: tuple[str, ...]) -> None:
        if campaigns.find(self.db, "three") is None:
            self.add_campaign("three", spacing, channels)

    def add_campaign(self, slug: str, spacing: int, channels: tuple[str, ...]) -> None:
        campaigns.insert(self.db, campaign(slug, at=self.now, spacing_minutes=spacing, channels=channels))

    @rule(slug=slugs, tweet=st.sampled_from(TWEETS))
    def join(self, slug: str, tweet: str) -> None:
        url = f"https://x.com/c/status/{tweet}"
        row = CampaignTweet(slug, tweet, TweetCategory.MAIN, url, self.now, "client")
        if campaigns.find(self.db, slug) is not None and campaigns.add_tweets(self.db, [row]):
            self.joined.add((slug, tweet))

    def change(self, slug: str, **values: Any) -> None:
        before = campaigns.find(self.db, slug)
        if before is not None:
            campaigns.update(self.db, before, replace(before, **values))

    @rule(slug=slugs, threshold=st.sampled_from([0.0, 10.0, 30.0]))
    def set_threshold(self, slug: str, threshold: float) -> None:
        self.change(slug, threshold=threshold)

    @rule(
        slug=slugs,
        vips=st.sets(st.sampled_from(USERS), max_size=1),
        ignores=st.sets(st.sampled_from(USERS), max_size=1),
    )
    def name_people(self, slug: str, vips: set[str], ignores: set[str]) -> None:
        self.change(slug, vips=tuple(vips), ignores=tuple(ignores))

    @rule(slug=slugs, status=st.sampled_from([CampaignStatus.PAUSED, CampaignStatus.ACTIVE]))
    def pause(self, slug: str, status: CampaignStatus) -> None:
        self.change(slug, status=status)

    @rule(slug=slugs, quiet=st.sampled_from(QUIET))
    def set_quiet_hours(self, slug: str, quiet: str | None) -> None:
        self.change(slug, quiet_hours=quiet)

    @rule(slug=slugs, digest=st.sampled_from(DIGESTS), window=st.sampled_from([0, 30]))
    def set_digest(self, slug: str, digest: str | None, window: int) -> None:
        self.change(slug, digest=digest, frequency_window_minutes=window)

    @rule(slug=slugs, channels=st.sampled_from(CHANNELS))
    def set_channels(self, slug: str, channels: tuple[str, ...]) -> None:
        self.change(slug, channels=channels)

    @rule(
        slug=st.sampled_from([*SLUGS, None]),
        user=st.sampled_from([*USERS, None]),
        category=st.sampled_from([None, "client", "founders", "investor"]),
        action=st.sampled_from([None, None, *ACTIONS]),
        minutes=st.sampled_from([0, 10, 600]),
    )
    def silence(
        self, slug: str | None, user: str | None, category: str | None, action: str | None, minutes: int
    ) -> None:
        until = self.now + timedelta(minutes=minutes)
        one = Silence(
            f"{slug}{user}{category}{action}", until, self.now, "ops", "", slug, user, category, action
        )
        if minutes:
            alert_queue.put_silence(self.db, one)
        else:
            alert_queue.end(self.db, one)

    # What the world does.

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
    @rule(user=st.sampled_from(USERS), score=st.sampled_from([0.0, 20.0, 100.0]))
    def rescore(self, user: str, score: float) -> None:
        stored = engagements.read_rows(self.db.engagements.find({"username": user}))[0]
        importance.write_scores(
            self.db, [(one, replace(one, importance=Importance(score))) for one in stored]
        )

    @rule(is_broken=st.booleans())
    def break_the_index(self, is_broken: bool) -> None:
        """What is unknown then stays unknown; else who is not in the index has 0."""
        self.index_is_broken = is_broken

    @rule(minutes=st.sampled_from([1, 20, 31, 200]))
    def advance(self, minutes: int) -> None:
        self.now += timedelta(minutes=minutes)

    @rule(
        address=st.sampled_from(["team", "boss"]),
        modes=st.lists(st.sampled_from(MODES), min_size=1, max_size=3),
    )
    def break_channel(self, address: str, modes: list[str]) -> None:
        self.memory.modes[address] = tuple(modes)

    @rule()
    def retry(self) -> None:
        rate_limits.switch_on(self.db, self.db.channels.distinct("_id"))
        alert_messages.retry(self.db, now=self.now)

    # Sending.

    def context(self, db: Any = None) -> AlertContext:
        chosen = AlertSettings(digest_after=2, max_attempts=3, resend_unknown=self.resend_unknown)
        names = (
            ImportanceCollections(following_index=BROKEN) if self.index_is_broken else ImportanceCollections()
        )
        return AlertContext(
            db if db is not None else self.db, {"memory": self.memory}, chosen, lambda: self.now,
            names=names, sleep=lambda _: None, patience=0.2, lock_patience=0.3,
        )  # fmt: skip

    def send_once(self, db: Any = None, campaign_id: str | None = None) -> bool:
        """Whether it went through undisturbed."""
        self.now += timedelta(milliseconds=1)
        try:
            result = send_alerts(self.context(db), campaign_id=campaign_id)
        except Killed:
            self.anybody_was_killed = True
            self.db.locks.update_many({}, {"$set": {"token": None}})  # its lease runs out
            return False
        return ANOTHER_PLANS not in result.warnings

    @rule(minutes=st.sampled_from([0, 1, 20, 31]))
    def send(self, minutes: int) -> None:
        self.now += timedelta(minutes=minutes)
        self.note_owed()
        before = len(self.memory.taken)
        if self.send_once():
            self.everything_owed_is_queued()
            self.everything_that_waits_says_why()
            self.nothing_was_told_that_must_wait(self.memory.taken[before:])

    @rule(found=st.lists(FOUND, min_size=1, max_size=6))
    def engage_and_send(self, found: list[tuple[str, str, str, float | None]]) -> None:
        self.engage(found, backfill=False)
        self.send(20)

    @rule(slug=slugs)
    def send_one_campaign(self, slug: str) -> None:
        self.note_owed()
        self.send_once(campaign_id=slug)

    @rule(lives=st.integers(1, 40), after=st.booleans())
    def send_and_be_killed(self, lives: int, after: bool) -> None:
        self.note_owed()
        self.send_once(MortalDb(self.db, lives, after=after))

    @rule(first=lives, second=lives, after=st.booleans())
    def two_send_at_once(self, first: int | None, second: int | None, after: bool) -> None:
        self.note_owed()
        dbs = [MortalDb(self.db, n, after=after) if n else None for n in (first, second)]
        senders = [threading.Thread(target=self.send_once, args=(db,)) for db in dbs]
        for sender in senders:
            sender.start()
        for sender in senders:
            sender.join()

    # What must hold.

    def alerts_of(self, message_id: str) -> frozenset[str]:
        message = self.db.alert_messages.find_one({"_id": message_id}) or {"rows": []}
        return frozenset(row["alert_id"] for row in message["rows"] if "status" not in row)

    def watching(self) -> list[Campaign]:
        return [found for slug in SLUGS if (found := campaigns.find(self.db, slug)) is not None]

    def owed(self) -> set[tuple[str, str]]:
        """(campaign, engagement) that the settings of this moment say is owed."""
        found = set()
        rows = list(self.db.engagements.find())
        for one in self.watching():
            for row in rows:
                if (one.slug, row["tweet_id"]) in self.joined and self.counts(one, row):
                    found.add((one.slug, row["_id"]))
        return found

    def counts(self, one: Campaign, row: dict[str, Any]) -> bool:
        if row["username"] in one.vips:
            return True
        score = row["importance_score"]
        if score is None and self.index_is_broken:
            return False
        return row["username"] not in one.ignores and (score or 0.0) >= one.threshold

    def note_owed(self) -> None:
        self.ever_owed |= self.owed()

    def everything_owed_is_queued(self) -> None:
        queued = {(row["campaign_id"], row["engagement_id"]) for row in self.db.alert_queue.find()}
        assert self.owed() <= queued

    def everything_that_waits_says_why(self) -> None:
        by_slug = {one.slug: one for one in self.watching()}
        for listing in alert_queue.listed(self.db, AlertFilter(), limit=1000):
            alert = listing.alert
            if alert.status is AlertStatus.PENDING:
                assert listing.due is not None
                assert listing.due > self.now
                assert alert.username not in by_slug[alert.campaign_id].vips
            elif alert.status is not AlertStatus.SENT:
                assert alert.status is not AlertStatus.DROPPED
                assert listing.reason, (alert, listing.deliveries)
            if alert.status is AlertStatus.HELD:
                assert self.holds(by_slug[alert.campaign_id], listing), listing

    def holds(self, one: Campaign, listing: AlertListing) -> bool:
        """Whether the reason is one that the settings of this moment give."""
        alert, hold = listing.alert, listing.alert.hold
        assert hold is not None
        if hold.until is not None and hold.until <= self.now:
            return False
        is_owed = (one.slug, alert.engagement_id) in self.owed()
        return {
            "paused": one.status is CampaignStatus.PAUSED,
            "ignored": not is_owed,
            "threshold": not is_owed,
            "silenced": any(s.covers(alert) for s in alert_queue.active(self.db, now=self.now)),
            "quiet hours": self.quiet_until(one) is not None,
            "digest": one.digest is not None or any(",digest=" in name for name in one.channels),
            "repeat window": one.frequency_window_minutes > 0,
            "no channel": any(name in ("nowhere", "memory=") for name in one.channels),
            "no recipient": one.channels == ("memory=boss,min=20",),
        }[hold.reason.value]

    def quiet_until(self, one: Campaign) -> datetime | None:
        if one.quiet_hours in (None, "off"):
            return None
        return parse_quiet_hours(str(one.quiet_hours)).until(self.now)

    def nothing_was_told_that_must_wait(self, taken: list[Taken]) -> None:
        """But for what may have arrived before."""
        active = alert_queue.active(self.db, now=self.now)
        by_slug = {one.slug: one for one in self.watching()}
        owed = self.owed()
        for alert_id in {alert for one in taken if not one.is_marked for alert in one.alerts}:
            listing = alert_queue.find_alert(self.db, alert_id)
            assert listing is not None
            alert, one = listing.alert, by_slug[listing.alert.campaign_id]
            assert one.status is CampaignStatus.ACTIVE
            assert (one.slug, alert.engagement_id) in owed
            assert not any(silence.covers(alert) for silence in active)
            is_vip = alert.username in one.vips
            assert self.quiet_until(one) is None or (is_vip and "vips" not in str(one.quiet_hours))

    @invariant()
    def nothing_is_told_that_was_never_owed(self) -> None:
        for taken in self.memory.taken:
            for alert in taken.alerts:
                slug, _, engagement = alert.partition(":")
                assert (slug, engagement) in self.ever_owed

    @invariant()
    def nothing_is_told_twice_without_saying_so(self) -> None:
        plain = Counter(
            (taken.address, alert)
            for taken in self.memory.taken
            for alert in taken.alerts
            if not taken.is_marked
        )
        assert all(count == 1 for count in plain.values()), plain
        if self.anybody_was_killed:
            return
        told = Counter((taken.address, alert) for taken in self.memory.taken for alert in taken.alerts)
        assert {key for key, count in told.items() if count > 1} <= self.memory.doubted
        for taken in self.memory.taken:
            if taken.is_marked:
                assert {(taken.address, alert) for alert in taken.alerts} & self.memory.doubted

    def teardown(self) -> None:
        """Everything is mended: now what is owed has been told, to whoever is a receiver."""
        if not self.made:
            return
        self.memory.modes.clear()
        self.db.silences.delete_many({})
        self.index_is_broken = False
        for slug in SLUGS:
            self.change(
                slug, status=CampaignStatus.ACTIVE, quiet_hours="off", digest="off", channels=("memory",)
            )
        for _ in range(4):
            self.note_owed()
            self.now += timedelta(hours=12)
            self.retry()
            self.send_once()
        told = {alert for taken in self.memory.taken for alert in taken.alerts}
        assert {f"{slug}:{engagement}" for slug, engagement in self.owed()} <= told
        self.nothing_is_told_that_was_never_owed()
        self.nothing_is_told_twice_without_saying_so()
        waits = AlertFilter()
        for listing in alert_queue.listed(self.db, waits, limit=1000):
            is_owed = (listing.alert.campaign_id, listing.alert.engagement_id) in self.owed()
            assert listing.alert.status is (AlertStatus.SENT if is_owed else listing.alert.status)


@pytest.mark.parametrize("part", range(PARTS))
def test_what_is_owed_is_told_once_whatever_happens(mongod: str, part: int) -> None:
    with empty_database(mongod) as db:
        OPENED.append(db)
        AlertHistories.TestCase.settings = settings(
            max_examples=-(-EXAMPLES // PARTS),
            stateful_step_count=40,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        )
        AlertHistories.TestCase().runTest()
