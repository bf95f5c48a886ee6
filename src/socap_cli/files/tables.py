"""Delimited tables as people have them: any usual delimiter, header and quoting, judged row by row.

The standard csv module reads one dialect, takes every Unicode line separator for a line end when lines come
from `splitlines`, gives up at 131,072 characters a cell, and lets a quote that is never closed eat the rest
of the file. Here a record that cannot be read costs its own first line; the lines after it are read again.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, takewhile

from socap_cli.files.column_names import fold_column
from socap_cli.files.delimited_record import parse_record

DELIMITERS = (",", ";", "\t", "|")
SEPARATOR_LINE = re.compile(r'"?sep=(.)"?', re.IGNORECASE)
"""Excel's way to say which delimiter follows."""
COMMENT = "#"
SAMPLE = 60
"""Records that the delimiter and the header are judged by."""
DEEPEST_HEADER = 12
"""Records above a header that may be a report's title lines."""
IsKey = Callable[[str], bool]
UNCLOSED = "a quote that is never closed"


@dataclass(frozen=True, slots=True)
class Row:
    """A record of a table; `line` is the file's own number of its first line, as an editor shows it."""

    line: int
    cells: tuple[str, ...]
    text: str

    @property
    def is_blank(self) -> bool:
        """Whether no cell holds anything."""
        return not any(cell.strip() for cell in self.cells)

    def has_key(self, is_key: IsKey) -> bool:
        """Whether a cell is one of the things that the table lists."""
        return any(is_key(cell.strip()) for cell in self.cells)


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A line that is no record, and why."""

    line: int
    text: str
    reason: str


@dataclass(frozen=True, slots=True)
class Table:
    """What was read. `header` holds folded names, and is empty when the file has none."""

    header: tuple[str, ...]
    rows: tuple[Row, ...]
    unreadable: tuple[Unreadable, ...] = ()
    delimiter: str = ","

    def columns(self, *names: str) -> list[int]:
        """The positions of these folded names, in the order of the names; several columns may have one."""
        return [at for name in names for at, title in enumerate(self.header) if title == name]


def split_lines(text: str) -> list[str]:
    """Lines as editors count them: ended by \\n, \\r\\n or \\r, and by no other separator of Unicode."""
    lines = re.split(r"\r\n|\n|\r", text)
    return lines[:-1] if lines[-1] == "" else lines


def read_table(text: str, *, names: Collection[str], is_key: IsKey) -> Table:
    """Read a table whose delimiter and header are found by what it should hold.

    `names` are the folded names of columns that make a row a header; `is_key` says whether a cell is one of
    the things that the file lists (an address, say), which tells a header from a row of data.
    """
    lines = split_lines(text)
    first, delimiter = _separator_line(lines)
    if delimiter is None:
        delimiter = _detect(lines, names, is_key)
    found = list(_records(lines, first, delimiter, is_key))
    rows = [entry for entry in found if isinstance(entry, Row) and not entry.is_blank]
    header_at = _header_at(rows, names, is_key)
    header: tuple[str, ...] = ()
    if header_at is not None:
        header = tuple(fold_column(cell) for cell in rows[header_at].cells)
        rows = rows[header_at + 1 :]
    return Table(
        header,
        tuple(row for row in rows if not _is_comment(row, header)),
        tuple(entry for entry in found if isinstance(entry, Unreadable)),
        delimiter,
    )


def _records(lines: Sequence[str], first: int, delimiter: str, is_key: IsKey) -> Iterator[Row | Unreadable]:
    at, width = first, 0
    while at < len(lines):
        record = parse_record(lines, at, delimiter)
        if record is None or _swallows(record[0], delimiter, width, is_key):
            yield Unreadable(at + 1, lines[at], UNCLOSED)
            at += 1
            continue
        cells, after = record
        if after > at + 1 and _is_remark(cells, width):
            cells, after = [lines[at]], at + 1
        width = max(width, len(cells))
        yield Row(at + 1, tuple(cells), "\n".join(lines[at:after]))
        at = after


def _swallows(cells: Sequence[str], delimiter: str, width: int, is_key: IsKey) -> bool:
    """Whether a cell of several lines holds a record of its own, so that its quote was never closed.

    That is a whole line as wide as the table with a key in it; or a last line that breaks off where the cell
    itself began, as when the quote that closes it is another that opens there.
    """
    if width < 2:
        return False
    for column, cell in enumerate(cells):
        _, *between = cell.split("\n")
        for line in between:
            parts = line.split(delimiter)
            breaks_off = line is between[-1] and len(parts) == column + 1 and not parts[-1].strip(" ")
            if (len(parts) == width or breaks_off) and any(is_key(part.strip(' "')) for part in parts):
                return True
    return False


def _separator_line(lines: Sequence[str]) -> tuple[int, str | None]:
    """The index of the first line of data, and the delimiter that a `sep=` line names."""
    match = SEPARATOR_LINE.fullmatch(lines[0].strip(" ")) if lines else None
    return (1, match.group(1)) if match else (0, None)


def _detect(lines: Sequence[str], names: Collection[str], is_key: IsKey) -> str:
    """The delimiter under which the first records look most like a table of `names` and keys."""
    return max(DELIMITERS, key=lambda mark: _likeness(lines, mark, names, is_key))


def _likeness(
    lines: Sequence[str], delimiter: str, names: Collection[str], is_key: IsKey
) -> tuple[int, int, float]:
    """(known names in the header, records with a key beside other cells, part of records of the usual width)."""
    records = islice(_records(lines, 0, delimiter, is_key), SAMPLE)
    rows = [record for record in records if isinstance(record, Row) and not record.is_blank]
    header_at = _header_at(rows, names, is_key)
    hits = 0 if header_at is None else _hits(rows[header_at], names)
    keyed = sum(len(row.cells) > 1 and row.has_key(is_key) for row in rows)
    widths = Counter(len(row.cells) for row in rows)
    width, usual = widths.most_common(1)[0] if widths else (1, 0)
    return hits, keyed, usual / len(rows) if width > 1 else 0.0


def _header_at(rows: Sequence[Row], names: Collection[str], is_key: IsKey) -> int | None:
    """The position of the record that names most columns, above the first that holds a key: that one is data."""
    above = list(takewhile(lambda row: not row.has_key(is_key), rows[:DEEPEST_HEADER]))
    best = max(range(len(above)), key=lambda position: _hits(above[position], names), default=None)
    return best if best is not None and _hits(above[best], names) else None


def _hits(row: Row, names: Collection[str]) -> int:
    return sum(fold_column(cell) in names for cell in row.cells)


def _is_remark(cells: Sequence[str], width: int) -> bool:
    """Whether what follows a # is somebody's words: the quote in them opens no cell that would hold the next lines.

    A # alone is the title of a column of numbers.
    """
    first = cells[0].strip(" ")
    return first.startswith(COMMENT) and first != COMMENT and len(cells) != width


def _is_comment(row: Row, header: Sequence[str]) -> bool:
    """A line that begins with #, unless it is as wide as the table: then it is a row that begins with a hashtag."""
    if "\n" in row.text or not row.text.lstrip().startswith(COMMENT):
        return False
    return not (len(header) > 1 and len(row.cells) == len(header))
