"""Write the outcomes of finished units in bulk, and count them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from functools import partial
from typing import Any

from socap_cli.model.kinds import LISTS, METRICS, Kind, kinds
from socap_cli.model.queue import Outcome, Result
from socap_cli.store import jobs, leases
from socap_cli.work.context import WorkContext
from socap_cli.work.result import UnitResult

BUGS_TO_END = 25
"""So many unforeseen errors in a row, and no unit that worked among them, concern more than single units."""
COLUMNS = {Result.UNCHANGED: "unchanged", Result.OVER_BUDGET: "over_budget"}
Lists = list[tuple[str, Kind]]
Retry = Callable[[Callable[[], Any]], Any]


class Settler:
    """Settles for one worker."""

    def __init__(self, context: WorkContext) -> None:
        self._context = context
        self._bugs = 0
        self.counts = dict.fromkeys(("completed", "unchanged", "requeued", "failed", "over_budget"), 0)
        """Jobs by what became of them."""
        self.by_kind: dict[Kind, int] = dict.fromkeys(kinds(), 0)
        """Jobs that ended, by kind."""
        self.last_error: str | None = None

    def settle(self, finished: Sequence[UnitResult], until_available: Retry) -> BaseException | None:
        """Write the outcomes of these units; return what must end the run."""
        outcomes = [outcome for done in finished for outcome in done.outcomes]
        db, client = self._context.db, self._context.client
        until_available(client.meter.write)
        until_available(partial(leases.settle, db, outcomes))
        if given_up := [one.job.tweet_id for one in outcomes if _gave_up_metrics(one)]:
            until_available(partial(jobs.release_lists, db, *_lists_of(given_up, client.provider.lists)))
        self.counts["unchanged"] += sum(done.lists_unchanged for done in finished)
        for outcome in outcomes:
            self._count(outcome)
        return self._fatal(finished)

    def _count(self, outcome: Outcome) -> None:
        column = _column(outcome)
        self.counts[column] += 1
        self.by_kind[outcome.job.kind] += column != "requeued"
        if outcome.error and not outcome.waits:
            self.last_error = outcome.error

    def _fatal(self, finished: Sequence[UnitResult]) -> BaseException | None:
        for done in finished:
            self._bugs = self._bugs + 1 if done.bug else 0
            if done.fatal or self._bugs >= BUGS_TO_END:
                return done.fatal or done.bug
        return None


def _lists_of(tweet_ids: Sequence[str], served: Collection[Kind]) -> tuple[Lists, Lists]:
    """The lists of tweets whose counters will not come: (those to read without them, those that nobody serves)."""
    lists = [(tweet_id, kind) for kind in LISTS for tweet_id in tweet_ids]
    return [one for one in lists if one[1] in served], [one for one in lists if one[1] not in served]


def _gave_up_metrics(outcome: Outcome) -> bool:
    """Whether a tweet's counters will not come in this cycle, so that its lists must go without them."""
    return outcome.job.kind == METRICS and (outcome.failed or outcome.result is Result.OVER_BUDGET)


def _column(outcome: Outcome) -> str:
    if outcome.failed:
        return "failed"
    if outcome.delay is not None:
        return "requeued"
    return COLUMNS.get(outcome.result, "completed")
