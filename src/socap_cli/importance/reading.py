"""Read a list of important people, or of accounts that they follow, from JSON, a table or text."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from socap_cli.errors import UsageError
from socap_cli.files.pasted import NotAHandle, handle
from socap_cli.files.tables import Row, Table, fold, read_table, split_lines
from socap_cli.importance.rows import NAMES, Listed, entry, fields_of, person
from socap_cli.model.important import Unreadable, weight_of

PEOPLE, INDEX = "important_people", "following_index"
LISTS = {"importantpeople": PEOPLE, "people": PEOPLE, "followingindex": INDEX, "index": INDEX}
"""Folded names of the lists in a JSON object."""
COLUMNS = frozenset(alias for aliases in NAMES.values() for alias in aliases)
FORMS = 'CSV with username,weight, {"important_people": […]} or {"following_index": […]}'


def read(content: str, *, name: str = "-") -> Listed:
    """What a file lists, row by row; rows that cannot be read are named and left out.

    Raises UsageError when the file as a whole cannot be read, or nothing in it can.
    """
    listed = Listed()
    if content.lstrip()[:1] in ("{", "["):
        _read_json(content, name, listed)
    else:
        _read_table(content, name, listed)
    if not listed.people and not listed.entries:
        raise _nobody(name, listed)
    return listed


def _nobody(name: str, listed: Listed) -> UsageError:
    if not listed.rejected:
        return UsageError(f"{name} holds nobody", hint=f"use {FORMS}")
    first, more = listed.rejected[0], len(listed.rejected) - 1
    rest = f" (and {more} more)" if more else ""
    return UsageError(f"{name}: {first.place}: {first.reason}{rest}", hint="mend these rows and import again")


def _read_json(content: str, name: str, listed: Listed) -> None:
    for where, number, row in _json_rows(content, name, listed):
        place = f"{where} {number}"
        try:
            fields = fields_of(row) if isinstance(row, Mapping) else {"username": row}
            if where == PEOPLE:
                listed.add(person(fields, place, listed), place)
            else:
                listed.entries.append(entry(fields, place, listed))
        except Unreadable as reason:
            listed.reject(place, json.dumps(row)[:200], reason)


def _json_rows(content: str, name: str, listed: Listed) -> Iterator[tuple[str, int, Any]]:
    """(list, position, row) of an object with lists, of one list, or of an object a line."""
    tree = _parse(content, name, listed)
    if isinstance(tree, list):
        for number, row in enumerate(tree, start=1):
            yield (INDEX if _is_entry(row) else PEOPLE), number, row
        return
    if any(fold(key) in LISTS for key in tree):
        for key, rows in tree.items():
            if fold(key) not in LISTS:
                continue
            if not isinstance(rows, list):
                raise UsageError(f"{name}: {key} is no list", hint=f"use {FORMS}")
            for number, row in enumerate(rows, start=1):
                yield LISTS[fold(key)], number, row
    elif tree:
        yield (INDEX if _is_entry(tree) else PEOPLE), 1, tree


def _is_entry(row: Any) -> bool:
    names = {fold(key) for key in row} if isinstance(row, Mapping) else set()
    return bool(names & {"followedby", "followedusername", "followeduserid"})


def _parse(content: str, name: str, listed: Listed) -> dict[str, Any] | list[Any]:
    try:
        tree = json.loads(content)
    except json.JSONDecodeError as error:
        if error.msg == "Extra data" and content.lstrip().startswith("{"):
            return _parse_lines(content, listed)
        raise UsageError(
            f"{name}: line {error.lineno}: not JSON: {error.msg}", hint="mend that line"
        ) from None
    except RecursionError:
        raise UsageError(f"{name}: nested too deeply", hint=f"use {FORMS}") from None
    except ValueError:  # a number of more digits than Python reads
        raise UsageError(f"{name}: holds a number of thousands of digits", hint="write ids as text") from None
    if isinstance(tree, (dict, list)):
        return tree
    raise UsageError(f"{name}: neither a list nor an object", hint=f"use {FORMS}")


def _parse_lines(content: str, listed: Listed) -> list[Any]:
    """An object a line, as database exports have it."""
    rows = []
    for number, line in enumerate(split_lines(content), start=1):
        try:
            if line.strip():
                rows.append(json.loads(line))
        except (ValueError, RecursionError) as error:
            listed.reject(f"line {number}", line, f"not JSON: {getattr(error, 'msg', error)}")
    return rows


def _read_table(content: str, name: str, listed: Listed) -> None:
    table = read_table(content, names=COLUMNS, is_key=_is_mention)
    for unreadable in table.unreadable:
        listed.reject(f"line {unreadable.line}", unreadable.text, unreadable.reason)
    names = _columns(table, name)
    for row in table.rows:
        place = f"line {row.line}"
        try:
            fields = fields_of(dict(zip(names, row.cells, strict=False))) if names else _bare(row)
            if any(str(value).strip() for value in fields.values()):
                listed.add(person(fields, place, listed), place)
        except Unreadable as reason:
            listed.reject(place, row.text, reason)


def _columns(table: Table, name: str) -> Sequence[str]:
    """The header, with the column of accounts found by what stands in it when no name tells. Raises UsageError."""
    if not table.header or set(table.header) & set(NAMES["username"]):
        return table.header
    counts = [
        sum(at < len(row.cells) and _is_mention(row.cells[at]) for row in table.rows)
        for at in range(len(table.header))
    ]
    if not any(counts):
        raise UsageError(f"{name}: no column with accounts", hint="call it username")
    at = counts.index(max(counts))
    return [*table.header[:at], "username", *table.header[at + 1 :]]


def _bare(row: Row) -> dict[str, Any]:
    """A row without a header: a handle, and a weight or a name beside it."""
    cells = [cell.strip() for cell in row.cells if cell.strip()]
    words = cells[0].split()
    if len(cells) == 1 and len(words) == 2 and _is_weight(words[1]):
        cells = words
    fields: dict[str, Any] = {"username": cells[0]}
    for cell in cells[1:]:
        fields.setdefault("weight" if _is_weight(cell) else "name", cell)
    return fields


def _is_weight(text: str) -> bool:
    try:
        return weight_of(text) is not None
    except Unreadable:
        return False


def _is_mention(text: str) -> bool:
    """Whether a cell is clearly an account: a link or @name."""
    return text.strip().startswith(("@", "http")) and _is_handle(text)


def _is_handle(text: str) -> bool:
    try:
        handle(text)
    except NotAHandle:
        return False
    return True
