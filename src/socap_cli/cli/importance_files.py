"""The forms in which `importance export` writes the firm's lists, and `importance import` reads them."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable
from typing import Any

from socap_cli.json_text import json_text

Exported = Iterable[tuple[str, dict[str, Any]]]


def as_json(rows: Exported) -> tuple[str, int]:
    """Both lists as one JSON object."""
    tree: dict[str, list[dict[str, Any]]] = {"important_people": [], "following_index": []}
    for name, row in rows:
        tree[name].append(row)
    text = json_text(tree, indent=1)
    return text + "\n", sum(map(len, tree.values()))


def as_csv(rows: Exported) -> tuple[str, int]:
    """The important people as a table."""
    columns = ("username", "weight", "user_id", "name", "organisation", "tags", "is_active")
    stream = io.StringIO(newline="")
    writer = csv.writer(stream)
    writer.writerow(columns)
    count = 0
    for name, row in rows:
        if name == "important_people":
            cells = {**row, "tags": "; ".join(row.get("tags", ()))}
            writer.writerow([_harmless(cells.get(column, "")) for column in columns])
            count += 1
    return stream.getvalue(), count


FORMATS: dict[str, Callable[[Exported], tuple[str, int]]] = {"json": as_json, "csv": as_csv}


def _harmless(cell: object) -> object:
    """A text that a spreadsheet would run as a formula, quoted as text."""
    return f"'{cell}" if isinstance(cell, str) and cell[:1] in "=+-@\t\r" and cell else cell
