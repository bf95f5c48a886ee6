"""The queue: jobs, the units that one request serves, and what becomes of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

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


REFUSED = "refused"
"""The key of a result that tells why the provider refused a whole run: the key, the credits, the address."""


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One run of a command, as `status` remembers it."""

    run_id: str
    command: str
    started_at: datetime
    seconds: float
    result: Mapping[str, Any]

    @property
    def refused(self) -> str | None:
        """Why the provider refused the whole run; None when it did not."""
        return self.result.get(REFUSED)


@dataclass(frozen=True, slots=True)
class MeteredRequest:
    """One request to a provider; what it cost is shared by the campaigns that it served, an entry a job."""

    endpoint: str
    campaigns: Sequence[str]
    items: int
    cost: float
    """Credits."""
    failed: bool
    at: datetime


@dataclass(frozen=True, slots=True)
class UsageBatch:
    """Requests that are written together, under a name by which a repeated write is known."""

    name: str
    requests: Sequence[MeteredRequest]


@dataclass(frozen=True, slots=True)
class Usage:
    """Sums of requests; `of` is the campaign, endpoint or day that they are of, None for all."""

    of: str | None
    requests: int = 0
    items: int = 0
    cost: float = 0.0
    """Credits."""
    failed: int = 0


@dataclass(frozen=True, slots=True)
class LimitState:
    """Requests of one scope share a limit: how fast it is asked, and whether it takes requests right now."""

    scope: str
    rate: float | None
    """Requests a second; None when no limit of ours is set."""
    source: str | None
    """Where the rate comes from."""
    refused: int
    """How often the provider refused a request for its rate."""
    blocked_for: float
    """Seconds for which the provider asked not to be asked."""
    silent_for: float | None
    """Seconds for which it has not answered; None when it answers."""
    reason: str | None
    """What it answered last, when it does not."""

    @property
    def is_closed(self) -> bool:
        """Whether it takes no requests, but for a probe now and then."""
        return self.silent_for is not None or self.blocked_for > 0
