"""One record of a delimited table: its cells, which may be quoted and go over several lines."""

from __future__ import annotations

from collections.abc import Sequence


def parse_record(lines: Sequence[str], at: int, delimiter: str) -> tuple[list[str], int] | None:
    """The cells of the record that begins on line index `at`, and the index after it; None if never closed.

    A quote inside a quoted cell that is not doubled is taken literally on the cell's first line. On a later
    line it shows that the cell's own quote was never closed.
    """
    cells: list[str] = []
    line, position, start = lines[at], 0, at
    while True:
        opening = _opening_quote(line, position)
        if opening is None:
            end = line.find(delimiter, position)
            cells.append(line[position:] if end < 0 else line[position:end])
        else:
            quoted = _quoted(lines, start, opening + 1, delimiter)
            if quoted is None:
                return None
            cell, start, end = quoted
            line = lines[start]
            cells.append(cell)
        if end < 0:
            return cells, start + 1
        position = end + 1


def _opening_quote(line: str, position: int) -> int | None:
    """Where a quoted cell opens that begins at `position`, blanks before it allowed."""
    while position < len(line) and line[position] == " ":
        position += 1
    return position if position < len(line) and line[position] == '"' else None


def _quoted(lines: Sequence[str], start: int, position: int, delimiter: str) -> tuple[str, int, int] | None:
    """A quoted cell's text, the line index it ends on, and where its delimiter stands there (-1: line's end)."""
    parts: list[str] = []
    at = start
    while True:
        line = lines[at]
        quote = line.find('"', position)
        if quote < 0:
            parts.append(line[position:] + "\n")
            at, position = at + 1, 0
            if at == len(lines):
                return None
            continue
        parts.append(line[position:quote])
        position = quote + 1
        if line.startswith('"', position):
            parts.append('"')
            position += 1
            continue
        end = _end_of_cell(line, position, delimiter)
        if end is not None:
            return "".join(parts), at, end
        if at > start:
            return None
        parts.append('"')


def _end_of_cell(line: str, position: int, delimiter: str) -> int | None:
    """Where the delimiter after a closing quote stands, -1 at the line's end, None when neither follows."""
    while position < len(line) and line[position] == " ":
        position += 1
    if position == len(line):
        return -1
    return position if line[position] == delimiter else None
