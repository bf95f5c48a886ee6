"""Which fields stored documents have: names in dots, with the name of a kind, of a counter or of a day as a word."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from socap_cli.model.kinds import counter_names, kinds

WORDS: dict[str, str] = {
    **dict.fromkeys(counter_names(), "<counter>"),
    **{str(kind): "<kind>" for kind in kinds()},
}
COUNTERS = frozenset({"counters", "growth", "totals"})
"""Objects whose names are counters."""
FREE = frozenset(
    {("runs", "result"), ("engagements", "firm"), ("campaigns", "alert_preferences.account_ids")}
)
"""Objects whose fields are somebody else's: a command's result, for one."""
TYPES: dict[type, str] = {
    str: "text", bool: "yes or no", int: "number", float: "number", datetime: "time", list: "list",
    dict: "object",
    bytes: "bytes",
}  # fmt: skip


def fields_of(collection: str, rows: Iterable[Mapping[str, Any]]) -> dict[str, set[str]]:
    """Each field with the types that were seen in it; nothing of one that was always null."""
    found: dict[str, set[str]] = {}
    for row in rows:
        for name, value in _walk(collection, row, ""):
            kind = TYPES.get(type(value), type(value).__name__)
            found.setdefault(name, set()).update(() if value is None else {kind})
    return found


def _walk(collection: str, row: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    inside = prefix.rstrip(".").rpartition(".")[2]
    for name, value in row.items():
        word = WORDS.get(name, name)
        path = f"{prefix}{'<counter>' if inside in COUNTERS and word.startswith('<') else word}"
        if isinstance(value, dict) and (collection, path) not in FREE:
            yield from _walk(collection, value, f"{path}.")
            continue
        yield path, value
        if isinstance(value, list):
            for entry in value:
                if isinstance(entry, dict):
                    yield from _walk(collection, entry, f"{path}.")
