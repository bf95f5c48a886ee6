"""The geometry of small pictures that are written by hand: sparklines, rings, shades. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


def polyline(values: Sequence[int], width: float, height: float) -> str:
    """The points of a curve from its lowest value at the bottom to its highest at the top; flat in the middle."""
    if len(values) < 2:
        return ""
    low, high = min(values), max(values)
    span = (high - low) or 1
    step = width / (len(values) - 1)
    flat = height / 2 if high == low else None
    heights = (flat if flat is not None else height - (value - low) / span * height for value in values)
    return " ".join(f"{n * step:.0f},{y:.1f}".removesuffix(".0") for n, y in enumerate(heights))


@dataclass(frozen=True, slots=True)
class Arc:
    """A part of a ring of circumference 100."""

    name: str
    place: int
    """Among the parts, those of nothing counted."""
    value: int
    percent: float
    begins: float


def ring(parts: Mapping[str, int]) -> tuple[Arc, ...]:
    """Exclusive parts of a whole as arcs, in their order; parts of nothing are left out."""
    whole = sum(parts.values())
    arcs, begins = [], 0.0
    for place, (name, value) in enumerate(parts.items()):
        if value > 0:
            percent = 100 * value / whole
            arcs.append(Arc(name, place, value, percent, begins))
            begins += percent
    return tuple(arcs)


def hundredths(parts: Mapping[str, int]) -> dict[str, int]:
    """Exclusive parts of a whole in whole percents that add up to 100: the largest remainders are rounded up."""
    whole = sum(parts.values())
    found = {name: 100 * value // whole if whole else 0 for name, value in parts.items()}
    left = 100 - sum(found.values()) if whole else 0
    for name in sorted(parts, key=lambda name: -(100 * parts[name] % whole if whole else 0))[:left]:
        found[name] += 1
    return found


def shades(table: Sequence[Sequence[int]], levels: int = 5) -> tuple[tuple[int, ...], ...]:
    """Each value as a level: 0 for nothing, then 1 to `levels` in equal steps up to the highest."""
    most = max((value for row in table for value in row), default=0)
    return tuple(tuple(-(-value * levels // most) if most else 0 for value in row) for row in table)
