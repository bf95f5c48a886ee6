"""Tweet URLs to ids."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from socap_cli.campaigns.urls import Found, tweet_id, tweet_ids
from socap_cli.errors import NotATweet

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
        f"https://pro.x.com/ada/status/{ID}",
        f"https://twitter.com/statuses/{ID}",
        f"https://x.com//ada//status//{ID}",
        f"//x.com/ada/status/{ID}",
        f"https:/x.com/ada/status/{ID}",
        f"https://https://x.com/ada/status/{ID}",
        f"https://x.com/@ada/status/{ID}",
        f"https://x.com/ada/status/{ID}&s=20",
        f"https://x.com/ada/status/{ID}%20",
        f"https://x.com/ada/status/{ID}/likes",
        f"/ada/status/{ID}",
        f"ada/status/{ID}",
        f"/i/web/status/{ID}",
        f"https://d.fxtwitter.com/ada/status/{ID}.mp4",
        f"https://www.vxtwitter.com/ada/status/{ID}/en",
        f"https://g.fixupx.com/ada/status/{ID}/photo/2",
        f"https://nitter.net/ada/status/{ID}#m",
        f"https://nitter.poast.org/ada/status/{ID}",
        f"https://xcancel.com/ada/status/{ID}#m",
        f"https%3A%2F%2Fx.com%2Fada%2Fstatus%2F{ID}",
        f"https:\\/\\/x.com\\/ada\\/status\\/{ID}",
        f"https://nam02.safelinks.protection.outlook.com/?url=https%3A%2F%2Fx.com%2Fada%2Fstatus%2F{ID}&data=05",
        f"https://www.google.com/url?q=https://x.com/ada/status/{ID}&sa=D",
        f'="{ID}"',
        f"'{ID}",
        f'=HYPERLINK("https://x.com/ada/status/{ID}","the post")',
        ID,
    ],
)
def test_every_form_that_people_paste_names_the_tweet(text: str) -> None:
    assert tweet_id(text) == ID


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("https://t.co/abc", "t.co"),
        ("https://x.com/ada", "not a tweet"),
        ("https://x.com/i/lists/12", "not a tweet"),
        ("https://x.com/search?q=a", "not a tweet"),
        ("https://x.com/ada/article/12", "not a tweet"),
        ("https://x.com/i/spaces/1abc", "not a tweet"),
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
        ("hello world", "no tweet's address in it"),
        ("1996518988151710000", "spreadsheet"),
        (f"{ID}.0", "spreadsheet"),
        ("1.99E+18 client", "spreadsheet"),
        ("١٩٩٦٥١٨٩٨٨١٥١٧٠٦١١٠", "not a tweet of"),
        ("https://x.com/ada/status/١٩٩٦", "without a usable id"),
        ("https://x.com/ada/status/19965189…", "cut off"),
        ("https://x.com/ada/status/1996518...", "cut off"),
        ("https://x.com/ada/status/1.99E+18", "without a usable id"),
        (f"https://x.com/ada/status/{ID}abc", "without a usable id"),
        (f"https://х.com/ada/status/{ID}", "not a tweet of"),  # its first letter is Cyrillic
        (f"https://google.com.evil.example/url?q=https://x.com/ada/status/{ID}", "not a tweet of"),
        (f"https://x.com:8443/ada/status/{ID}", "not a tweet of"),
        ("https://x.com/intent/like?tweet_id=1", "a page of X, not a tweet"),
        ("twitter://user?screen_name=ada", "not a web address: twitter"),
        ("https://[x/ada/status/1", "not a tweet of"),
        ("https://x.com:port/ada/status/1", "not a web address"),
        ("", "empty"),
    ],
)
def test_what_is_no_tweet_is_rejected_with_its_reason(text: str, reason: str) -> None:
    with pytest.raises(NotATweet, match=reason):
        tweet_id(text)


@pytest.mark.parametrize(
    "around",
    [
        "({})", "<{}>", '"{}"', "'{}'", "“{}”", "«{}»", "[{}]", "`{}`", "**{}**", "_{}_", "{}.", "{},", "{};", "{})",
        "{}!", "{}?", "{}…", "{}:", "- {}", "* {}", "1. {}", "• {}", "> {}", "hi ({}), there", "Ada: {} – great",
        "<{}|a label, and more>", "[a label]({})", "[{}]({})", "\u200b{}\u200b",
        "\u2068{}\u2069", "\u200e{}\ufeff", "\u00a0{}\u00a0", "{}\ufe0f", "https://t.co/abc {}", "{} https://example.com",
        "@ada {} #launch", "RT @ada: hello {}", '<a href="{}">', "&lt;{}&gt;",
    ],
)  # fmt: skip
@pytest.mark.parametrize(
    "link", [f"https://x.com/ada/status/{ID}", f"twitter.com/ada/status/{ID}?s=20&t=a-b"]
)
def test_whatever_stands_around_a_link_does_not_hide_it(around: str, link: str) -> None:
    assert tweet_ids(around.format(link, link)) == Found((ID,))


@pytest.mark.parametrize("around", ["text:{}", "見{}。有", "view-source:{}", "hi,{}"])
def test_a_link_that_is_glued_to_a_text_is_found_by_its_scheme(around: str) -> None:
    assert tweet_id(around.format(f"https://x.com/ada/status/{ID}")) == ID


def test_every_tweet_of_a_text_is_named_once_and_a_broken_link_beside_them_told() -> None:
    text = f"https://x.com/ada/status/{ID} https://x.com/bob/status/102, x.com/ada/status/{ID} x.com/c/status/1e9"
    found = tweet_ids(text)
    assert found.tweet_ids == (ID, "102")
    assert [reason.split(";")[0] for reason in found.reasons] == ["a status link without a usable id"]


@pytest.mark.parametrize("where", range(len(ID) + 24))
def test_an_invisible_character_anywhere_changes_nothing(where: int) -> None:
    link = f"https://x.com/ada/status/{ID}"
    assert tweet_id(link[:where] + "\u200b" + link[where:]) == ID


@given(st.text(st.characters(), max_size=80))
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
