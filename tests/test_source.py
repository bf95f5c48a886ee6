"""Campaign files: good lines are kept, bad ones are named."""

from __future__ import annotations

import cProfile
import csv
import io
import pstats
import re
from typing import Literal

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from socap_cli.campaigns.source import COLUMNS, from_options, identify, read
from socap_cli.errors import UsageError
from socap_cli.files import DELIMITERS, decode, fold_column
from socap_cli.model.campaign import TweetCategory
from socap_cli.text import visible

A, B, C = (f"https://x.com/ada/status/{number}" for number in (101, 102, 103))


LINK_COLUMNS = (
    "url", "URL", "Link", "Permalink", "Tweet permalink", "Post Link", "tweet_url", "Link to Tweet", "status_url",
    "Tweet URL", "Post URL", "Message URL", "Link to post", "Beitrag",
)  # fmt: skip


def categories(content: str, name: str = "-") -> dict[str, str]:
    wanted, rejected = identify(read(content, name=name))
    assert not rejected
    return {entry.tweet_id: entry.category.short for entry in wanted}


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
        f"sep=;\nurl;category\n{A};client\n{B};influencer\n",
        f"Tweet URL,Category\n{A},Client\n{B},INFLUENCER\n",
        f"Tweet id,Post Link,Tweet category\n1.99652E+18,{A},client\n1.99652E+18,{B},Influencers\n",
        f"name;type;permalink\nAda;client;{A}\nBob;influencer;{B}\n",
        f"type,url,category\nTweet,{A},client\nReply,{B},influencer\n",
        f"#,url,category\n1,{A},client\n2,{B},influencer\n",
        f"text,url,category\n#launch,{A},client\n#launch,{B},influencer\n",
        f"{A};client;hello, world\n{B};influencer;x\n",
        f"client,{A}\ninfluencer,{B}\n",
        f"| url | category |\n|---|---|\n| {A} | client |\n| {B} | influencer |\n",
        f"Beitrag,Kategorie\n{A},client\n{B},influencer\n",
        f"Report of 4 December\n\nurl,category\n{A},client\n{B},influencer\n",
        f"client: {A}\n- {B} (influencer)\n",
        f"url,category,notes\n{A},client,one\u2028two\n{B},influencer,\x85\n",
        "screen_name;tweet_id;tweet_url;category\nada;101;/ada/status/101;client\nada;102;/ada/status/102;influencer\n",
        "username,text,link,category\nada,hi,x.com/ada/status/101,\nbob,hello, world,x.com/ada/status/102,influencer\n",
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


LONG_A, LONG_B = (
    f"https://x.com/ada/status/{number}" for number in (1996518988151706110, 1354143047324299264)
)


@pytest.mark.parametrize(
    "content",
    [
        f"1. {LONG_A}\n2. {LONG_B}\n",
        f"1) {LONG_A}\n2) <{LONG_B}>\n",
        f"(1) {LONG_A}\n[2] {LONG_B}\n",
        f"{LONG_A} (1)\n{LONG_B} 2.\n",
        f"{LONG_A} {LONG_B}\n",
        f"{LONG_A}{LONG_B}\n",
        f"{LONG_A}、{LONG_B}\n",
        f"{LONG_A}?s=20→{LONG_B}/\n",
        "1996518988151706110, 1354143047324299264\n",
        "1996518988151706110 1354143047324299264\n",
        '{"id":"1996518988151706110"}\n{"id":1354143047324299264,"text":"x"}\n',
        f'["{LONG_A}", "{LONG_B}"]',
        "[1996518988151706110, 1354143047324299264]",
        f'[{{"url":"{LONG_A}"}},{{"url":"{LONG_B}","category":null}}]'.replace("/", "\\/"),
        '{"data":[{"id":"1996518988151706110","text":"x"},{"id":"1354143047324299264"}],"meta":{"result_count":2}}',
    ],
)
def test_every_tweet_of_a_list_is_taken_however_it_is_numbered_and_parted(content: str) -> None:
    assert categories(content) == {"1996518988151706110": "client", "1354143047324299264": "client"}


@pytest.mark.parametrize(
    "content",
    [
        f"Date;Lien du post;Catégorie\n4/12;{A};client\n4/12;{B};influencer\n",
        f"Fecha;Enlace;Categoría\n4/12;{A};client\n4/12;{B};influencer\n",
        f"url,url,category\n,{A},client\n{B},,influencer\n",
        f'[{{"url": "{A}", "category": "client"}}, {{"url": "{B}", "category": "influencer"}}]',
        f'{{"client": ["{A}"], "influencer": [{{"link": "{B}"}}]}}',
    ],
)
def test_a_category_belongs_to_its_own_tweet(content: str) -> None:
    assert categories(content) == {"101": "client", "102": "influencer"}


@pytest.mark.parametrize(
    "header", ["conversation_id,id", "in_reply_to_status_id,tweet_id", "author_id,post_id", "reference,idstr"]
)
def test_a_tweets_own_id_goes_before_every_other_number_of_its_row(header: str) -> None:
    wanted, rejected = identify(read(f"{header},text\n1354143047324299264,1996518988151706110,hi\n"))
    assert ([entry.tweet_id for entry in wanted], rejected) == (["1996518988151706110"], [])


def test_json_is_judged_entry_by_entry_and_line_by_line() -> None:
    content = f'[\n {{"url": "{A}"}},\n {{"url": null, "id": true}},\n {{"url": "nonsense"}},\n 5.5, ["x"], "{B}"\n]'
    wanted, rejected = identify(read(content))
    assert [(entry.tweet_id, entry.line.number) for entry in wanted] == [("101", 2), ("102", 5)]
    assert len(rejected) == 4
    wanted, rejected = identify(read(f'{{"url": "{A}"}}\n{{"url": "\n\n{{"url": "{B}"}}\n'))
    assert [(entry.tweet_id, entry.line.number) for entry in wanted] == [("101", 1), ("102", 4)]
    assert [(one.line, one.reason[:8]) for one in rejected] == [(2, "not JSON")]


@pytest.mark.parametrize("content", [f'[{{"url": "{A}"}}, ]', '{"a": ' * 3000, '{"id": ' + "9" * 5000 + "}"])
def test_json_that_cannot_be_read_is_a_usage_error(content: str) -> None:
    with pytest.raises(UsageError, match=r"c\.json: "):
        read(content, name="c.json")


@given(st.data())
def test_every_export_of_any_tool_gives_its_tweets(data: st.DataObject) -> None:
    """Any usual name of the column, delimiter, quoting, line end, byte order mark, columns and texts beside it."""
    size = data.draw(st.integers(1, 6))
    note = st.sampled_from(
        ["", "hello", "a, b; c|d", 'said "hi"', "see https://t.co/abc", "two\nlines", "#launch"]
    )
    columns = {"Text": [data.draw(note) for _ in range(size)], "Likes": ["1,234"] * size}
    link = data.draw(
        st.sampled_from(
            ["https://x.com/ada/status/{}", "/ada/status/{}", "mobile.twitter.com/ada/status/{}?s=20"]
        )
    )
    ids = [str(1996518988151706111 + n) for n in range(size)]
    columns[data.draw(st.sampled_from(LINK_COLUMNS))] = [link.format(i) for i in ids]
    if data.draw(st.booleans()):
        columns[data.draw(st.sampled_from(["Tweet id", "ID", "post_id"]))] = ["1.99652E+18"] * size
    names = data.draw(st.permutations(list(columns)))
    stream = io.StringIO(newline="")
    delimiter = data.draw(st.sampled_from(DELIMITERS))
    end = data.draw(st.sampled_from(["\n", "\r\n", "\r"]))
    how: Literal[0, 1] = (
        1 if end == "\r" or data.draw(st.booleans()) else 0
    )  # minimal or all, as csv numbers them
    writer = csv.writer(stream, delimiter=delimiter, quoting=how, lineterminator=end)
    writer.writerow(names)
    writer.writerows(zip(*(columns[name] for name in names), strict=True))
    head = data.draw(st.sampled_from(["", f"sep={delimiter}{end}"]))
    encoding = data.draw(st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]))
    wanted, rejected = identify(read(decode((head + stream.getvalue()).encode(encoding), "export.csv")))
    assert ([entry.tweet_id for entry in wanted], rejected) == (ids, [])


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("1.99E+18,", "spreadsheet"),
        ("1.99E+18,https://t.co/abc", "t.co"),
        ("7,https://x.com/ada", "not a tweet"),
        (",", ""),
    ],
)
def test_a_row_without_a_usable_link_is_named_with_what_to_change(row: str, reason: str) -> None:
    wanted, rejected = identify(read(f"id,url\n1996518988151706110,\n{row}\n"))
    assert [entry.tweet_id for entry in wanted] == ["1996518988151706110"]
    assert [(r.line, reason in r.reason) for r in rejected] == ([(3, True)] if reason else [])


def test_several_links_in_one_cell_are_several_tweets_of_one_line() -> None:
    wanted, rejected = identify(read(f"url,category\n{A} {B},investor\n"))
    assert [(w.tweet_id, w.category.short, w.line.number) for w in wanted] == [
        ("101", "investor", 2),
        ("102", "investor", 2),
    ]
    assert rejected == []


@pytest.mark.parametrize(
    "content", ["tweets = " + "[" * 2000 + "]" * 2000, "a = " + "9" * 5000, "tweets = ["]
)
def test_toml_that_cannot_be_read_is_a_usage_error(content: str) -> None:
    with pytest.raises(UsageError, match=r"c\.toml: "):
        read(content, name="c.toml")


def test_toml_lines_are_numbered_as_in_the_file() -> None:
    lines = read(f'# ours\n[[tweets]]\nurl = "{A}"\n\n[[tweets]]\nlink = "nonsense"\n', name="c.toml")
    assert [(line.number, line.url) for line in lines] == [(3, A), (6, "nonsense")]


def test_broken_toml_is_told_with_its_line() -> None:
    with pytest.raises(UsageError, match="line 2"):
        read("client = []\nb = oops\n", name="c.toml")


def test_bad_lines_are_named_by_number_and_the_good_ones_kept() -> None:
    wanted, rejected = identify(read(f"{A}\nnonsense\n{B} zebra\n{C}\n{A}?s=20\n"))
    assert [entry.tweet_id for entry in wanted] == ["101", "103"]
    assert [(r.line, r.reason.split(";")[0]) for r in rejected] == [
        (2, "not a tweet of x.com or twitter.com: nonsense"),
        (3, "no category 'zebra'"),
        (5, "the same tweet as on line 1"),
    ]


@pytest.mark.parametrize(
    ("option", "category"),
    [
        (A, TweetCategory.MAIN),
        (f"{A}=investor", TweetCategory.INVESTOR),
        (f"{A}?s=20", TweetCategory.MAIN),
        (f"{A}?s=20&t=abc", TweetCategory.MAIN),
        (f"{A}&s=20", TweetCategory.MAIN),
        (f"{A}&s=20=investor", TweetCategory.INVESTOR),
        (f"{A}?s=20=influencer", TweetCategory.INFLUENCER),
    ],
)
def test_an_equals_sign_in_a_query_is_no_category(option: str, category: TweetCategory) -> None:
    wanted, _ = identify(from_options([option]))
    assert [(entry.tweet_id, entry.category) for entry in wanted] == [("101", category)]


@given(
    st.lists(
        st.text(st.characters(exclude_characters="\r\n\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"), max_size=40)
    )
)
def test_no_line_is_silently_dropped(rows: list[str]) -> None:
    assume(not any(fold_column(cell) in COLUMNS for row in rows for cell in re.split(r"[,;\t|]", row)))
    lines = read("\n".join(rows))
    wanted, rejected = identify(lines)
    named = {entry.line.number for entry in wanted} | {entry.line for entry in rejected}
    assert named == {line.number for line in lines}
    for number, row in enumerate(rows, start=1):
        plain = visible(row)
        is_rule = re.fullmatch(r"[-=_*~+|:,;\s]*", plain) and sum(c in "-=_*~" for c in plain) > 1
        assert number in named or plain.startswith("#") or not plain.strip(' ,;\t|"') or is_rule


@pytest.mark.parametrize(("head", "parses"), [("n,text,url,likes\n", 1), ("", 2)])
def test_a_long_list_is_parsed_once_not_cell_by_cell(head: str, parses: int) -> None:
    size = 2000
    rows = (f"{n},a text {n},https://x.com/ada/status/{1996518988151706110 + n},{n}\n" for n in range(size))
    with cProfile.Profile() as profile:
        lines = read(head + "".join(rows))
    stats = pstats.Stats(profile).get_stats_profile().func_profiles
    assert len(lines) == size
    assert int(stats["tweet_ids"].ncalls) < parses * size + 1000


@pytest.mark.parametrize(
    "content", ['[tweets]\nurl = "{url}"\n', 'tweets = "{url}"\n', '[tweets]\nname = "x"\n']
)
def test_what_stands_under_tweets_is_taken_or_refused(content: str) -> None:
    lines = read(content.format(url="https://x.com/a/status/1790000000000000123"), name="t.toml")
    wanted, rejected = identify(lines)
    assert (len(wanted), len(rejected)) == ((1, 0) if "{url}" in content else (0, 1))
