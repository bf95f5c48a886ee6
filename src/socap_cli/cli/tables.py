"""Terminal tables that stay readable in a narrow window."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from socap_cli.cli.run import one_line


def show(
    columns: Sequence[str], rows: Iterable[Sequence[Any]], *, title: str = "", numbers: Sequence[str] = ()
) -> None:
    """Draw a table on stdout; `numbers` names the columns that align right."""

    table = Table(
        title=title or None,
        title_justify="left",
        title_style="bold",
        box=None,
        pad_edge=False,
        padding=(0, 2, 0, 0),
    )
    for column in columns:
        right = column in numbers
        table.add_column(
            column, justify="right" if right else "left", header_style="dim", no_wrap=right, overflow="fold"
        )
    for row in rows:
        table.add_row(*(Text(one_line(cell_text(value))) for value in row))
    console().print(table)


def pairs(rows: Iterable[tuple[str, Any]], *, title: str = "") -> None:
    """Draw names and values, one pair a line."""

    table = Table(
        title=title or None,
        title_justify="left",
        title_style="bold",
        box=None,
        show_header=False,
        pad_edge=False,
        padding=(0, 2, 0, 0),
    )
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in rows:
        table.add_row(name, Text(one_line(cell_text(value))))
    console().print(table)


def console(*, stderr: bool = False) -> Any:

    # Not a terminal: wide enough that no pipe or log ever sees a folded line.
    stream = sys.stderr if stderr else sys.stdout
    return Console(stderr=stderr, width=None if stream.isatty() else 160, highlight=False)


def cell_text(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.2f}".rstrip("0").rstrip(".")
    if hasattr(value, "strftime"):
        return f"{value:%Y-%m-%d %H:%M}"
    return str(value)
