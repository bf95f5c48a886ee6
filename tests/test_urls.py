"""Tweet URLs to ids."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from socap_cli.campaigns.urls import NotATweet, tweet_id

ID = "1996518988151706110"


@pytest.mark.parametrize(
    "text",
    [
        f"https://x.com/ada/status/{ID}",
        f"http://twitter.com/ada/status/{ID}",
        f"x.com/ada/status/{ID}",
        f"https://www.x.com/ada/status/{ID}/",
        f"https://mobile.twitter.com/ada/statuses/{ID}",
        f"https://m.twitter.com/ada/status/{ID}?s=20&t=abc",
        f"https://x.com/i/status/{ID}",
        f"https://x.com/i/web/status/{ID}",
        f"https://twitter.com/#!/ada/status/{ID}",
        f"https://X.com/ada/Status/{ID}/photo/1",
        f"https://x.com/ada/status/{ID}/video/1",
        f"https://x.com/ada/status/{ID}/analytics",
        f"https://x.com/ada/status/{ID}#reply",
        f"https://fxtwitter.com/ada/status/{ID}",
        f"https://vxtwitter.com/ada/status/{ID}",
        f"https://fixupx.com/ada/status/{ID}",
        f"https://fixvx.com/ada/status/{ID}",
        f"https://twittpr.com/ada/status/{ID}",
        f"  <https://x.com/ada/status/{ID}>  ",
        ID,
    ],
)
def test_every_form_that_people_paste_names_the_tweet(text: str) -> None:
    assert tweet_id(text) == ID


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("https://t.co/abc", "t.co"),
        ("https://x.com/ada", "profile"),
        ("https://x.com/i/lists/12", "list"),
        ("https://x.com/search?q=a", "search"),
        ("https://x.com/ada/article/12", "article"),
        ("https://x.com/i/spaces/1abc", "space"),
        (f"https://box.com/ada/status/{ID}", "not a tweet of"),
        (f"https://netflix.com/ada/status/{ID}", "not a tweet of"),
        (f"https://x.com.evil.example/ada/status/{ID}", "not a tweet of"),
        (f"https://evil.example/x.com/ada/status/{ID}", "not a tweet of"),
        (f"https://x.com@evil.example/ada/status/{ID}", "not a tweet of"),
        (f"ftp://x.com/ada/status/{ID}", "not a web address"),
        ("1.9965E+18", "spreadsheet"),
        ("1,9965E+18", "spreadsheet"),
        ("99999999999999999999", "not a tweet of"),
        ("9999999999999999999", "out of range"),
        ("https://x.com/ada/status/abc", "without a usable id"),
        (f"https://x.com/a_name_that_is_too_long/status/{ID}", "without a usable id"),
        ("hello world", "holds a space"),
        ("", "empty"),
    ],
)
def test_what_is_no_tweet_is_rejected_with_its_reason(text: str, reason: str) -> None:
    with pytest.raises(NotATweet, match=reason):
        tweet_id(text)


@given(st.text(max_size=80))
def test_any_text_is_either_an_id_or_a_reason(text: str) -> None:
    try:
        found = tweet_id(text)
    except NotATweet as reason:
        assert str(reason)
    else:
        assert found.isascii()
        assert found.isdigit()
        assert 0 < int(found) < 2**63


@given(st.integers(1, 2**63 - 1), st.sampled_from(["x.com", "twitter.com", "fxtwitter.com"]))
def test_a_url_made_of_an_id_gives_that_id_back(number: int, host: str) -> None:
    assert tweet_id(f"https://{host}/ada/status/{number}?s=20") == str(number)
