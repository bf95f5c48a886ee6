"""Terminal tables that stay readable in a narrow window.

What identifies a row is never cut or folded, so that it can be copied. When a table is too wide, texts are shortened
first, then whole columns are left out, in an order that the table states, and named below it.
"""

from __future__ import annotations

import os
import sys
import textwrap
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.text import Text

from socap_cli.cli.run import one_line
from socap_cli.text import since

GAP = 2
NOTHING = "–"
UNLIMITED = 1_000_000
"""Not a terminal: no pipe or log ever sees a folded or cut line."""
LEAST_OF_A_TEXT = 16


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns of a table, and what becomes of them in a narrow window. What identifies a row is never cut."""

    names: Sequence[str]
    numbers: Collection[str] = ()
    """Those that align right."""
    cut: Collection[str] = ()
    """Those whose texts may be shortened."""
    drop: Sequence[str] = ()
    """Those that may be left out, the first first."""


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of texts under columns."""

    columns: Columns
    rows: tuple[tuple[str, ...], ...]

    def lines(self, width: int) -> list[str]:
        """The header and the rows, in no more columns of the terminal than this if that can be."""
        kept, widths = self._fitted(width)
        shown = [self.columns.names, *self.rows]
        return [
            (" " * GAP).join(self._cell(row[at], at, widths[at]) for at in kept).rstrip() for row in shown
        ]

    def left_out(self, width: int) -> list[str]:
        """The names of the columns for which there is no room."""
        kept, _ = self._fitted(width)
        return [name for at, name in enumerate(self.columns.names) if at not in kept]

    def remainders(self, width: int) -> list[str]:
        """Of each row in one line what `lines` has no room for."""
        kept, _ = self._fitted(width)
        names = list(self.columns.names)
        others = [at for at in map(names.index, self.columns.drop) if at not in kept]
        texts = (" · ".join(row[at] for at in others if row[at] not in ("", NOTHING)) for row in self.rows)
        return [_shortened(text, width - GAP) for text in texts]

    def _fitted(self, width: int) -> tuple[list[int], dict[int, int]]:
        natural = {
            at: max(cell_len(row[at]) for row in (self.columns.names, *self.rows))
            for at in range(len(self.columns.names))
        }
        least = {
            at: min(wide, LEAST_OF_A_TEXT) if self.columns.names[at] in self.columns.cut else wide
            for at, wide in natural.items()
        }
        kept = list(natural)
        for name in self.columns.drop:
            if _total(least[at] for at in kept) <= width:
                break
            kept = [at for at in kept if self.columns.names[at] != name]
        spare = width - _total(least[at] for at in kept)
        for at in kept:
            more = max(0, min(spare, natural[at] - least[at]))
            least[at] += more
            spare -= more
        return kept, least

    def _cell(self, text: str, at: int, width: int) -> str:
        name = self.columns.names[at]
        if name in self.columns.cut and cell_len(text) > width:
            return _shortened(text, width)
        padding = " " * (width - cell_len(text))
        return padding + text if name in self.columns.numbers else text + padding


def _shortened(text: str, width: int) -> str:
    return text if cell_len(text) <= width else set_cell_size(text, max(0, width - 1)).rstrip() + "…"


def _total(widths: Iterable[int]) -> int:
    sizes = list(widths)
    return sum(sizes) + GAP * (len(sizes) - 1)


def show(
    columns: Columns,
    rows: Iterable[Sequence[Any]],
    *,
    title: str = "",
    now: datetime | None = None,
    fold: bool = False,
) -> None:
    """Draw a table on stdout.

    In a narrow window the texts of `cut` are shortened, then the columns of `drop` go; with `fold` they stand in a
    line of their own below each row. With `now` a time is said by how long ago it was.
    """
    texts = tuple(tuple(one_line(cell_text(value, now)) for value in row) for row in rows)
    table = Table(columns, texts)
    width = stdout_width()
    out = console()
    if title:
        _print(out, title, style="bold")
    header, *body = table.lines(width)
    _print(out, header, style="dim")
    missing = table.left_out(width)
    below = table.remainders(width) if missing and fold else [""] * len(body)
    for line, more in zip(body, below, strict=True):
        _print(out, line)
        if more:
            _print(out, f"{' ' * GAP}{more}", style="dim")
    if missing and not fold:
        _print(out, f"no room here for {', '.join(missing)}; --json has all", style="dim")


def pairs(rows: Iterable[tuple[str, Any]], *, title: str = "", now: datetime | None = None) -> None:
    """Draw names and values, one pair a line."""
    out, width = console(), stdout_width()
    if title:
        _print(out, title, style="bold")
    shown = [(name, one_line(cell_text(value, now))) for name, value in rows]
    indent = max((cell_len(name) for name, _ in shown), default=0) + GAP
    for name, value in shown:
        lines = textwrap.wrap(
            value, max(20, width - indent), break_long_words=False, break_on_hyphens=False
        ) or [""]
        text = Text(name.ljust(indent), style="dim")
        text.append(f"\n{' ' * indent}".join(lines), style="not dim")
        out.print(text, soft_wrap=True)


def _print(out: Console, line: str, *, style: str = "") -> None:
    out.print(Text(line, style=style), soft_wrap=True)


def stdout_width() -> int:
    """Columns of the terminal, or of COLUMNS; without either there is no limit."""
    if sys.stdout.isatty():
        return console().width
    given = os.environ.get("COLUMNS", "")
    return int(given) if given.isdecimal() and int(given) > 0 else UNLIMITED


def console(*, stderr: bool = False) -> Console:
    """What draws on a stream; colours only where a terminal shows them."""
    stream = sys.stderr if stderr else sys.stdout
    return Console(stderr=stderr, width=None if stream.isatty() else 160, highlight=False)


def cell_text(value: Any, now: datetime | None = None) -> str:
    """A value as people read it; a time relative to `now` when it is given."""
    if value is None:
        return NOTHING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.2f}".rstrip("0").rstrip(".")
    if isinstance(value, datetime):
        return since(value, now) if now else f"{value.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    return str(value)
