"""A table fits the window by shortening texts, then by leaving columns out, never by cutting what identifies a row."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from socap_cli.cli.tables import Columns, Table, cell_text
from socap_cli.text import counted, duration, since

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
COLUMNS = Columns(("id", "n", "text"), numbers=("n",), cut=("text",), drop=("n", "text"))
TABLE = Table(
    COLUMNS,
    (("first", "1", "a text that is long enough to be cut"), ("second-one", "12,345", "–")),
)


@pytest.mark.parametrize(
    ("width", "lines"),
    [
        (
            99,
            [
                "id               n  text",
                "first            1  a text that is long enough to be cut",
                "second-one  12,345  –",
            ],
        ),
        (40, ["id               n  text", "first            1  a text that is long…", "second-one  12,345  –"]),
        (34, ["id          text", "first       a text that is long e…", "second-one  –"]),
        (28, ["id          text", "first       a text that is…", "second-one  –"]),
        (27, ["id", "first", "second-one"]),
        (1, ["id", "first", "second-one"]),
    ],
)  # fmt: skip
def test_a_table_in_windows_of_many_widths(width: int, lines: list[str]) -> None:
    assert TABLE.lines(width) == lines


def test_columns_without_room_are_named() -> None:
    assert [TABLE.left_out(width) for width in (100, 34, 27)] == [[], ["n"], ["n", "text"]]


cells = st.text(st.characters(exclude_categories=("C", "Z", "M")), max_size=30)


@given(st.lists(st.tuples(cells, cells, cells), max_size=5), st.integers(1, 120))
def test_no_line_is_wider_than_the_window_unless_what_must_stay_is(
    rows: list[tuple[str, str, str]], width: int
) -> None:
    table = Table(COLUMNS, tuple(rows))
    must = max([2, *(cell_len(row[0]) for row in rows)])
    lines = table.lines(width)
    assert max(map(cell_len, lines)) <= max(width, must)
    for row, line in zip(rows, lines[1:], strict=True):
        assert line.startswith(row[0])


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"), (59.9, "59 s"), (60, "1 min"), (3599, "59 min"), (3600, "1 h"), (47 * 3600, "47 h"),
        (48 * 3600, "2 d"), (13.9 * 86400, "13 d"), (2000 * 86400, "2,000 d"),
    ],
)  # fmt: skip
def test_a_time_span_in_words(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("ago", "text"),
    [
        (0.0, "now"), (0.9, "now"), (5.0, "5 s ago"), (-5.0, "in 5 s"), (300.0, "5 min ago"), (-7200.0, "in 2 h"),
        (3 * 86400.0, "3 d ago"), (14 * 86400.0, "2026-02-16"), (-15 * 86400.0, "2026-03-17"),
    ],
)  # fmt: skip
def test_a_moment_in_words(ago: float, text: str) -> None:
    assert since(NOW - timedelta(seconds=ago), NOW) == text


@pytest.mark.parametrize(
    ("number", "words", "text"),
    [
        (0, ("tweet",), "0 tweets"), (1, ("tweet",), "1 tweet"), (2000, ("tweet",), "2,000 tweets"),
        (1, ("reply", "replies"), "1 reply"), (2, ("reply", "replies"), "2 replies"),
    ],
)  # fmt: skip
def test_a_number_with_its_noun(number: int, words: tuple[str, ...], text: str) -> None:
    assert counted(number, *words) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"), (True, "yes"), (False, "no"), (1234567, "1,234,567"), (1234.5, "1,234.5"), (3.0, "3"),
        (NOW, "2026-03-02 12:00 UTC"), ("x", "x"),
    ],
)  # fmt: skip
def test_a_value_in_a_cell(value: object, text: str) -> None:
    assert cell_text(value) == text
