"""Any interleaving of engagements, removals, cycles, faults and kills ends in the truth, stored once.

A kill is an exception that nothing catches, raised at any request or write, after which time passes and
another worker goes on. `make fuzz` runs thousands of histories.
"""

from __future__ import annotations

import contextlib
import os
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from support.databases import SharedDatabase
from support.lab import SLUG, START, Lab, change
from support.mortal import Killed, MortalDb

from socap_cli.client.looks import LookPolicy, look_prices
from socap_cli.model.cadence import Cadence
from socap_cli.model.kinds import LISTS, REPLIES, RETWEETS, Kind
from socap_cli.settings import CollectionSettings
from socap_cli.simulator.server import Simulator
from socap_cli.simulator.world import World

EXAMPLES = int(os.environ.get("SOCAP_FUZZ", "120"))
PARTS = 2
"""Items for each machine, so that two workers share its histories."""
STEPS = 18
list_kinds = st.sampled_from(list(LISTS))
tweets = st.integers(0, 1)


class CrashHistories(RuleBasedStateMachine):
    """Two tweets, three lists each, pages of five."""

    shared: SharedDatabase
    people_change_their_minds = True
    cadence = Cadence.FIXED

    def __init__(self) -> None:
        super().__init__()
        self.db = self.shared.prepared()
        world = World(start=START, tweets=2, engagements=0.0, accounts=160, seed=3)
        self.simulator = Simulator(world, page=5).__enter__()
        self.simulator.faults.hang_seconds = 0.3
        self.lab = Lab(self.db, self.simulator, policy=CollectionSettings(boundary_run=4), timeout=0.2)
        if self.cadence is Cadence.ADAPTIVE:
            prices = look_prices(self.db, self.lab.provider)
            self.lab.looks = LookPolicy(self.cadence, prices=lambda: prices)
        self.removed: set[tuple[str, str, str]] = set()

    def teardown(self) -> None:
        try:
            self._settle_down()
        finally:
            self.lab.close()
            self.simulator.close()
            self.shared.empty()

    @initialize(long_list=st.sampled_from([10, 200]))
    def some_read_long_lists_side_by_side(self, long_list: int) -> None:
        self.lab.policy = self.lab.policy.model_copy(update={"long_list": long_list})

    @rule(kind=list_kinds, tweet=tweets, count=st.integers(1, 24), lag=st.sampled_from([0.0, 0.0, 900.0]))
    def people_engage(self, kind: Kind, tweet: int, count: int, lag: float) -> None:
        if len(self.lab.world.tweets[self.lab.tweet_ids[tweet]].lists[kind].items) < 120:
            # What turns up deeper than K places is the full reading's business: here the new stand on top.
            self.lab.advance(minutes=0 if self.people_change_their_minds else 1)
            self.lab.engage(kind, count, tweet=tweet, lag=lag if self.people_change_their_minds else 0.0)

    @rule(kind=list_kinds, tweet=tweets, which=st.integers(0, 200))
    def somebody_takes_it_back(self, kind: Kind, tweet: int, which: int) -> None:
        items = self.lab.world.tweets[self.lab.tweet_ids[tweet]].lists[kind].items
        present = [item for item in items if item.removed_at is None]
        if present and self.people_change_their_minds:
            self.lab.withdraw(kind, present[which % len(present)].source_id, tweet=tweet)

    @rule(minutes=st.sampled_from([1, 30, 600, 1500]))
    def time_goes_by(self, minutes: int) -> None:
        self.lab.advance(minutes=minutes)

    @rule(
        script=st.lists(
            st.sampled_from(
                ["ok", "error", "html", "garble", "drop", "limit", "expire", "status", "empty", "hang"]
            ),
            max_size=6,
        )
    )
    def the_provider_has_a_bad_moment(self, script: list[str]) -> None:
        self.simulator.faults.update({"script": script})

    @rule(
        looping=st.booleans(),
        repeats=st.integers(0, 4),
        blanks=st.sampled_from([0.0, 0.0, 0.4]),
        expired=st.sampled_from([0.0, 0.0, 0.5]),
    )
    def the_provider_pages_oddly(self, looping: bool, repeats: int, blanks: float, expired: float) -> None:
        if not self.people_change_their_minds:
            looping, blanks = False, 0.0  # a list cut short proves nothing, and only a full reading mends it
        self.simulator.faults.update(
            {"looping": looping, "repeats": repeats, "blanks": blanks, "expired": expired}
        )

    @rule(verify=st.booleans())
    def a_cycle_runs(self, verify: bool) -> None:
        self.lab.enqueue(verify=verify)
        self.lab.work_by_hand(rounds=6)

    @rule(lives=st.integers(1, 60), after=st.booleans())
    def a_worker_is_killed(self, lives: int, after: bool) -> None:
        self.lab.enqueue()
        mortal: Any = MortalDb(self.db, lives, after=after)
        with contextlib.suppress(Killed):
            self.lab.work_by_hand(self.lab.context(db=mortal), rounds=6)
        self.lab.let_time_pass()

    @precondition(lambda self: self.db is not None)
    @invariant()
    def nothing_is_invented_or_doubled(self) -> None:
        stored = [*self.lab.stored(), *self.lab.stored(present=False)]
        ever = {
            (tweet.tweet_id, LISTS[kind].action_type, item.source_id)
            for tweet in self.lab.world.tweets.values()
            for kind in LISTS
            for item in tweet.lists[kind].items
        }
        assert len(stored) == len(set(stored))
        assert set(stored) <= ever

    def _settle_down(self) -> None:
        """The faults stop and one cycle runs, a full one when people changed their minds: now all is exact."""
        calm = {"script": [], "looping": False, "repeats": 0, "blanks": 0.0, "expired": 0.0}
        self.simulator.faults.update(calm)
        self.lab.advance(minutes=30)
        self.lab.let_time_pass()
        if self.lab.looks is not None:  # what does not pay yet is read in the last cycle
            self.lab.work_by_hand()
            change(self.db, SLUG, ends_at=self.lab.now())
        self.lab.enqueue(verify=self.people_change_their_minds)
        self.lab.work_by_hand()
        self.lab.assert_exact()
        gone = set(self.lab.stored(present=False))
        assert not gone & self.lab.truth()


class DeltaHistories(CrashHistories):
    """Nobody takes anything back: then no full reading is needed, the passes alone must lose nothing."""

    people_change_their_minds = False


class AdaptiveCrashHistories(CrashHistories):
    """Tweets are looked at when it pays."""

    cadence = Cadence.ADAPTIVE


class AdaptiveDeltaHistories(DeltaHistories):
    """The same, and nobody takes anything back."""

    cadence = Cadence.ADAPTIVE


MACHINES = [CrashHistories, DeltaHistories, AdaptiveCrashHistories, AdaptiveDeltaHistories]


@pytest.mark.timeout(300 + 5 * EXAMPLES)
@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("machine", MACHINES)
def test_every_crash_history_ends_in_the_truth(
    machine: type[CrashHistories], part: int, shared_database: SharedDatabase
) -> None:
    CrashHistories.shared = shared_database
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=EXAMPLES // len(MACHINES) // PARTS,
            stateful_step_count=STEPS,
            deadline=None,
            derandomize=False,
            print_blob=True,
            suppress_health_check=list(HealthCheck),
            phases=(Phase.explicit, Phase.generate),  # shrinking takes longer than reading a history
        ),
    )


@pytest.mark.parametrize("refused", [False, True], ids=["cursor kept", "cursor refused"])
@pytest.mark.parametrize("after", [False, True], ids=["before a write", "after a write"])
@pytest.mark.parametrize("kind", [RETWEETS, REPLIES])
def test_a_pass_killed_at_each_of_its_writes_leaves_no_gap(
    shared_database: SharedDatabase, kind: Kind, after: bool, refused: bool
) -> None:
    """Crash points, one by one: 13 new items over 3 pages, killed at write n, resumed after 3 more came."""
    reached_the_end = False
    lives = 0
    while not reached_the_end:
        lives += 1
        reached_the_end = _killed_once(shared_database, kind, lives, after=after, refused=refused)
    assert lives > 10


def _killed_once(shared: SharedDatabase, kind: Kind, lives: int, *, after: bool, refused: bool) -> bool:
    """Whether the pass ended before its n-th write came."""
    world = World(start=START, tweets=1, engagements=0.0, accounts=80, seed=5)
    db = shared.prepared()
    with Simulator(world, page=5) as simulator:
        lab = Lab(db, simulator, policy=CollectionSettings(boundary_run=4))
        lab.engage(kind, 12)
        lab.enqueue()
        lab.work_by_hand()
        lab.advance(minutes=30)
        lab.engage(kind, 13)
        lab.enqueue()
        mortal: Any = MortalDb(db, lives, after=after)
        with contextlib.suppress(Killed):
            lab.work_by_hand(lab.context(db=mortal))
        lab.let_time_pass()
        lab.advance(minutes=1)
        lab.engage(kind, 3)
        if refused:
            simulator.faults.update({"expired": 1.0})
            lab.work_by_hand(rounds=2)
            simulator.faults.update({"expired": 0.0})
        for _ in range(2):
            lab.enqueue()
            lab.work_by_hand()
        lab.assert_exact()
        lab.close()
        shared.empty()
        return bool(mortal.lives > 0)
