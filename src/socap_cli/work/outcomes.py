"""What becomes of a job whose request failed, by the facts that its error carries. Pure."""

from __future__ import annotations

import random

from socap_cli.errors import SocapError
from socap_cli.model.queue import Job, Outcome

BASE, CAP = 1.0, 300.0
FREE_FAILURES = 3
"""Failures of one job that cost it nothing, while others are answered; each one more counts as an attempt."""
FIRST_RETRY_AT_CAP = 10
JITTER = 0.2


def back_off(tries: int, rng: random.Random) -> float:
    """Seconds before try `tries` + 1: doubling from one second to five minutes, give or take a fifth."""
    return min(CAP, BASE * 2.0 ** min(tries, FIRST_RETRY_AT_CAP)) * rng.uniform(1 - JITTER, 1 + JITTER)


def outcome_after(job: Job, error: SocapError, rng: random.Random) -> Outcome:
    """The job's outcome after an error. Limits and outages are not the job's fault and cost no attempt."""
    if error.final:
        return Outcome(job, error=error.message, final=True)
    delay, is_failure = error.retry_after, error.is_failure or error.concerns_one
    if delay is None:
        delay = back_off(job.failures if is_failure else job.attempts, rng)
    elif delay:
        delay += rng.uniform(0, JITTER)  # so that not all of them come back at once
    return Outcome(
        job,
        delay=delay,
        error=error.message,
        counts_attempt=error.counts_attempt or (error.concerns_one and job.failures >= FREE_FAILURES),
        is_failure=is_failure,
    )
