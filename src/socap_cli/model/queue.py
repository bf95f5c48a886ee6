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
    """How often in a row the provider did not answer."""
    due: datetime
    waits_for_metrics: bool
    last_cycle: bool
    look_due_at: datetime | None = None
    """When its poll was due with an adaptive cadence; None with the fixed one."""

    @property
    def last_attempt(self) -> bool:
        return self.attempts + 1 >= self.max_attempts


@dataclass(frozen=True, slots=True)
class Unit:
    """The jobs that one request serves: a batch of metrics jobs, or every campaign's job on one list."""

    kind: Kind
    jobs: tuple[Job, ...]

    @property
    def tweet_ids(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(job.tweet_id for job in self.jobs))

    @property
    def campaigns(self) -> tuple[str, ...]:
        """One entry per job: what a request costs is shared in this proportion."""
        return tuple(job.campaign_id for job in self.jobs)


class Result(StrEnum):
    COLLECTED = "collected"
    UNCHANGED = "unchanged"
    MISSING = "missing"
    """The provider does not know its tweet."""
    OVER_BUDGET = "over budget"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What is written about a job after its unit ran."""

    job: Job
    result: Result = Result.COLLECTED
    delay: float | None = None
    """Seconds until the next attempt; None when it ended."""
    error: str | None = None
    traceback: str | None = field(default=None, repr=False)
    counts_attempt: bool = False
    is_failure: bool = False
    """Whether the provider did not answer, so that the next back-off is longer."""
    final: bool = False
    waits: bool = False
    """Whether it only waits for its turn, which is not an error."""

    @property
    def failed(self) -> bool:
        return self.final or (self.counts_attempt and self.job.last_attempt)


@dataclass(frozen=True, slots=True)
class JobRecord:
    """A job as `jobs list` and `jobs show` print it."""

    job_id: str
    campaign_id: str
    tweet_id: str
    job_type: Kind
    priority: int = 0
    status: JobStatus = JobStatus.PENDING
    due: datetime | None = None
    """None when it may run as soon as it is its turn."""
    attempts: int = 0
    max_attempts: int = 0
    outcome: str | None = None
    last_error: str | None = None
    last_error_at: datetime | None = None
    traceback: str | None = None
    claimed_by: str | None = None
    claimed_at: datetime | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    finished_at: datetime | None = None


REFUSED = "refused"
"""The key under which a run's result says why the provider refused all of it: the key, the credits, the address."""


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One run of a command, for `status`."""

    run_id: str
    command: str
    started_at: datetime
    seconds: float
    result: Mapping[str, Any]

    @property
    def refused(self) -> str | None:
        return self.result.get(REFUSED)


@dataclass(frozen=True, slots=True)
class MeteredRequest:
    """One request to a provider. The campaigns it served, one entry per job, share its cost."""

    endpoint: str
    campaigns: Sequence[str]
    items: int
    cost: float
    """Credits."""
    failed: bool
    at: datetime


@dataclass(frozen=True, slots=True)
class UsageBatch:
    """Requests that are written together; the name makes a repeated write harmless."""

    name: str
    requests: Sequence[MeteredRequest]


@dataclass(frozen=True, slots=True)
class Usage:
    """Sums of requests of a campaign, an endpoint or a day; `of` is None for all."""

    of: str | None
    requests: int = 0
    items: int = 0
    cost: float = 0.0
    """Credits."""
    failed: int = 0


@dataclass(frozen=True, slots=True)
class LimitState:
    """A limit scope: its rate, and whether it accepts requests right now."""

    scope: str
    rate: float | None
    """Requests a second; None for no limit of ours."""
    source: str | None
    refused: int
    """How often the provider refused a request because of the rate."""
    blocked_for: float
    """Seconds for which the provider accepts no requests."""
    silent_for: float | None
    """Seconds since it answered last; None unless there is an outage."""
    reason: str | None
    """The last error of an outage."""

    @property
    def is_closed(self) -> bool:
        return self.silent_for is not None or self.blocked_for > 0
