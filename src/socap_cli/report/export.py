"""Engagements as csv, jsonl or xlsx, written row by row. Cells that a spreadsheet would run are made harmless."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import datetime
from typing import Any, BinaryIO

from socap_cli.errors import SocapError
from socap_cli.model.engagement import Engagement
from socap_cli.model.links import engagement_url
from socap_cli.text import escape_formulas, iso, json_text

Row = dict[str, Any]
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


def row_of(engagement: Engagement) -> Row:
    """An engagement's values by column."""
    return {name: value(engagement) for name, value in COLUMNS.items()}


def cell(value: Any) -> str:
    """A value as a cell that no spreadsheet runs."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return iso(value)
    text = ", ".join(value) if isinstance(value, list) else str(value)
    return escape_formulas(text) if isinstance(value, (str, list)) else text


def write_csv(found: Iterable[Engagement], out: BinaryIO) -> int:
    """RFC 4180 with a byte order mark, as spreadsheets like it; returns the number of rows."""
    text = io.TextIOWrapper(out, encoding="utf-8-sig", newline="", write_through=True)
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    count = 0
    for count, one in enumerate(found, start=1):  # noqa: B007
        writer.writerow([cell(value) for value in row_of(one).values()])
    text.detach()
    return count


def write_jsonl(found: Iterable[Engagement], out: BinaryIO) -> int:
    """An object a line; returns the number of rows."""
    count = 0
    for count, one in enumerate(found, start=1):  # noqa: B007
        out.write(json_text(row_of(one)).encode() + b"\n")
    return count


ROWS_OF_A_SHEET = 1_048_575
"""Excel's limit, without the header."""


def write_xlsx(found: Iterable[Engagement], out: BinaryIO, *, rows_of_a_sheet: int = ROWS_OF_A_SHEET) -> int:
    """A workbook with as many sheets as the rows need; returns the number of rows.

    Raises SocapError when openpyxl is not installed, or cannot write its temporary files.
    """
    try:
        from openpyxl import Workbook
        from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE
    except ImportError as error:
        raise SocapError("xlsx needs openpyxl", hint="pip install 'socap[xlsx]', or export csv") from error
    book = Workbook(write_only=True)
    count = 0
    try:
        sheet = book.create_sheet("engagements")
        sheet.append(list(COLUMNS))
        for count, one in enumerate(found, start=1):
            if count > 1 and count % rows_of_a_sheet == 1:
                sheet.close()
                sheet = book.create_sheet(f"engagements {count // rows_of_a_sheet + 1}")
                sheet.append(list(COLUMNS))
            sheet.append(
                [
                    value
                    if isinstance(value, (int, float))
                    else _xml(ILLEGAL_CHARACTERS_RE.sub("\ufffd", cell(value)))
                    for value in row_of(one).values()
                ]
            )
        book.save(out)
    except OSError as error:
        for sheet in book.worksheets:
            with suppress(OSError):
                sheet.close()  # or its generators print the error once more at exit
        raise SocapError(
            f"cannot write the workbook's temporary files: {error.strerror}",
            hint="set TMPDIR to a folder with more room, or export csv",
        ) from error
    return count


LONGEST_CELL = 32_767


def _xml(text: str) -> str:
    """Text that XML 1.0 can hold, in the length that a cell can."""
    return text.replace("\ufffe", "\ufffd").replace("\uffff", "\ufffd")[:LONGEST_CELL]


FORMATS: dict[str, Callable[[Iterable[Engagement], BinaryIO], int]] = {
    "csv": write_csv,
    "jsonl": write_jsonl,
    "xlsx": write_xlsx,
}
