"""What becomes of a job whose request failed. Limits and outages are not the job's fault and cost no attempt."""

from __future__ import annotations

import random

from socap_cli.errors import (
    CursorRefused,
    LeaseLost,
    MalformedAnswer,
    ProviderError,
    ProviderUnavailable,
    RateLimited,
    RequestRefused,
)
from socap_cli.model import Job
from socap_cli.store.leases import Settled

BASE = 1.0
CAP = 300.0
FIRST_RETRY_CAP = 10


def back_off(tries: int, rng: random.Random) -> float:
    """Seconds before try `tries` + 1: doubling from one second to five minutes, give or take a fifth."""
    return min(CAP, BASE * 2.0 ** min(tries, FIRST_RETRY_CAP)) * rng.uniform(0.8, 1.2)


def after_error(job: Job, error: ProviderError | LeaseLost, rng: random.Random) -> Settled:
    """The job's outcome after an error that a provider or another worker caused."""
    said = error.message
    if isinstance(error, LeaseLost):
        return Settled(job, delay=1.0, error=said)
    if isinstance(error, RateLimited):
        return Settled(job, delay=error.retry_after + rng.uniform(0, 0.2), error=said)
    if isinstance(error, ProviderUnavailable):
        return Settled(job, delay=back_off(job.snoozes, rng), error=said)
    if isinstance(error, RequestRefused):
        return Settled(job, error=said, final=True)
    if isinstance(error, (MalformedAnswer, CursorRefused)):
        return Settled(job, delay=back_off(job.attempts, rng), error=said, counts=True)
    return Settled(job, delay=0.0, error=said)
