"""What a day of a campaign costs. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from socap_cli.model import Usage

CYCLES_A_DAY = 48


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a day costs, and what that is known from."""

    tweets: int
    cycles_a_day: int
    requests_a_day: float
    credits_a_day: float
    basis: str


def estimate(tweets: int, last_day: Usage | None, *, batch: int, price: Callable[[int], float]) -> Estimate:
    """From the last full day's use when there is one, never below the counters alone.

    `price` tells the credits that the counters of so many tweets cost in one request of at most `batch`.
    """
    full, rest = divmod(tweets, batch)
    requests = float((full + bool(rest)) * CYCLES_A_DAY)
    cost = (full * price(batch) + (price(rest) if rest else 0.0)) * CYCLES_A_DAY
    if last_day is None:
        basis = "counters only: lists cost extra when they move, and no day was measured yet"
        return Estimate(tweets, CYCLES_A_DAY, requests, cost, basis)
    return Estimate(
        tweets,
        CYCLES_A_DAY,
        max(requests, last_day.requests),
        max(cost, last_day.cost),
        "as on the last full day",
    )
