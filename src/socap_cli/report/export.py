"""Engagements or people as csv, jsonl or xlsx, written row by row. No cell is run as a formula."""

from __future__ import annotations

import csv
import io
import re
import shutil
import tempfile
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any, BinaryIO

from socap_cli.errors import SocapError
from socap_cli.model.engagement import Engagement
from socap_cli.model.links import engagement_url, profile_url
from socap_cli.text import escape_formulas, iso, json_text

Row = dict[str, Any]
Rows = Iterable[Row]
COLUMNS: dict[str, Callable[[Engagement], Any]] = {
    "tweet_id": lambda e: e.tweet_id,
    "action_type": lambda e: e.action_type,
    "source_id": lambda e: e.source_id,
    "user_id": lambda e: e.profile.user_id,
    "username": lambda e: e.profile.username,
    "name": lambda e: e.profile.name,
    "bio": lambda e: e.profile.bio,
    "importance_score": lambda e: e.importance.score,
    "importance_reasons": lambda e: [f"@{who} ({weight:g})" for who, weight in e.importance.reasons],
    "important_followers": lambda e: e.importance.followers,
    "categories": lambda e: list(e.categories),
    "followers": lambda e: e.profile.followers,
    "verified": lambda e: e.profile.verified,
    "engaged_at": lambda e: e.engaged_at,
    "first_seen_at": lambda e: e.first_seen_at,
    "last_seen_at": lambda e: e.last_seen_at,
    "removed_at": lambda e: e.removed_at,
    "backfill": lambda e: e.backfill,
    "text": lambda e: e.text,
    "url": engagement_url,
}
OF_A_PERSON = (
    "user_id", "username", "name", "bio", "importance_score", "importance_reasons", "important_followers", "categories",
    "followers", "verified",
)  # fmt: skip
PEOPLE_COLUMNS = (*OF_A_PERSON, "engagements", "actions", "tweets", "first_seen_at", "url")


def row_of(engagement: Engagement) -> Row:
    """An engagement's values by column."""
    return {name: value(engagement) for name, value in COLUMNS.items()}


def people_rows(found: Iterable[Engagement]) -> Rows:
    """One row per person, in the order of their first engagement in `found`."""
    people: dict[str, Row] = {}
    for one in found:
        row = people.setdefault(one.profile.user_id, {
            **{name: COLUMNS[name](one) for name in OF_A_PERSON},
            "engagements": 0, "actions": [], "tweets": [], "first_seen_at": one.first_seen_at,
            "url": profile_url(one.profile),
        })  # fmt: skip
        row["engagements"] += 1
        row["first_seen_at"] = min(row["first_seen_at"], one.first_seen_at)
        for name, value in (("actions", one.action_type), ("tweets", one.tweet_id)):
            if value not in row[name]:
                row[name].append(value)
    return people.values()


def cell(value: Any) -> str:
    """A value as a cell that no spreadsheet runs."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return iso(value)
    text = ", ".join(value) if isinstance(value, list) else str(value)
    return escape_formulas(text) if isinstance(value, (str, list)) else text


def write_csv(rows: Rows, columns: Sequence[str], out: BinaryIO) -> int:
    """RFC 4180 with a byte order mark, as spreadsheets like it; returns the number of rows."""
    text = io.TextIOWrapper(out, encoding="utf-8-sig", newline="", write_through=True)
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(columns)
    count = 0
    for count, row in enumerate(rows, start=1):  # noqa: B007
        writer.writerow([cell(row[name]) for name in columns])
    text.detach()
    return count


def write_jsonl(rows: Rows, columns: Sequence[str], out: BinaryIO) -> int:  # noqa: ARG001
    """An object a line; returns the number of rows."""
    count = 0
    for count, row in enumerate(rows, start=1):  # noqa: B007
        out.write(json_text(row).encode() + b"\n")
    return count


ROWS_OF_A_SHEET = 1_048_575
"""Excel's limit, without the header."""


def write_xlsx(
    rows: Rows, columns: Sequence[str], out: BinaryIO, *, rows_of_a_sheet: int = ROWS_OF_A_SHEET
) -> int:
    """A workbook with as many sheets as the rows need; returns the number of rows.

    Raises SocapError when openpyxl is not installed, or cannot write its temporary files.
    """
    try:
        from openpyxl import Workbook
    except ImportError as error:
        raise SocapError("xlsx needs openpyxl", hint="pip install 'socap[xlsx]', or export csv") from error
    book, count = Workbook(write_only=True), 0
    whole = tempfile.TemporaryFile()  # noqa: SIM115  (a ZipFile over a full disk complains once more when it is deleted)
    try:
        sheet = book.create_sheet("engagements")
        sheet.append(list(columns))
        for count, row in enumerate(rows, start=1):
            if count > 1 and count % rows_of_a_sheet == 1:
                sheet.close()
                sheet = book.create_sheet(f"engagements {count // rows_of_a_sheet + 1}")
                sheet.append(list(columns))
            sheet.append([_workbook_cell(row[name]) for name in columns])
        book.save(whole)
    except OSError as error:
        for sheet in book.worksheets:
            with suppress(OSError):
                sheet.close()  # or its generators print the error once more at exit
        raise SocapError(
            f"cannot write the workbook's temporary files: {error.strerror}",
            hint="set TMPDIR to a folder with more room, or export csv",
        ) from error
    whole.seek(0)
    shutil.copyfileobj(whole, out)
    return count


LONGEST_CELL = 32_767
NOT_IN_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")


def _workbook_cell(value: Any) -> Any:
    """A number as it is; else text that XML 1.0 can hold, in the length that a cell can."""
    text = NOT_IN_XML.sub("\ufffd", cell(value))[:LONGEST_CELL]
    return value if isinstance(value, (int, float)) else text


FORMATS: dict[str, Callable[[Rows, Sequence[str], BinaryIO], int]] = {
    "csv": write_csv,
    "jsonl": write_jsonl,
    "xlsx": write_xlsx,
}
