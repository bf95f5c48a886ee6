"""One unit of work from beginning to outcome. Nothing that it meets escapes: the unit fails, the others go on."""

from __future__ import annotations

import logging
import random
import traceback

from socap_cli.errors import OverBudget, RateLimited, SocapError
from socap_cli.logs import about_job
from socap_cli.model.kinds import METRICS
from socap_cli.model.queue import Job, Outcome, Result, Unit
from socap_cli.store import translate_error, worker_state
from socap_cli.work import lists, metrics
from socap_cli.work.context import WorkContext
from socap_cli.work.outcomes import back_off, outcome_after
from socap_cli.work.result import UnitResult

log = logging.getLogger("socap.work")
JOBS_NAMED = 3
"""Jobs of one unit that its log lines name."""


def work_unit(context: WorkContext, unit: Unit, rng: random.Random) -> UnitResult:
    """Do what a unit asks for. Outcomes are returned, not written: the caller settles them in bulk."""
    with about_job(", ".join(job.job_id for job in unit.jobs[:JOBS_NAMED])):
        try:
            done = _work(context, unit)
        except Exception as error:
            try:
                done = _after_error(context, unit, error, rng)
            except Exception as second:  # what it wanted to note could not be written: the unit comes again
                done = _after_bug(unit, second, rng)
        _tell(done)
        return done


def _tell(done: UnitResult) -> None:
    """A line for whoever asked for more."""
    said = sorted({outcome.error or outcome.result.value for outcome in done.outcomes})
    tweets = f"{len(done.unit.tweet_ids)} tweets" if len(done.unit.tweet_ids) > 1 else done.unit.tweet_ids[0]
    log.info("%s of %s: %s", done.unit.kind, tweets, ", ".join(said))


def _work(context: WorkContext, unit: Unit) -> UnitResult:
    """Work the jobs whose campaigns may pay; the others end as over budget."""
    admitted = context.client.budget.admitted(unit.kind, unit.campaigns, context.now())
    paying = tuple(job for job in unit.jobs if job.campaign_id in admitted)
    refused = tuple(job for job in unit.jobs if job.campaign_id not in admitted)
    if not paying:
        raise OverBudget
    done = (metrics if unit.kind == METRICS else lists).run(context, Unit(unit.kind, paying))
    over = [_over_budget(job) for job in refused]
    return UnitResult(unit, [*done.outcomes, *over], done.lists_unchanged)


def _over_budget(job: Job) -> Outcome:
    return Outcome(job, Result.OVER_BUDGET, error=Result.OVER_BUDGET.value)


def _after_error(context: WorkContext, unit: Unit, error: Exception, rng: random.Random) -> UnitResult:
    """What a foreseen error means for a unit, by the facts that it carries; another one is a bug."""
    fault = error if isinstance(error, SocapError) else translate_error(error)
    if fault is None:
        return _after_bug(unit, error, rng)
    if isinstance(fault, OverBudget):
        _note_deferred(context, unit, Result.OVER_BUDGET.value)
        return UnitResult(unit, [_over_budget(job) for job in unit.jobs])
    if isinstance(fault, RateLimited) and fault.asked:
        worker_state.note_blocked(context.db, unit.tweet_ids, seconds=fault.retry_after or 0.0)
    outcomes = [outcome_after(job, fault, rng) for job in unit.jobs]
    if any(outcome.failed for outcome in outcomes):
        _note_deferred(context, unit, fault.message[:200])
    fatal = fault if fault.ends_run else None
    return UnitResult(unit, outcomes, closed_for=fault.closed_for, fatal=fatal)


def _after_bug(unit: Unit, error: Exception, rng: random.Random) -> UnitResult:
    """An unforeseen error costs an attempt of this unit's jobs, and its traceback is kept with them."""
    log.exception("%s of %s: a bug", unit.kind, ", ".join(unit.tweet_ids[:3]), exc_info=error)
    text = "".join(traceback.format_exception(error))
    said = f"a bug: {type(error).__name__}: {error}"
    outcomes = [
        Outcome(job, delay=back_off(job.attempts, rng), error=said, traceback=text, counts_attempt=True)
        for job in unit.jobs
    ]
    return UnitResult(unit, outcomes, bug=error)


def _note_deferred(context: WorkContext, unit: Unit, reason: str) -> None:
    if unit.kind != METRICS:
        tweet_id = unit.jobs[0].tweet_id
        worker_state.note_deferred(context.db, tweet_id, unit.kind, reason=reason, now=context.now())
