"""One list's engagements as columns of numbers, and the document that keeps them."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from socap_cli.model.columns import BACKFILL, MOST_LABELS, TIMED, TYPES, number_of

FIELDS = dict.fromkeys(
    ("tweet_id", "action_type", "source_id", "user_id", "importance_score", "categories", "engaged_at",
     "first_seen_at", "backfill", "last_scan"), 1,
)  # fmt: skip
"""What is read of an engagement's document."""
PER_ROW = tuple(name for name in TYPES if name not in ("tweet", "action"))


@dataclass
class ListColumns:
    """The rows of one list."""

    scan: int | None = None
    """The newest scan among them, or the lowest that can add to them; None before anything was read."""
    label_names: list[str] = field(default_factory=list)
    strange: dict[int, str] = field(default_factory=dict)
    rows: dict[str, array[Any]] = field(
        default_factory=lambda: {name: array(TYPES[name]) for name in PER_ROW}
    )

    def __len__(self) -> int:
        return len(self.rows["user"])

    def add(self, row: Mapping[str, Any]) -> None:
        """Take in one engagement's document."""
        timed = row.get("engaged_at") is not None
        at = row["engaged_at"] if timed else row["first_seen_at"]
        score = row.get("importance_score")
        flags = (BACKFILL if row.get("backfill") else 0) | (TIMED if timed else 0)
        values = {
            "source": self._number(row["source_id"]),
            "user": self._number(row["user_id"]),
            "score": float("nan") if score is None else score,
            "labels": self._mask(row.get("categories") or ()),
            "at": min(max(int(at.timestamp()), 0), 2**32 - 1),
            "flags": flags,
        }
        for name, value in values.items():
            self.rows[name].append(value)
        self.scan = max(self.scan or 0, row.get("last_scan") or 0)

    def _number(self, text: str) -> int:
        number = number_of(text)
        if number < 0:
            self.strange[number] = text
        return number

    def _mask(self, labels: Iterable[str]) -> int:
        mask = 0
        for label in labels:
            if label not in self.label_names:
                self.label_names.append(label)
            place = self.label_names.index(label)
            mask |= 1 << place if place < MOST_LABELS else 0
        return mask

    def sort(self) -> None:
        """Put the rows in the order of their sources, so that equal engagements are equal columns."""
        order = np.argsort(np.frombuffer(self.rows["source"], np.int64), kind="stable")
        for name, values in self.rows.items():
            put = np.frombuffer(values, values.typecode)[order]
            self.rows[name] = array(values.typecode, put.tobytes())

    def packed(self, next_scan: int) -> dict[str, Any]:
        """As fields of a document; `next_scan` is the lowest that can add anything."""
        return {
            "next_scan": next_scan,
            "label_names": self.label_names,
            "strange": {str(number): text for number, text in self.strange.items()},
            **{name: self.rows[name].tobytes() for name in PER_ROW},
        }


def unpacked(row: Mapping[str, Any]) -> ListColumns:
    """The columns that a document keeps."""
    strange = {int(number): text for number, text in row["strange"].items()}
    columns = ListColumns(row["next_scan"], list(row["label_names"]), strange)
    for name in PER_ROW:
        columns.rows[name].frombytes(row[name])
    return columns
