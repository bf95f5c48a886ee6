"""The queue: jobs, the units that one request serves, and what becomes of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from socap_cli.model.kinds import Kind


class JobStatus(StrEnum):
    """`failed` is final until a person retries it."""

    PENDING = "pending"
    PROCESSING = "processing"
    COMPLETED = "completed"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Job:
    """A claimed job: the lease token is what makes its outcome count."""

    job_id: str
    campaign_id: str
    tweet_id: str
    kind: Kind
    lease_token: str
    attempts: int
    max_attempts: int
    failures: int
    """How often in a row its provider did not answer; other waits are not counted."""
    due: datetime
    waits_for_metrics: bool
    last_cycle: bool
    look_due_at: datetime | None = None
    """When its look was due by an adaptive cadence; None by the fixed one."""

    @property
    def last_attempt(self) -> bool:
        """Whether an attempt that counts and fails is the last one."""
        return self.attempts + 1 >= self.max_attempts


@dataclass(frozen=True, slots=True)
class Unit:
    """The jobs that one request serves: a batch of metrics jobs, or every campaign's job on one list."""

    kind: Kind
    jobs: tuple[Job, ...]

    @property
    def tweet_ids(self) -> tuple[str, ...]:
        """The tweets that it is about, each once."""
        return tuple(dict.fromkeys(job.tweet_id for job in self.jobs))

    @property
    def campaigns(self) -> tuple[str, ...]:
        """One entry a job: what a request costs is shared in this proportion."""
        return tuple(job.campaign_id for job in self.jobs)


class Result(StrEnum):
    """How a job ended."""

    COLLECTED = "collected"
    UNCHANGED = "unchanged"
    MISSING = "missing"
    """The provider did not know its tweet."""
    OVER_BUDGET = "over budget"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What is written about a job after its unit ran."""

    job: Job
    result: Result = Result.COLLECTED
    delay: float | None = None
    """Seconds until it is tried again; None when it ended."""
    error: str | None = None
    traceback: str | None = field(default=None, repr=False)
    counts_attempt: bool = False
    is_failure: bool = False
    """Whether the provider did not answer, so that the next wait is longer."""
    final: bool = False
    """Whether it failed for good."""
    waits: bool = False
    """Whether it was put back until its turn, which is no trouble."""

    @property
    def failed(self) -> bool:
        """Whether the job is `failed` now: for good, or since its last attempt is used up."""
        return self.final or (self.counts_attempt and self.job.last_attempt)


@dataclass(frozen=True, slots=True)
class JobRecord:
    """A job as a person looks at it."""

    job_id: str
    campaign_id: str
    tweet_id: str
    job_type: Kind
    priority: int
    status: JobStatus
    due: datetime | None
    """None when only its turn in the order is awaited."""
    attempts: int
    max_attempts: int
    outcome: str | None
    last_error: str | None
    last_error_at: datetime | None
    traceback: str | None
    claimed_by: str | None
    claimed_at: datetime | None
    created_at: datetime | None
    updated_at: datetime | None
    finished_at: datetime | None
