"""A campaign over a simulated world, worked the way the commands do it, and compared with the truth."""

from __future__ import annotations

import random
import threading
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from socap_cli.client.limiter import Limiter
from socap_cli.client.looks import LookPolicy
from socap_cli.client.metered import Budget, Meter, MeteredClient
from socap_cli.enqueue import EnqueueResult, enqueue
from socap_cli.importance import default_rules
from socap_cli.model.campaign import Campaign, CampaignStatus, CampaignTweet
from socap_cli.model.kinds import LISTS, Kind, kinds
from socap_cli.providers.twitterapi_io import TwitterApiIo
from socap_cli.settings import CollectionSettings
from socap_cli.simulator.server import Simulator
from socap_cli.simulator.world import true_keys
from socap_cli.store import Db, campaigns, engagements, jobs
from socap_cli.store.importance import ImportanceCollections
from socap_cli.work.context import WorkContext, WorkResult
from socap_cli.work.worker import Worker, WorkerOptions, work_unit
from socap_cli.work.writer import EngagementWriter

Key = tuple[str, str, str]
KEY = "test-key"
SLUG = "launch"
START = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


def campaign(slug: str = SLUG, *, at: datetime, **changes: object) -> Campaign:
    """A campaign that alerts everybody over 10 at once."""
    plain = Campaign(
        slug=slug,
        name=slug.capitalize(),
        status=CampaignStatus.ACTIVE,
        starts_at=at,
        ends_at=None,
        threshold=10.0,
        channels=(),
        spacing_minutes=0,
        frequency_window_minutes=30,
        created_at=at,
    )
    return replace(plain, **changes)  # type: ignore[arg-type]


def change(db: Db, slug: str, **changes: object) -> None:
    """Change a campaign's settings."""
    before = campaigns.find(db, slug)
    assert before is not None
    campaigns.update(db, before, replace(before, **changes))  # type: ignore[arg-type]


class Lab:
    """One database, one provider, one campaign of every tweet of its world."""

    def __init__(
        self, db: Db, simulator: Simulator, *, policy: CollectionSettings | None = None, timeout: float = 0.5
    ) -> None:
        self.db = db
        self.simulator = simulator
        self.world = simulator.world
        self.provider = TwitterApiIo(simulator.key or KEY, url=simulator.url, timeout=timeout)
        self.policy = policy or CollectionSettings()
        self.rate = 0.0
        self.looks: LookPolicy | None = None
        self.add_campaign(campaign(at=self.now()))

    def close(self) -> None:
        self.provider.close()

    def now(self) -> datetime:
        return self.simulator.clock.now()

    def advance(self, **step: float) -> None:
        self.simulator.clock.advance(timedelta(**step))

    @property
    def tweet_ids(self) -> list[str]:
        return list(self.world.tweets)

    def add_campaign(self, wanted: Campaign, tweet_ids: Sequence[str] | None = None) -> None:
        campaigns.insert(self.db, wanted)
        rows = [self.world.tweets[i] for i in (tweet_ids if tweet_ids is not None else self.tweet_ids)]
        campaigns.add_tweets(
            self.db,
            [
                CampaignTweet(wanted.slug, t.tweet_id, t.category, t.url, self.now(), t.author.username)
                for t in rows
            ],
        )

    def engage(self, kind: Kind, count: int = 1, *, tweet: int = 0, lag: float = 0.0) -> list[str]:
        """Let so many people engage with a tweet, a second apart, up to now; returns the source ids."""
        tweet_id = self.tweet_ids[tweet]
        return [
            self.world.engage(tweet_id, kind, self.now() - timedelta(seconds=count - n), lag=lag).source_id
            for n in range(1, count + 1)
        ]

    def withdraw(self, kind: Kind, source_id: str, *, tweet: int = 0) -> None:
        self.world.withdraw(self.tweet_ids[tweet], kind, source_id, self.now())

    def context(self, stop: threading.Event | None = None, *, db: Db | None = None) -> WorkContext:
        database = db if db is not None else self.db
        limiter = Limiter(database, KEY, self.rate, stop or threading.Event())
        client = MeteredClient(self.provider, limiter, Meter(database), Budget(database), self.now)
        writer = EngagementWriter(database, ImportanceCollections(), default_rules())
        return WorkContext(database, client, writer, self.now, policy=self.policy)

    def enqueue(self, *, verify: bool = False) -> EnqueueResult:
        return enqueue(self.db, verify=verify, looks=self.looks, now=self.now())

    def campaign(self, slug: str = SLUG) -> Campaign:
        found = campaigns.find(self.db, slug)
        assert found is not None
        return found

    def work(self, *, threads: int = 8, **options: object) -> WorkResult:
        """Work the queue with the real worker until it is dry."""
        wanted = WorkerOptions(threads=threads, **options)  # type: ignore[arg-type]
        return Worker(self.context(), wanted).run()

    def cycle(self, *, verify: bool = False, threads: int = 8) -> WorkResult:
        self.enqueue(verify=verify)
        return self.work(threads=threads)

    def work_by_hand(self, context: WorkContext | None = None, *, rounds: int = 40) -> None:
        """Work the queue in this thread, letting waiting times pass at once; whatever is raised, escapes."""
        context = context or self.context()
        rng = random.Random(0)
        for _ in range(rounds):
            units = jobs.claim(context.db, kinds(), units=50, batch=50, worker="by-hand", lease=60)
            for unit in units:
                done = work_unit(context, unit, rng)
                if done.fatal or done.bug:
                    raise done.fatal or done.bug  # type: ignore[misc]
                context.client.meter.write()
                jobs.settle(context.db, done.outcomes)
            if not units and jobs.seconds_to_next(context.db) is None:
                return
            self.let_time_pass()

    def let_time_pass(self) -> None:
        """Every lease has run out and every waiting time is over, as after a long pause."""
        past = datetime.fromtimestamp(0).astimezone()
        self.db.jobs.update_many({"status": "pending"}, {"$set": {"due": past}})
        self.db.jobs.update_many(
            {"status": "processing"}, {"$set": {"lease_expires_at": past, "lost_leases": 0}}
        )
        for kind in LISTS:
            held = {f"{kind}.lease_until": {"$ne": None}}
            self.db.worker_state.update_many(held, {"$set": {f"{kind}.lease_until": past}})
        self.db.rate_limits.delete_many({})
        jobs.sweep(self.db)

    def truth(self) -> set[Key]:
        return true_keys(self.world.truth(self.now()))

    def stored(self, *, present: bool = True) -> list[Key]:
        return sorted(engagements.stored_ids(self.db, present=present))

    def assert_exact(self) -> None:
        """Stored and present is what is true and visible: none missing, none invented, none twice."""
        assert self.stored() == sorted(self.truth())
