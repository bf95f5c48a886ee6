"""One unit of work from beginning to outcome. Nothing that a provider or another worker does escapes."""

from __future__ import annotations

import random
from dataclasses import dataclass

from socap_cli.errors import (
    DatabaseUnreachable,
    LeaseLost,
    ProviderError,
    ProviderStop,
    RateLimited,
    SocapError,
    StoreError,
)
from socap_cli.model import Kind, Unit
from socap_cli.store import explain, worker_state
from socap_cli.store.leases import Settled
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
        return _worked(desk, unit, rng)
    except Exception as error:
        fault = explain(error)
        if isinstance(fault, DatabaseUnreachable):  # the pool waits for it; passes go on where they stood
            return Done(unit, _put_back(unit, fault.message))
        if fault is not None:
            return Done(unit, _put_back(unit, fault.message), fatal=fault)
        said = f"a bug: {type(error).__name__}: {error}"  # it ends the run and costs an attempt
        return Done(
            unit, [Settled(job, delay=BUG_DELAY, error=said, counts=True) for job in unit.jobs], fatal=error
        )


def _worked(desk: Desk, unit: Unit, rng: random.Random) -> Done:
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
    except StoreError:
        raise
    except SocapError as error:
        return Done(unit, _put_back(unit, error.message), fatal=error)


def _note_put_off(desk: Desk, unit: Unit, reason: str) -> None:
    if unit.kind is not Kind.METRICS:
        worker_state.note_put_off(desk.db, unit.jobs[0].tweet_id, unit.kind, reason=reason, now=desk.now())


def _put_back(unit: Unit, error: str | None = None) -> list[Settled]:
    return [Settled(job, delay=0.0, error=error) for job in unit.jobs]
