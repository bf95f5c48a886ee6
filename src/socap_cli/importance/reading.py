"""Read a list of important people, or of accounts that they follow, from JSON, a table or text."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from socap_cli.errors import UsageError
from socap_cli.files.column_names import fold_column
from socap_cli.files.json_documents import Document, NotJson, documents
from socap_cli.files.pasted import NotAHandle, handle, handles
from socap_cli.files.tables import Row, Table, read_table
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
    found = _documents(content, name)
    tree = found[0].value if len(found) == 1 else [one.value for one in found if not one.unreadable]
    for one in found:
        if one.unreadable:
            listed.reject(f"line {one.line}", one.text, one.unreadable)
    if isinstance(tree, dict) and any(fold_column(key) in LISTS for key in tree):
        for key, rows in tree.items():
            if fold_column(key) in LISTS and not isinstance(rows, list | None):
                listed.reject(key, json.dumps(rows), "no list")
            elif fold_column(key) in LISTS:
                yield from (
                    (LISTS[fold_column(key)], number, row) for number, row in enumerate(rows or (), start=1)
                )
        return
    if not isinstance(tree, (list, dict)):
        raise UsageError(f"{name}: neither a list nor an object", hint=f"use {FORMS}")
    rows = tree if isinstance(tree, list) else [tree] if tree else []
    for number, row in enumerate(rows, start=1):
        yield (INDEX if _is_entry(row) else PEOPLE), number, row


def _is_entry(row: Any) -> bool:
    names = {fold_column(key) for key in row} if isinstance(row, Mapping) else set()
    return bool(names & {"followedby", "followedusername", "followeduserid"})


def _documents(content: str, name: str) -> list[Document]:
    try:
        return documents(content)
    except NotJson as reason:
        raise UsageError(f"{name}: {reason}", hint="mend that line; write long ids as text") from None


def _read_table(content: str, name: str, listed: Listed) -> None:
    table = read_table(content, names=COLUMNS, is_key=_is_mention)
    for unreadable in table.unreadable:
        listed.reject(f"line {unreadable.line}", unreadable.text, unreadable.reason)
    names = _columns(table, name)
    is_index = bool({"followedusername", "followeduserid"} & set(table.header))
    for row in _data(table, listed):
        place = f"line {row.line}"
        try:
            for fields in [_titled(names, row)] if names else _bare(row):
                if is_index:
                    listed.entries.append(entry(_with_followers(fields), place, listed))
                elif any(str(value).strip() for value in fields.values()):
                    listed.add(person(fields, place, listed), place)
        except Unreadable as reason:
            listed.reject(place, row.text, reason)


def _titled(names: Sequence[str], row: Row) -> dict[str, Any]:
    """The cells of a row under their titles. Raises Unreadable for an account that no title stands above."""
    if any(map(_is_mention, row.cells[len(names) :])):
        raise Unreadable("an account beyond the last title; write each on a line of its own")
    return fields_of(dict(zip(names, row.cells, strict=False)))


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


def _data(table: Table, listed: Listed) -> Sequence[Row]:
    """The rows without one of unknown titles: it holds no account where each after it does."""
    first, *rest = table.rows or (None,)
    if table.header or first is None or not rest or first.has_key(_is_mention):
        return table.rows
    if len(first.cells) < 2 or not all(row.has_key(_is_mention) for row in rest):
        return table.rows
    listed.reject(f"line {first.line}", first.text, "titles that are not known; write username and weight")
    return rest


def _with_followers(fields: dict[str, Any]) -> dict[str, Any]:
    """Who follows an account, from one cell: JSON as databases export it, or handles with marks between them."""
    cell = str(fields.get("followed_by", "")).strip()
    try:
        return {
            **fields,
            "followed_by": json.loads(cell) if cell[:1] == "[" else handles(cell) if cell else [],
        }
    except (NotAHandle, ValueError, RecursionError) as reason:
        raise Unreadable(f"followed_by: {reason}") from None


def _bare(row: Row) -> list[dict[str, Any]]:
    """A row without a header: a handle, and a weight or a name beside it; or handles alone."""
    cells = [cell.strip() for cell in row.cells if cell.strip()]
    if len(cells) > 1 and all(map(_is_mention, cells)):
        return [{"username": cell} for cell in cells]
    words = cells[0].split()
    if len(cells) == 1 and len(words) == 2 and _is_weight(words[1]):
        cells = words
    fields: dict[str, Any] = {"username": cells[0]}
    for cell in cells[1:]:
        fields.setdefault("weight" if _is_weight(cell) else "name", cell)
    return [fields]


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
