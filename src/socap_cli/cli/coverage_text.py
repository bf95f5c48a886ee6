"""The completeness of a campaign over time, for people and as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import asdict, fields

from socap_cli.cli import tables
from socap_cli.cli.run import Run
from socap_cli.json_text import iso
from socap_cli.report.coverage_over_time import CoverageRow

COLUMNS = ("list", "counted", "collected", "share", "not read", "minutes")
NUMBERS = COLUMNS[1:]


def as_csv(rows: Sequence[CoverageRow]) -> str:
    """A line for each interval and kind of list."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(field.name for field in fields(CoverageRow))
    for row in rows:
        values = {**asdict(row), "starts_at": iso(row.starts_at)}
        writer.writerow("" if value is None else value for value in values.values())
    return out.getvalue()


def show(run: Run, rows: Sequence[CoverageRow]) -> None:
    """A table; the last two columns say how many tweets were not read for how long."""
    if not rows:
        run.info("no reading in that time")
        return
    cells = [
        [
            f"{row.starts_at:%m-%d %H:%M}",
            row.kind,
            f"{row.counter:,}",
            f"{row.collected:,}",
            "–" if row.share is None else f"{row.share:.1%}",
            f"{row.gaps:,} tweets" if row.gaps else "–",
            f"{row.gap_minutes:,.0f}" if row.gaps else "–",
        ]
        for row in rows
    ]
    tables.show(
        tables.Columns(("from (UTC)", *COLUMNS), numbers=NUMBERS, drop=("minutes", "not read")),
        cells,
        title="at the end of each interval",
    )
