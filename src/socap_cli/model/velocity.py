"""How fast engagements come: counted with a memory that fades, so that a tweet that wakes up is noticed. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from socap_cli.model.kinds import LISTS, Counters, Kind

MEMORY = 3.0
"""Hours after which an observation counts for a third of itself."""


@dataclass(frozen=True, slots=True)
class Velocity:
    """Hours of watching and the engagements that came in them, both fading alike."""

    hours: float = 0.0
    engagements: Mapping[Kind, float] = field(default_factory=dict)

    def per_hour(self, kind: Kind, *, expected: float, weight: float) -> float:
        """Engagements an hour; `expected` counts as so many hours (`weight`) of watching.

        The mean of a Gamma-Poisson estimate with discounted evidence (West and Harrison, 1997, ch. 14).
        """
        return (self.engagements.get(kind, 0.0) + expected * weight) / (self.hours + weight)


def velocity_after(before: Velocity, old: Counters, new: Counters, *, hours: float) -> Velocity:
    """The velocity after counters were read again `hours` later. What fell or is unknown counts as nothing new."""
    if hours <= 0:
        return before
    kept = math.exp(-hours / MEMORY)
    came = {kind: _rise(old.get(kind), new.get(kind)) for kind in LISTS}
    counts = {kind: before.engagements.get(kind, 0.0) * kept + came[kind] for kind in LISTS}
    return Velocity(before.hours * kept + hours, counts)


def _rise(old: int | None, new: int | None) -> float:
    return float(max(0, new - old)) if old is not None and new is not None else 0.0
