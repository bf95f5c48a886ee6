"""Any order of arming, claiming, settling, losing and waiting leaves the queue as a plain dictionary says."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from support.databases import SharedDatabase

from socap_cli.model.kinds import Kind, kinds
from socap_cli.model.queue import Job, JobStatus, Outcome, Unit
from socap_cli.store import jobs

EXAMPLES = max(60, int(os.environ.get("SOCAP_FUZZ", "0")) // 5)
PARTS = 2
"""Items, so that two workers share the histories."""
PAST = datetime(2020, 1, 1, tzinfo=UTC)
AT = datetime(2026, 3, 2, 12, tzinfo=UTC)
MAX_ATTEMPTS = 2
TWEETS = ("1", "2", "3")
BATCH = 2
some_kinds = st.sets(st.sampled_from(kinds()), min_size=1)
which = st.integers(0, 1000)


@dataclass
class Known:
    """What the model knows of one job."""

    state: JobStatus = JobStatus.COMPLETED
    attempts: int = 0
    lost: int = 0
    waits: bool = False
    """Whether it is pending, but not due."""
    waits_for_metrics: bool = False
    held: Job | None = None


@dataclass
class ClaimedOnce:
    """A job that somebody claimed once, and whether the claim still stands."""

    job: Job
    stands: bool = True


@dataclass
class Model:
    jobs: dict[str, Known] = field(default_factory=dict)
    claimed: list[ClaimedOnce] = field(default_factory=list)
    epochs: set[tuple[str, int]] = field(default_factory=set)

    def lose(self, job_id: str) -> None:
        self.jobs[job_id].held = None
        for claimed in self.claimed:
            if claimed.job.job_id == job_id:
                claimed.stands = False


class Queue(RuleBasedStateMachine):
    shared: SharedDatabase

    def __init__(self) -> None:
        super().__init__()
        self.db = self.shared.prepared()
        self.model = Model()

    def teardown(self) -> None:
        self.shared.empty()

    @rule(campaign=st.sampled_from("ab"), tweets=st.integers(1, len(TWEETS)))
    def enqueue(self, campaign: str, tweets: int) -> None:
        self.arm(campaign, tweets)

    def arm(self, campaign: str, tweets: int) -> None:
        wanted = [f"{campaign}:{tweet}:{kind}" for kind in kinds() for tweet in TWEETS[:tweets]]
        known = self.model.jobs
        gone = [j for j in known if j.startswith(f"{campaign}:") and j not in wanted]
        for job_id in gone:
            if known[job_id].state is not JobStatus.PROCESSING:
                del known[job_id]  # and made anew, should its tweet come back
                self.model.epochs = {one for one in self.model.epochs if one[0] != job_id}
        mine = [*wanted, *(j for j in gone if j in known)]
        ended = [
            j for j in mine if known.setdefault(j, Known()).state in (JobStatus.COMPLETED, JobStatus.FAILED)
        ]
        for job_id in ended:
            lists = not job_id.endswith("metrics")
            known[job_id] = Known(JobStatus.PENDING, waits=lists, waits_for_metrics=lists)
        got = jobs.arm(self.db, campaign, TWEETS[:tweets], asked_at=AT, max_attempts=MAX_ATTEMPTS)
        assert got[0] == len(ended)

    def _somebody(self, which: int) -> ClaimedOnce | None:
        """Somebody who claimed a job once; half of the time somebody whose claim still stands."""
        if not any(claimed.stands for claimed in self.model.claimed):
            self._claim(set(kinds()), units=5)
        standing = [claimed for claimed in self.model.claimed if claimed.stands]
        choice = standing if which % 2 and standing else self.model.claimed
        return choice[which // 2 % len(choice)] if choice else None

    @initialize()
    def two_campaigns_are_armed(self) -> None:
        self.arm("a", 2)
        self.arm("b", 3)

    @rule(wanted=some_kinds, units=st.integers(1, 5))
    def claim(self, wanted: set[Kind], units: int) -> None:
        self._claim(wanted, units=units)

    def _claim(self, wanted: set[Kind], *, units: int) -> None:
        free = {
            job_id
            for job_id, known in self.model.jobs.items()
            if known.state is JobStatus.PENDING and not known.waits and Kind(job_id.split(":")[2]) in wanted
        }
        claim = jobs.claim(self.db, sorted(wanted), units=units, batch=BATCH, worker="w", lease=600)
        got = [job for unit in claim for job in unit.jobs]
        ids = {job.job_id for job in got}
        assert len(ids) == len(got)
        assert ids <= free
        assert len(claim) <= units
        assert bool(got) == bool(free)
        for unit in claim:  # a unit holds every campaign's job on its tweets
            on_them = {j for j in free if j.split(":")[1] in unit.tweet_ids and j.endswith(f":{unit.kind}")}
            assert on_them == {job.job_id for job in unit.jobs}
        for job in got:
            epoch = self.db.jobs.find_one({"_id": job.job_id}, {"epoch": 1})
            assert epoch is not None
            assert (job.job_id, epoch["epoch"]) not in self.model.epochs
            self.model.epochs.add((job.job_id, epoch["epoch"]))
            known = self.model.jobs[job.job_id]
            known.state, known.held = JobStatus.PROCESSING, job
            self.model.claimed.append(ClaimedOnce(job))

    @rule(
        which=which,
        outcome=st.sampled_from(
            [
                {},
                {"delay": 0.0},
                {"delay": 900.0},
                {"delay": 0.0, "counts_attempt": True},
                {"final": True, "error": "no"},
            ]
        ),
    )
    def settle(self, which: int, outcome: dict[str, Any]) -> None:
        claimed = self._somebody(which)
        if claimed is None:
            return
        changed = jobs.settle(self.db, [Outcome(claimed.job, **outcome)])
        assert changed == claimed.stands
        if not claimed.stands:
            return
        known = self.model.jobs[claimed.job.job_id]
        self.model.lose(claimed.job.job_id)
        known.attempts += outcome.get("counts_attempt", False)
        spent = outcome.get("final") or (outcome.get("counts_attempt") and known.attempts >= MAX_ATTEMPTS)
        if spent:
            known.state = JobStatus.FAILED
        elif "delay" in outcome:
            known.state, known.waits = JobStatus.PENDING, outcome["delay"] > 0
        else:
            known.state = JobStatus.COMPLETED

    @rule(which=which, keeps=st.booleans())
    def a_worker_dies_or_stalls(self, which: int, keeps: bool) -> None:
        """Its lease runs out, and is swept, unless it renewed it at the last moment."""
        claimed = self._somebody(which)
        if claimed is None:
            return
        mine = {"_id": claimed.job.job_id, "lease_token": claimed.job.lease_token}
        self.db.jobs.update_one(mine, {"$set": {"lease_expires_at": PAST}})
        if keeps:
            assert jobs.renew(self.db, [Unit(claimed.job.kind, (claimed.job,))], lease=600) == claimed.stands
        assert jobs.sweep(self.db) == (claimed.stands and not keeps)
        if claimed.stands and not keeps:
            known = self.model.jobs[claimed.job.job_id]
            self.model.lose(claimed.job.job_id)
            known.lost += 1
            known.state = JobStatus.FAILED if known.lost >= jobs.MAX_LOST_LEASES else JobStatus.PENDING

    @rule(which=which)
    def a_worker_gives_back(self, which: int) -> None:
        claimed = self._somebody(which)
        if claimed is None:
            return
        assert jobs.release(self.db, [Unit(claimed.job.kind, (claimed.job,))]) == claimed.stands
        if claimed.stands:
            self.model.lose(claimed.job.job_id)
            self.model.jobs[claimed.job.job_id].state = JobStatus.PENDING

    @rule(which=which)
    def the_answer_to_a_claim_is_lost(self, which: int) -> None:
        """The worker keeps what it knows of; the rest that bears its name goes back."""
        heard = [claimed.job for claimed in self.model.claimed if claimed.stands]
        kept = heard[: which % (len(heard) + 1)]
        tokens = {job.lease_token for job in kept}
        lost = [job for job in heard if job.lease_token not in tokens]
        assert jobs.release_unacknowledged(
            self.db, "w", held=[Unit(job.kind, (job,)) for job in kept]
        ) == len(lost)
        for job in lost:
            self.model.lose(job.job_id)
            self.model.jobs[job.job_id].state = JobStatus.PENDING

    @rule(tweet=st.sampled_from(TWEETS), kind=st.sampled_from(kinds()[1:]), moved=st.booleans())
    def counters_come(self, tweet: str, kind: Kind, moved: bool) -> None:
        pairs = [(tweet, kind)]
        jobs.release_lists(self.db, pairs if moved else [], [] if moved else pairs)
        for job_id, known in self.model.jobs.items():
            if (
                job_id.endswith(f":{tweet}:{kind}")
                and known.state is JobStatus.PENDING
                and known.waits_for_metrics
            ):
                known.waits_for_metrics = known.waits = False
                known.state = JobStatus.PENDING if moved else JobStatus.COMPLETED

    @rule()
    def waits_are_over(self) -> None:
        self.db.jobs.update_many(
            {"status": "pending", "due": {"$gte": jobs.LAST_RANK}}, {"$set": {"due": PAST}}
        )
        jobs.promote_due(self.db)
        assert self.db.jobs.count_documents({"status": "pending", "due": {"$gte": jobs.LAST_RANK}}) == 0
        for known in self.model.jobs.values():
            known.waits = False

    @rule()
    def a_person_retries(self) -> None:
        failed = [known for known in self.model.jobs.values() if known.state is JobStatus.FAILED]
        assert jobs.retry_failed(self.db, []) == len(failed)
        for known in failed:
            known.state, known.attempts, known.lost, known.waits_for_metrics, known.waits = (
                JobStatus.PENDING,
                0,
                0,
                False,
                False,
            )

    @invariant()
    def the_queue_is_as_the_model_says(self) -> None:
        rows = {row["_id"]: row for row in self.db.jobs.find()}
        seen = {job_id: (row["status"], row.get("attempts", 0)) for job_id, row in rows.items()}
        assert seen == {
            job_id: (known.state.value, known.attempts) for job_id, known in self.model.jobs.items()
        }
        for job_id, row in rows.items():
            held = self.model.jobs[job_id].held
            assert row.get("lease_token") == (held.lease_token if held else None)
            assert row.get("attempts", 0) <= MAX_ATTEMPTS


@pytest.mark.parametrize("part", range(PARTS))
def test_the_queue_behaves_like_its_model(part: int, shared_database: SharedDatabase) -> None:
    Queue.shared = shared_database
    run_state_machine_as_test(
        Queue,
        settings=settings(
            max_examples=EXAMPLES // PARTS,
            stateful_step_count=40,
            deadline=None,
            print_blob=True,
            suppress_health_check=list(HealthCheck),
            phases=(Phase.explicit, Phase.generate),
        ),
    )
