"""`--fields`: of each row of a result only what is named, so that a long list fits where it goes. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def named(given: str) -> tuple[str, ...]:
    """The names in a list with commas."""
    return tuple(name.strip() for name in given.split(",") if name.strip())


def chosen(result: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """A result whose lists of rows keep these fields; what is no row stays."""
    return {
        key: [{name: row[name] for name in names if name in row} for row in value]
        if _is_rows(value)
        else value
        for key, value in result.items()
    }


def unknown(result: Mapping[str, Any], names: Sequence[str]) -> list[str]:
    """What is wrong with the names: those that no row has, and which there are. Nothing where there is no row."""
    there = dict.fromkeys(name for rows in result.values() if _is_rows(rows) for row in rows for name in row)
    wrong = [name for name in names if there and name not in there]
    return [f"no row has the field {', '.join(wrong)}; there are: {', '.join(there)}"] if wrong else []


def _is_rows(value: Any) -> bool:
    return isinstance(value, (list, tuple)) and bool(value) and all(isinstance(row, Mapping) for row in value)
