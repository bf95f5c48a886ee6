"""Accounts as people write them: one handle, or a reason."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from socap_cli.model.links import HANDLE, NotAHandle, handle, handles
from socap_cli.text import visible


@pytest.mark.parametrize(
    "text",
    [
        "Ada", "@Ada", " @Ada ", "＠Ada", "@Ada.", "'@Ada'", "\u200b@Ada\u2069", "\ufeffAda", "“@Ada”",
        "https://x.com/Ada", "http://twitter.com/Ada/", "x.com/Ada", "https://x.com/@Ada",
        "https://mobile.twitter.com/Ada?s=21", "https://x.com/Ada/with_replies", "HTTPS://X.COM/Ada",
        "https://twitter.com/intent/user?screen_name=Ada", "https://nitter.net/Ada", "https://fxtwitter.com/Ada",
        "<https://x.com/Ada|Ada Example>", "[Ada Example](https://x.com/Ada)", "Ada Example (@Ada)",
        "Ada Example https://x.com/Ada",
    ],
)  # fmt: skip
def test_every_form_that_people_write_names_the_account(text: str) -> None:
    assert handle(text) == "Ada"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "empty"),
        ("  \u200b ", "empty"),
        ("Ada Example", "a name, not a handle"),
        ("ada bob", "a name, not a handle"),
        ("ada@example.com", "an e-mail address"),
        ("a_name_that_is_too_long", "longer than"),
        ("@a_name_that_is_too_long", "longer than"),
        ("https://x.com/ada/status/101", "a tweet's address"),
        ("https://x.com/i/lists/1", "a page of the site"),
        ("https://x.com/home", "a page of the site"),
        ("https://evil.example/ada", "not an account of"),
        ("https://x.com.evil.example/ada", "not an account of"),
        ("@ada and @bob", "2 accounts in one"),
        ("@ada https://x.com/bob", "2 accounts in one"),
        ("аda", "no handle"),  # its first letter is Cyrillic
        ("ad\ud83da", "no handle"),
        ("١٢٣", "no handle"),
        ("http://[x/ada", "no handle"),
        ("-", "no handle"),
    ],
)
def test_what_names_no_account_is_refused_with_its_reason(text: str, reason: str) -> None:
    with pytest.raises(NotAHandle, match=reason):
        handle(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("@ada,@bob", ["ada", "bob"]),
        ("ada, Bob;ADA", ["ada", "Bob"]),
        ("@ada @bob", ["ada", "bob"]),
        ("https://x.com/ada, bob", ["ada", "bob"]),
        ("ada,", ["ada"]),
        ("ada\nbob", ["ada", "bob"]),
    ],
)
def test_a_list_is_taken_apart_and_each_account_kept_once(text: str, expected: list[str]) -> None:
    assert handles(text) == expected


@pytest.mark.parametrize("text", ["", ",", "ada, Bob Example", "ada,,https://x.com/i/lists/1"])
def test_a_list_with_a_part_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(NotAHandle):
        handles(text)


@given(st.text(st.characters(), max_size=60))
def test_any_text_is_a_wellformed_handle_or_a_reason(text: str) -> None:
    try:
        found = handle(text)
    except NotAHandle as reason:
        assert str(reason)
    else:
        assert HANDLE.fullmatch(found)


@given(
    st.from_regex(r"[A-Za-z0-9_]{1,15}", fullmatch=True),
    st.sampled_from(["{}", "@{}", " @{},", "(@{})", "\u200e{}"]),
)
def test_a_handle_is_found_in_every_dress(name: str, dress: str) -> None:
    assert handle(dress.format(name)) == name


@given(st.text(st.characters(), max_size=30))
def test_what_nobody_sees_is_gone_and_the_rest_is_as_it_was(text: str) -> None:
    seen = visible(text)
    assert visible(seen) == seen
    assert set(seen) <= set(text)
