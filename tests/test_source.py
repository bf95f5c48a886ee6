"""Campaign files: good lines are kept, bad ones are named."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from socap_cli.campaigns.source import from_options, read, sort_out
from socap_cli.errors import UsageError
from socap_cli.model import Category

A, B, C = (f"https://x.com/ada/status/{number}" for number in (101, 102, 103))


def categories(content: str, name: str = "-") -> dict[str, str]:
    wanted, rejected = sort_out(read(content, name=name))
    assert not rejected
    return {entry.tweet_id: entry.category.value for entry in wanted}


def test_text_is_a_url_a_line_with_comments_and_blank_lines() -> None:
    assert categories(f"# ours\n{A}\n\n  {B}  investor\n") == {"101": "client", "102": "investor"}


@pytest.mark.parametrize(
    "content",
    [
        f"url,category\n{A},client\n{B},Influencers\n",
        f"\ufeffcategory;url\nclient;{A}\ninfluencer;{B}\n",
        f"{A},client\n{B},influencer\n",
        f'"url","category"\r\n"{A}","main"\r\n"{B}","influencer"\r\n',
        f"url\tcategory\n{A}\tclient\n{B}\tinfluencer_twt\n",
    ],
)
def test_csv_is_read_with_or_without_header_and_with_any_usual_mark(content: str) -> None:
    assert categories(content) == {"101": "client", "102": "influencer"}


@pytest.mark.parametrize(
    "content",
    [
        f'[[tweets]]\nurl = "{A}"\n[[tweets]]\nurl = "{B}"\ncategory = "investor"\n',
        f'client = ["{A}"]\ninvestor = ["{B}"]\n',
    ],
)
def test_toml_is_tables_or_lists_per_category(content: str) -> None:
    assert categories(content, "c.toml") == {"101": "client", "102": "investor"}


def test_broken_toml_is_told_with_its_line() -> None:
    with pytest.raises(UsageError, match="line 2"):
        read("client = []\nb = oops\n", name="c.toml")


def test_bad_lines_are_named_by_number_and_the_good_ones_kept() -> None:
    wanted, rejected = sort_out(read(f"{A}\nnonsense\n{B} zebra\n{C}\n{A}?s=20\n"))
    assert [entry.tweet_id for entry in wanted] == ["101", "103"]
    assert [(r.line, r.reason.split(";")[0]) for r in rejected] == [
        (2, "not a tweet of x.com or twitter.com: nonsense"),
        (3, "no category 'zebra'"),
        (5, "the same tweet as on line 1"),
    ]


@pytest.mark.parametrize(
    ("option", "category"),
    [
        (A, Category.CLIENT),
        (f"{A}=investor", Category.INVESTOR),
        (f"{A}?s=20", Category.CLIENT),
        (f"{A}?s=20&t=abc", Category.CLIENT),
        (f"{A}?s=20=influencer", Category.INFLUENCER),
    ],
)
def test_an_equals_sign_in_a_query_is_no_category(option: str, category: Category) -> None:
    wanted, _ = sort_out(from_options([option]))
    assert [(entry.tweet_id, entry.category) for entry in wanted] == [("101", category)]


@given(
    st.lists(
        st.text(st.characters(exclude_characters="\r\n\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"), max_size=40)
    )
)
def test_no_line_is_silently_dropped(rows: list[str]) -> None:
    lines = read("\n".join(rows))
    wanted, rejected = sort_out(lines)
    assert len(wanted) + len(rejected) == len(lines)
