"""Whatever a value holds, its JSON is what any strict parser reads."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from enum import IntEnum, StrEnum
from pathlib import Path, PurePosixPath
from typing import Any

import pydantic_core
import pytest
from hypothesis import given
from hypothesis import strategies as st

from socap_cli.text import iso, json_text


class Colour(StrEnum):
    RED = "red"


class Level(IntEnum):
    HIGH = 3


@dataclass(frozen=True)
class Pair:
    left: object
    right: object = None


CASES: list[tuple[object, str]] = [
    (datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), '"2026-01-02T03:04:05Z"'),
    (datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone(timedelta(hours=2))), '"2026-01-02T03:04:05+02:00"'),
    (timedelta(seconds=90.5), "90.5"),
    (datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=14))), '"0001-01-01T00:00:00+14:00"'),
    (date(2026, 1, 2), '"2026-01-02"'),
    (float("nan"), "null"),
    ([float("inf"), -float("inf"), 1.5], "[null,null,1.5]"),
    ("cut \ud83d", '"cut \ufffd"'),
    ({"\ud83d": 1}, '{"\ufffd":1}'),
    ("🚀", '"🚀"'),
    (Colour.RED, '"red"'),
    (Level.HIGH, "3"),
    ({Colour.RED: Level.HIGH, None: 1, 2: 3}, '{"red":3,"None":1,"2":3}'),
    (Pair(1, Pair((2,), {"a"})), '{"left":1,"right":{"left":[2],"right":["a"]}}'),
    (b"\xff", '"\ufffd"'),
    (PurePosixPath("/a"), '"/a"'),
    (Path("caf\udce9"), '"caf\ufffd"'),
    (True, "true"),
    (10**30, "1" + "0" * 30),
]


@pytest.mark.parametrize(("value", "text"), CASES, ids=[repr(case[0])[:40] for case in CASES])
def test_a_value_of_any_kind_has_its_text(value: object, text: str) -> None:
    assert json_text(value) == text


odd = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(exclude_categories=()))
    | st.datetimes(timezones=st.just(UTC))
    | st.binary()
    | st.just(Colour.RED),
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(st.text(st.characters(exclude_categories=())) | st.integers() | st.none(), inner)
        | st.builds(Pair, inner, inner)
        | st.tuples(inner)
    ),
    max_leaves=12,
)


@given(odd, st.booleans())
def test_a_strict_parser_reads_whatever_is_written(value: object, ascii_only: bool) -> None:
    def refuse(word: str) -> Any:
        raise AssertionError(word)

    text = json_text(value, ascii_only=ascii_only)
    json.loads(text, parse_constant=refuse)
    pydantic_core.from_json(text.encode())
    assert "\n" not in text
    assert not ascii_only or text.isascii()


def test_a_moment_without_an_offset_is_utc() -> None:
    assert iso(datetime(2026, 1, 1)) == "2026-01-01T00:00:00Z"  # noqa: DTZ001
