"""One unit of work from beginning to outcome. Nothing that a provider or another worker does escapes."""

from __future__ import annotations

import random
from dataclasses import dataclass

from socap_cli.errors import LeaseLost, ProviderError, ProviderStop, RateLimited, SocapError
from socap_cli.model import Kind, Unit
from socap_cli.store import explain, worker_state
from socap_cli.store.jobs import Settled
from socap_cli.work import lists, metrics
from socap_cli.work.budget import OverBudget
from socap_cli.work.calls import Stopping
from socap_cli.work.desk import Desk
from socap_cli.work.retry import after_error

BUG_DELAY = 60.0
OVER_BUDGET = "over budget"


@dataclass(frozen=True, slots=True)
class Done:
    """A unit's outcomes; `fatal` is what must end the whole run."""

    unit: Unit
    outcomes: list[Settled]
    gates_closed: int = 0
    blocked_for: float = 0.0
    """Seconds for which its endpoint takes no more requests."""
    fatal: BaseException | None = None


def work_unit(desk: Desk, unit: Unit, rng: random.Random) -> Done:
    """Do what a unit asks for. Outcomes are returned, not written: the caller settles them in bulk."""
    try:
        if unit.kind is Kind.METRICS:
            done = metrics.run(desk, unit)
            return Done(unit, done.outcomes, gates_closed=done.gates_closed)
        return Done(unit, lists.run(desk, unit))
    except Stopping:
        return Done(unit, _put_back(unit))
    except OverBudget as error:
        _note_put_off(desk, unit, OVER_BUDGET)
        return Done(unit, [Settled(job, OVER_BUDGET, error=error.message) for job in unit.jobs])
    except ProviderStop as error:
        return Done(unit, _put_back(unit, error.message), fatal=error)
    except (ProviderError, LeaseLost) as error:
        outcomes = [after_error(job, error, rng) for job in unit.jobs]
        if any(outcome.final for outcome in outcomes):
            _note_put_off(desk, unit, error.message[:200])
        return Done(unit, outcomes, blocked_for=error.retry_after if isinstance(error, RateLimited) else 0.0)
    except SocapError as error:
        return Done(unit, _put_back(unit, error.message), fatal=error)
    except Exception as error:  # a bug, or the database: either ends the run, and a bug costs an attempt
        fault = explain(error)
        if fault is not None:
            return Done(unit, [], fatal=fault)
        said = f"a bug: {type(error).__name__}: {error}"
        return Done(
            unit, [Settled(job, delay=BUG_DELAY, error=said, counts=True) for job in unit.jobs], fatal=error
        )


def _note_put_off(desk: Desk, unit: Unit, reason: str) -> None:
    if unit.kind is not Kind.METRICS:
        worker_state.note_put_off(desk.db, unit.jobs[0].tweet_id, unit.kind, reason=reason, now=desk.now())


def _put_back(unit: Unit, error: str | None = None) -> list[Settled]:
    return [Settled(job, delay=0.0, error=error) for job in unit.jobs]
