"""A campaign over a simulated world, worked the way the commands do it, and compared with the truth."""

from __future__ import annotations

import random
import threading
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from socap_cli.enqueue import EnqueueResult, enqueue
from socap_cli.model import LISTS, Campaign, CampaignStatus, CampaignTweet, Category, Kind
from socap_cli.providers import TwitterApiIo
from socap_cli.simulator.server import Simulator
from socap_cli.store import Db, campaigns, engagements, jobs, leases
from socap_cli.work.calls import Calls
from socap_cli.work.delta import Policy
from socap_cli.work.desk import Desk
from socap_cli.work.pool import Pool
from socap_cli.work.result import WorkResult
from socap_cli.work.unit import work_unit

Key = tuple[str, str, str]
KEY = "test-key"
SLUG = "launch"


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


class Lab:
    """One database, one provider, one campaign of every tweet of its world."""

    def __init__(
        self, db: Db, simulator: Simulator, *, policy: Policy | None = None, timeout: float = 0.5
    ) -> None:
        self.db = db
        self.simulator = simulator
        self.world = simulator.world
        self.provider = TwitterApiIo(simulator.key or KEY, url=simulator.url, timeout=timeout)
        self.policy = policy or Policy()
        self.rate = 0.0
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
                CampaignTweet(
                    wanted.slug, t.tweet_id, Category(t.category), t.url, self.now(), t.author.username
                )
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

    def desk(self, stop: threading.Event | None = None, *, db: Db | None = None) -> Desk:
        database = db if db is not None else self.db
        calls = Calls(database, self.provider, KEY, self.rate, self.now, stop or threading.Event())
        return Desk(database, calls, self.now, policy=self.policy)

    def enqueue(self, *, verify: bool = False) -> EnqueueResult:
        return enqueue(self.db, now=self.now(), verify=verify)

    def work(self, *, seats: int = 8, **options: object) -> WorkResult:
        """Work the queue with the real pool until it is dry."""
        return Pool(self.desk(), seats=seats, **options).run()  # type: ignore[arg-type]

    def cycle(self, *, verify: bool = False, seats: int = 8) -> WorkResult:
        self.enqueue(verify=verify)
        return self.work(seats=seats)

    def work_by_hand(self, desk: Desk | None = None, *, rounds: int = 40) -> None:
        """Work the queue in this thread, letting waiting times pass at once; whatever is raised, escapes."""
        desk = desk or self.desk()
        rng = random.Random(0)
        for _ in range(rounds):
            units = leases.claim(desk.db, list(Kind), seats=50, batch=50, worker="by-hand", lease=60).units
            for unit in units:
                done = work_unit(desk, unit, rng)
                if done.fatal is not None:
                    raise done.fatal
                desk.calls.write_usage()
                leases.settle(desk.db, done.outcomes)
            if not units and jobs.seconds_to_next(desk.db) is None:
                return
            self.let_time_pass()

    def let_time_pass(self) -> None:
        """Every lease has run out and every waiting time is over, as after a long pause."""
        past = datetime.fromtimestamp(0).astimezone()
        self.db.jobs.update_many({"status": "pending"}, {"$set": {"due": past}})
        self.db.jobs.update_many(
            {"status": "running"}, {"$set": {"lease_expires_at": past, "lost_leases": 0}}
        )
        for kind in LISTS:
            held = {f"{kind.value}.lease_until": {"$ne": None}}
            self.db.worker_state.update_many(held, {"$set": {f"{kind.value}.lease_until": past}})
        self.db.rate_limits.delete_many({})
        leases.sweep(self.db)

    def truth(self) -> set[Key]:
        return {
            (tweet_id, kind.action_type.value, source)
            for tweet_id, lists in self.world.truth(self.now()).items()
            for kind, sources in lists.items()
            for source in sources
        }

    def stored(self, *, present: bool = True) -> list[Key]:
        return sorted(engagements.stored_ids(self.db, present=present))

    def assert_exact(self) -> None:
        """Stored and present is what is true and visible: none missing, none invented, none twice."""
        assert self.stored() == sorted(self.truth())
