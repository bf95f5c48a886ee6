"""A page is judged row by row: what cannot be read is left out and told, and costs no other row."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from socap_cli.errors import MalformedAnswer
from socap_cli.model import cleaning
from socap_cli.model.account import UnreadableRow

Item = TypeVar("Item")
MOST_ROWS = 20_000
"""No page of any list has as many."""
LONGEST_CURSOR = 4_096


class Unreadable(Exception):
    """A row that cannot be read. `is_gone`: it says, or shows, that who or what it was is gone."""

    def __init__(self, reason: str, *, is_gone: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.is_gone = is_gone


def as_object(row: Any) -> dict[str, Any]:
    """A row that is an object. Raises Unreadable."""
    if isinstance(row, dict):
        return row
    raise Unreadable(f"it is {kind_of(row)}", is_gone=row is None)


def kind_of(value: Any) -> str:
    """What stands where an object should, for people."""
    return "null" if value is None else f"a {type(value).__name__}, not an object"


def whole_cursor(value: Any) -> str | None:
    """A cursor goes back as it came, so it is taken whole or not at all."""
    usable = isinstance(value, str) and len(value) <= LONGEST_CURSOR and cleaning.text(value) == value
    return value if usable else None


@dataclass(frozen=True, slots=True)
class Rows(Generic[Item]):
    """The rows of an answer that could be read, in order, and those that could not."""

    items: tuple[Item, ...]
    unreadable: tuple[UnreadableRow, ...]


def read_rows(
    rows: Sequence[Any],
    read: Callable[[Any], Item | None],
    *,
    endpoint: str,
    clean: Callable[[str], str],
) -> Rows[Item]:
    """Read each row; `read` returns None for one that is of no concern, and may raise whatever it likes.

    Raises MalformedAnswer when there are rows and none of them can be read: it is the page then that is not what
    its endpoint promises. Unless each of them is gone, as the only quote of a tweet may be.
    """
    if len(rows) > MOST_ROWS:
        raise MalformedAnswer(f"{len(rows):,} rows on one page", endpoint=endpoint)
    items: list[Item] = []
    unreadable: list[UnreadableRow] = []
    readable, gone = 0, 0
    for row in rows:
        try:
            item = read(row)
        except Exception as error:
            reason = (
                error.reason if isinstance(error, Unreadable) else f"cannot be read ({type(error).__name__})"
            )
            gone += isinstance(error, Unreadable) and error.is_gone
            unreadable.append(UnreadableRow(clean(reason), clean(cleaning.sample(row))))
            continue
        readable += 1
        if item is not None:
            items.append(item)
    if unreadable and not readable and gone < len(unreadable):
        first = unreadable[0]
        raise MalformedAnswer(f"no row can be read: {first.reason}: {first.sample}", endpoint=endpoint)
    return Rows(tuple(items), tuple(unreadable))
