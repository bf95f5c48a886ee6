"""How late an engagement is found: from when it happened to when it is stored, and to when somebody is told."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Delay:
    """Delays in seconds: how many there are, their median, and what nine of ten do not exceed."""

    count: int
    median: float
    ninety: float


@dataclass(frozen=True, slots=True)
class Detection:
    """Of replies and quotes, which tell when they happened; None where nothing is known."""

    stored: Delay | None = None
    told: Delay | None = None
    """To the first alert that arrived."""


def delay_of(seconds: Iterable[float]) -> Delay | None:
    """Median and 90th percentile by nearest rank; None of nothing. A clock that differs makes no delay negative."""
    found = sorted(max(0.0, one) for one in seconds)
    if not found:
        return None
    return Delay(len(found), _at(found, 0.5), _at(found, 0.9))


def _at(found: list[float], part: float) -> float:
    return found[max(0, math.ceil(part * len(found)) - 1)]
