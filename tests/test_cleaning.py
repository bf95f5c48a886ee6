"""What strangers wrote, cleaned: rules by table, and whatever JSON can hold by hypothesis."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone

import bson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from socap_cli.model import cleaning

ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=60)
"""Surrogates, controls and noncharacters included."""
ANY_NUMBER = st.integers() | st.integers(-(10**300), 10**300) | st.floats()
ANY_JSON = st.recursive(
    st.none() | st.booleans() | ANY_NUMBER | ANY_TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(ANY_TEXT, inner, max_size=4),
    max_leaves=12,
)
NUMBER_LIKE = st.text("0123456789.,-+eEkKmMbB '\u00a0naif", max_size=30)
TIME_LIKE = st.text("0123456789-:.TZ+ ThuDec", max_size=40) | st.datetimes(
    timezones=st.sampled_from([UTC, timezone(timedelta(hours=14)), timezone(timedelta(hours=-14))])
).map(datetime.isoformat)

CLEANERS: tuple[Callable[[object], object], ...] = (
    cleaning.text,
    cleaning.one_line,
    cleaning.number,
    cleaning.real,
    cleaning.flag,
    cleaning.moment,
    cleaning.post_id,
    cleaning.user_id,
    cleaning.handle,
    cleaning.sample,
)


@given(ANY_JSON | NUMBER_LIKE | TIME_LIKE | st.datetimes())
@example("\ud83d")
@example("9" * 5000)
@example("0001-01-01T00:00:00+14:00")
@example("9999-12-31T23:59:59-14:00")
@example("Fri Dec 31 23:59:59 -1400 9999")
@example("Fri Dec 31 23:59:59 +9999 2025")
@example(10**6000)
@example(float("nan"))
@example({"a": [{"b": {"\ud800": 10**4000}}]})
def test_every_result_fits_a_document_and_utf_8(value: object) -> None:
    for clean in CLEANERS:
        result = clean(value)
        bson.encode({"value": result})
        str(result).encode()
    text = cleaning.text(value, references=True)
    bson.encode({"text": text})


@given(ANY_TEXT, st.integers(1, 80), st.booleans())
def test_text_is_bounded_and_cleaning_it_again_changes_nothing(
    value: str, limit: int, references: bool
) -> None:
    once = cleaning.text(value, limit=limit, references=references)
    assert len(once) <= limit
    assert cleaning.text(once, limit=limit) == once
    line = cleaning.one_line(value, limit=limit)
    assert "\n" not in line
    assert cleaning.one_line(line, limit=limit) == line


@given(ANY_TEXT)
def test_characters_that_people_write_stay(value: str) -> None:
    plain = "".join(c for c in value if c.isprintable() or c in "\n\t")
    assert cleaning.text(plain) == plain


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("cut emoji \ud83d", "cut emoji \ufffd"),
        ("\udfff\ud800", "\ufffd\ufffd"),
        ("two halves \ud83d\ude00", "two halves 😀"),
        ("a\x00b\x07c\x1bd\x7fe\x9ff", "a\ufffdb\ufffdc\ufffdd\ufffde\ufffdf"),
        ("a\r\nb\rc\x0bd\x85e\u2028f\u2029g", "a\nb\nc\nd\ne\nf\ng"),
        ("tab\tand\nline", "tab\tand\nline"),
        ("evil \u202etxt.exe\u2066", "evil txt.exe"),
        ("\ufeffmark", "mark"),
        ("no \ufffe\uffff\U0001ffff", "no \ufffd\ufffd\ufffd"),
        ("مرحبا\u200f 👩\u200d🚀", "مرحبا\u200f 👩\u200d🚀"),
        (1984, "1984"),
        (None, ""),
        (True, ""),
        (1.5, ""),
        (["a"], ""),
        ({"a": 1}, ""),
        (10**400, ""),
    ],
)
def test_texts(written: object, expected: str) -> None:
    assert cleaning.text(written) == expected


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("R&amp;D beats M&amp;A &lt;3", "R&D beats M&A <3"),
        ("&amp;amp; &amp;lt;", "&amp; &lt;"),
        ("&quot;&#39;&#x27;&apos;", "\"'''"),
        ("&hellip;&nbsp;&eacute;", "…\u00a0é"),
        ("&#x1F600; &#128512;", "😀 😀"),
        ("?a=1&copy=2&lt", "?a=1&copy=2&lt"),
        ("&nosuch; AT&T; &;&#;", "&nosuch; AT&T; &;&#;"),
        ("&#0;&#xD800;&#x110000;&#27;", "\ufffd\ufffd\ufffd"),
        ("&amp;" * 40_000, "&" * (cleaning.LONGEST_TEXT - 1) + "…"),
    ],
)
def test_character_references_are_decoded_once_and_only_where_asked(written: str, expected: str) -> None:
    assert cleaning.text(written, references=True) == expected
    assert cleaning.text("R&amp;D") == "R&amp;D"


def test_a_text_of_any_size_is_cut() -> None:
    cut = cleaning.text("😀" * 17_000_000)
    assert (len(cut), cut[-1]) == (cleaning.LONGEST_TEXT, "…")
    assert len(cut.encode()) < 200_000


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (0, 0), (7, 7), (2**63 - 1, 2**63 - 1), (2**63, None), (-1, None), (10**30, None), (10**4000, None),
        (3.0, 3), (3.5, None), (1e30, None), (-0.0, 0), (float("inf"), None), (float("nan"), None),
        (True, None), (False, None), (None, None), ([], None), ({}, None),
        ("12", 12), (" 12 ", 12), ("+5", 5), ("-5", None), ("", None), ("many", None), ("１２", None),
        ("9,001", 9001), ("1,234,567", 1234567), ("1 234", 1234), ("1\u202f234", 1234), ("1'234", 1234),
        ("1,23", None), ("12,3456", None), ("1,2,3", None), ("1.234", None), ("12.0", 12), ("1.234.567", None),
        ("1.2K", 1200), ("1.2k", 1200), ("3M", 3_000_000), ("2.5 B", 2_500_000_000), ("1.2345K", 1234),
        ("1e3", 1000), ("1.5e3", 1500), ("1e99", None), ("1e400", None), ("0x10", None), ("nan", None),
        ("Infinity", None), ("9" * 25, None), ("9" * 5000, None), ("1_000", None),
    ],
)  # fmt: skip
def test_numbers(written: object, expected: int | None) -> None:
    assert cleaning.number(written) == expected


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (1, 1.0), (1.5, 1.5), (-2, -2.0), (0, 0.0), (True, None), (None, None), (10**400, None), (1e16, None),
        (float("nan"), None), (float("-inf"), None), ("1.5", 1.5), ("1,5", 1.5), ("1,234", 1234.0),
        ("1,234.5", 1234.5), ("-2", -2.0), ("−2", -2.0), ("1e3", 1000.0), ("1e400", None), ("1e99", None),
        ("Infinity", None), ("nan", None), ("", None), ("heavy", None), ("2K", 2000.0), (" 4 ", 4.0), ([1], None),
    ],
)  # fmt: skip
def test_weights(written: object, expected: float | None) -> None:
    assert cleaning.real(written) == expected


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (True, True), (False, False), (1, True), (0, False), ("true", True), ("False", False), ("no", False),
        (None, None), ("", None), ("maybe", None), (2, None), (1.0, None), ([], None), ({}, None),
    ],
)  # fmt: skip
def test_flags(written: object, expected: bool | None) -> None:
    assert cleaning.flag(written) is expected


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("Thu Dec 04 09:56:34 +0000 2025", datetime(2025, 12, 4, 9, 56, 34, tzinfo=UTC)),
        ("Thu Dec 04 09:56:34 -0130 2025", datetime(2025, 12, 4, 11, 26, 34, tzinfo=UTC)),
        ("2017-06-27T13:41:42.000000Z", datetime(2017, 6, 27, 13, 41, 42, tzinfo=UTC)),
        ("2017-06-27T15:41:42+02:00", datetime(2017, 6, 27, 13, 41, 42, tzinfo=UTC)),
        ("2017-06-27 13:41:42", datetime(2017, 6, 27, 13, 41, 42, tzinfo=UTC)),
        (datetime.fromisoformat("2017-06-27T13:00:00"), datetime(2017, 6, 27, 13, tzinfo=UTC)),
        (datetime(2017, 6, 27, 13, tzinfo=timezone(timedelta(hours=1))), datetime(2017, 6, 27, 12, tzinfo=UTC)),
        ("0001-01-01T00:00:00+14:00", None),
        ("9999-12-31T23:59:59-14:00", None),
        ("Fri Dec 31 23:59:59 -1400 9999", None),
        ("Thu Jan 01 00:00:00 +0000 1970", None),
        ("Thu Dec 99 09:56:34 +0000 2025", None),
        ("Thu Dec 04 99:56:34 +0000 2025", None),
        ("Thu Foo 04 09:56:34 +0000 2025", None),
        ("Thu Dec 04 09:56:34 +9999 2025", None),
        ("soon", None),
        ("", None),
        (None, None),
        (7, None),
        (1.5e9, None),
        (["2017-06-27"], None),
    ],
)  # fmt: skip
def test_times(written: object, expected: datetime | None) -> None:
    assert cleaning.moment(written) == expected


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("1996518988151706110", "1996518988151706110"),
        (1996518988151706110, "1996518988151706110"),
        (" 17 ", "17"),
        ("007", "7"),
        (1, "1"),
        (str(2**63 - 1), str(2**63 - 1)),
        (str(2**63), None),
        (2**63, None),
        (0, None),
        ("0", None),
        ("000", None),
        (-1, None),
        ("-1", None),
        (1.99e18, None),
        ("1.99e18", None),
        ("1.99E+18", None),
        (True, None),
        ("١٢٣", None),
        ("²", None),
        ("12a", None),
        ("1 2", None),
        ("", None),
        (None, None),
        ("9" * 60, None),
        ("9" * 5000, None),
        (10**4000, None),
        ({"$gt": 1}, None),
        ([1], None),
        ("7> <!here> <http://evil.example|Sign in", None),
    ],
)
def test_ids(written: object, expected: str | None) -> None:
    assert cleaning.post_id(written) == cleaning.user_id(written) == expected


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("ada", "ada"), ("@Ada_1", "Ada_1"), (" ada ", "ada"), ("a" * 15, "a" * 15), ("a" * 16, None), ("", None),
        ("@", None), ("ada lee", None), ("adä", None), ("a> <!channel> <http://evil.example|x", None),
        ("ada\n", "ada"), ("a\nb", None), ("ada\ud800", None), (7, None), (None, None), (["ada"], None),
        ("@" * 10**6, None),
    ],
)  # fmt: skip
def test_handles(written: object, expected: str | None) -> None:
    assert cleaning.handle(written) == expected


def test_a_sample_of_anything_is_one_short_line() -> None:
    deep: object = "x" * 10**6
    for _ in range(50_000):
        deep = [deep]
    for value in (
        deep,
        {"id": None, "text": "a\nb\ud800\x1b" * 1000},
        [10**9000],
        list(range(10**5)),
        float("nan"),
    ):
        found = cleaning.sample(value)
        assert len(found) <= cleaning.LONGEST_SAMPLE
        assert found.isprintable()
    assert cleaning.sample({"id": None, "type": "user"}) == "{'id': None, 'type': 'user'}"
    assert json.dumps(cleaning.sample({"a": "\ud800"}))
