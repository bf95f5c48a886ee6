"""twitterapi.io's answers, good and bad, over real HTTP."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from support.answers import Canned, Serve, canned_provider

from socap_cli import errors
from socap_cli.errors import SocapError
from socap_cli.model.kinds import METRICS, QUOTES, REPLIES, RETWEETS, Kind
from socap_cli.providers import FOLLOWINGS
from socap_cli.providers.protocol import Prices
from socap_cli.providers.table import PROVIDERS, build_provider
from socap_cli.providers.twitterapi_io import TwitterApiIo
from socap_cli.providers.twitterapi_io import rows as twitterapi_rows
from socap_cli.providers.x_api import rows as x_rows
from socap_cli.settings import ProviderSettings

AUTHOR = {"id": "1", "userName": "ada", "name": "Ada"}
TIME = "Thu Dec 04 09:56:34 +0000 2025"
WHEN = datetime(2025, 12, 4, 9, 56, 34, tzinfo=UTC)
HTML = b"<html><body><h1>404 Not Found</h1><hr>nginx</body></html>"


@pytest.fixture
def canned() -> Iterator[tuple[Serve, Canned]]:
    with canned_provider() as found:
        yield found


@pytest.fixture
def serve(canned: tuple[Serve, Canned]) -> Serve:
    return canned[0]


def post(number: int, **changes: Any) -> dict[str, Any]:
    """A good row."""
    return {"id": str(number), "author": AUTHOR, "text": f"post {number}", "createdAt": TIME, **changes}


@pytest.mark.parametrize(
    ("status", "body", "error", "said"),
    [
        (400, {"detail": "max 50 tweet_ids"}, errors.RequestRefused, "max 50"),
        (422, {"detail": [{"msg": "field required"}]}, errors.RequestRefused, "field required"),
        (422, {"detail": {"msg": "field required"}}, errors.RequestRefused, "field required"),
        (409, {"error": {"code": 7}}, errors.RequestRefused, "code"),
        (418, [1, "short and stout"], errors.RequestRefused, "stout"),
        (401, {"error": "Unauthorized"}, errors.KeyRefused, "Unauthorized"),
        (403, b"forbidden", errors.Forbidden, "forbidden"),
        (402, {"error": "Unauthorized", "message": "Credits is not enough"}, errors.CreditsExhausted, "Credits is not"),
        (404, {"status": "error", "message": "Tweet not found"}, errors.NotFound, "Tweet not found"),
        (404, {"detail": "Not Found"}, errors.NotFound, "Not Found"),
        (404, HTML, errors.NotFound, "nginx"),
        (405, {"detail": "Method Not Allowed"}, errors.NotFound, "Method"),
        (410, b"", errors.NotFound, "no text"),
        (301, b"", errors.NotFound, "301"),
        (308, b"moved", errors.NotFound, "moved"),
        (429, {"error": "Too Many Requests", "message": "QPS limit"}, errors.RateLimited, "QPS limit"),
        (408, b"", errors.ProviderUnavailable, "408"),
        (425, b"", errors.ProviderUnavailable, "425"),
        (500, {"message": "boom"}, errors.ProviderUnavailable, "boom"),
        (503, b"<html>Service Unavailable</html>", errors.ProviderUnavailable, "Service Unavailable"),
        (522, b"", errors.ProviderUnavailable, "522"),
        (200, {"status": "error", "msg": "user not found"}, errors.RequestRefused, "user not found"),
        (200, {"status": "error", "message": "Something went wrong, try again"}, errors.ProviderUnavailable, "wrong"),
        (200, {"status": "error", "msg": "Too many requests"}, errors.RateLimited, "Too many"),
        (200, {"status": "error", "msg": "Credits is not enough. Please recharge"}, errors.CreditsExhausted, "enough"),
        (200, {"status": "error"}, errors.RequestRefused, "error"),
        (200, b'{"tweets": [', errors.MalformedAnswer, "not JSON"),
        (200, b"\xff\xfe", errors.MalformedAnswer, "not JSON"),
        (200, b"", errors.MalformedAnswer, "empty|not JSON"),
        (204, b"", errors.MalformedAnswer, "empty|not JSON"),
        (200, HTML, errors.MalformedAnswer, "nginx"),
        (200, b"null", errors.MalformedAnswer, "empty"),
        (200, b"1e400", errors.MalformedAnswer, "float, not an object"),
        (200, "x", errors.MalformedAnswer, "str, not an object"),
        (200, [], errors.MalformedAnswer, "list, not an object"),
        (200, {"status": "success"}, errors.MalformedAnswer, "no list"),
        (200, {"data": None}, errors.MalformedAnswer, "no list"),
        (200, {"tweets": {"a": 1}}, errors.MalformedAnswer, "contains no list"),
        (200, {"tweets": "many"}, errors.MalformedAnswer, "contains no list"),
        (200, {"tweets": ["x"]}, errors.MalformedAnswer, "not an object"),
        (200, {"tweets": [{"id": "abc"}]}, errors.MalformedAnswer, "no id"),
        (200, {"tweets": [{"id": 1.5}, {"id": True}]}, errors.MalformedAnswer, "no id"),
        (200, {"tweets": [None] * 20_001}, errors.MalformedAnswer, "20,001 rows"),
    ],
)  # fmt: skip
def test_every_bad_answer_is_an_error_of_its_kind_that_names_the_endpoint(
    serve: Serve, status: int, body: Any, error: type[SocapError], said: str
) -> None:
    with pytest.raises(error, match=said) as raised:
        serve(status, body).tweets(["1"])
    assert type(raised.value) is error
    assert "/twitter/tweets" in str(raised.value)


@pytest.mark.parametrize("status", [400, 404, 410, 422, 200])
def test_a_refused_cursor_is_told_from_a_refused_request(serve: Serve, status: int) -> None:
    provider = serve(status, {"status": "error", "message": "cursor expired or invalid"})
    with pytest.raises(errors.CursorRefused):
        provider.page(QUOTES, "1", cursor="abc")
    with pytest.raises(errors.RequestRefused):
        provider.page(QUOTES, "1")


def test_what_one_tweet_is_told_says_nothing_of_the_address_by_itself(serve: Serve) -> None:
    provider = serve(404, {"status": "error", "message": "Tweet not found"})
    with pytest.raises(errors.NotFound) as raised:
        provider.page(RETWEETS, "1")
    assert (raised.value.final, raised.value.ends_run, raised.value.doubts_address) == (True, False, True)
    assert "TWITTER_API_URL" in str(raised.value.hint)


def test_nobody_listening_is_an_outage() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    with pytest.raises(errors.ProviderUnavailable):
        TwitterApiIo("k", url=url).tweets(["1"])


@pytest.mark.parametrize(
    "headers", [{}, {"Retry-After": "soon"}, {"Retry-After": "nan"}, {"Date": "x", "Retry-After": ""}]
)
def test_a_limit_without_a_usable_time_says_so(serve: Serve, headers: dict[str, str]) -> None:
    with pytest.raises(errors.RateLimited) as raised:
        serve(429, {"message": "QPS limit"}, **headers).tweets(["1"])
    assert raised.value.retry_after is None


def test_a_limit_or_an_outage_says_when_to_come_back_if_it_knows(serve: Serve) -> None:
    for status, error in ((429, errors.RateLimited), (503, errors.ProviderUnavailable)):
        with pytest.raises(error) as raised:
            serve(status, b"", Retry_After="7").tweets(["1"])
        assert raised.value.retry_after == 7.0


@pytest.mark.parametrize(
    ("kind", "keys"),
    [(REPLIES, ("tweets", "replies")), (QUOTES, ("tweets", "quotes")), (RETWEETS, ("users", "retweeters"))],
)
def test_a_list_is_found_under_each_of_its_names(serve: Serve, kind: Kind, keys: tuple[str, ...]) -> None:
    row = AUTHOR if kind == RETWEETS else post(5)
    expected = "1" if kind == RETWEETS else "5"
    for key in keys:
        for body in (
            {key: [row, row]},
            {"data": {key: [row, row]}},
            {"tweets": [], "users": [], key: [row, row]},
            {"tweets": None, key: [row, row]},
        ):
            page = serve(200, {**body, "has_next_page": True, "next_cursor": "c"}).page(kind, "9")
            assert [item.source_id for item in page.items] == [expected]
            assert (page.next_cursor, page.billed_items) == ("c", 2)


def test_a_list_that_is_null_is_empty(serve: Serve) -> None:
    bodies: list[dict[str, Any]] = [{"tweets": None}, {"tweets": None, "replies": None}, {"tweets": []}]
    for body in bodies:
        page = serve(200, body).page(QUOTES, "9")
        assert (page.items, page.next_cursor, page.cut_off, page.unreadable) == ((), None, False, ())


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"has_next_page": True, "next_cursor": "c"}, ("c", False)),
        ({"has_next_page": "true", "next_cursor": "c"}, ("c", False)),
        ({"has_next_page": 1, "next_cursor": 77}, ("77", False)),
        ({"next_cursor": "c"}, ("c", False)),
        ({"has_next_page": None, "next_cursor": "c"}, ("c", False)),
        ({"has_next_page": {}, "next_cursor": "c"}, ("c", False)),
        ({"has_next_page": False, "next_cursor": "c"}, (None, False)),
        ({"has_next_page": "false", "next_cursor": "c"}, (None, False)),
        ({"has_next_page": 0, "next_cursor": "c"}, (None, False)),
        ({}, (None, False)),
        ({"next_cursor": ""}, (None, False)),
        ({"next_cursor": None}, (None, False)),
        ({"next_cursor": 0}, (None, False)),
        ({"next_cursor": "0"}, (None, False)),
        ({"has_next_page": False}, (None, False)),
        ({"has_next_page": True}, (None, True)),
        ({"has_next_page": True, "next_cursor": None}, (None, True)),
        ({"has_next_page": True, "next_cursor": ""}, (None, True)),
        ({"has_next_page": True, "next_cursor": "  "}, (None, True)),
        ({"has_next_page": True, "next_cursor": "0"}, (None, True)),
        ({"has_next_page": True, "next_cursor": 0}, (None, True)),
        ({"has_next_page": True, "next_cursor": -1}, (None, True)),
        ({"has_next_page": True, "next_cursor": False}, (None, True)),
        ({"has_next_page": True, "next_cursor": 1.5}, (None, True)),
        ({"has_next_page": True, "next_cursor": ["c"]}, (None, True)),
        ({"has_next_page": True, "next_cursor": {"a": 1}}, (None, True)),
        ({"has_next_page": True, "next_cursor": "cut \ud83d"}, (None, True)),
        ({"has_next_page": True, "next_cursor": "a\x00b"}, (None, True)),
        ({"has_next_page": True, "next_cursor": "c" * 5_000}, (None, True)),
    ],
)
def test_whether_more_is_to_come(
    serve: Serve, fields: dict[str, Any], expected: tuple[str | None, bool]
) -> None:
    page = serve(200, {"users": [AUTHOR], **fields}).page(RETWEETS, "9")
    assert (page.next_cursor, page.cut_off) == expected
    assert len(page.items) == 1


@pytest.mark.parametrize("parent", [None, "", 0, "0", "9", 9, "09", {}, [], "x", 1.5, True])
def test_a_reply_counts_unless_it_names_another_post(serve: Serve, parent: Any) -> None:
    rows = [post(5, inReplyToId=parent), post(6, inReplyToId="8"), post(7, inReplyToId=8), post(4)]
    page = serve(200, {"tweets": rows}).page(REPLIES, "9")
    assert [item.source_id for item in page.items] == ["5", "4"]
    assert page.unreadable == ()


@pytest.mark.parametrize(
    "quoted", [None, {"id": "9"}, {"id": 9}, {"id": ""}, {"id": None}, {}, "", [], {"id": 1.5}]
)
def test_a_quote_counts_unless_it_names_another_post(serve: Serve, quoted: Any) -> None:
    rows = [
        post(5, quoted_tweet=quoted),
        post(6, quoted_tweet={"id": "8"}),
        post(7, quoted_tweet={"id": 8}),
        post(4),
    ]
    assert [item.source_id for item in serve(200, {"tweets": rows}).page(QUOTES, "9").items] == ["5", "4"]


UNREADABLE: list[Any] = [
    None, "x", 7, [], True, {}, {"id": None}, {"id": 1.5, "author": AUTHOR}, {"id": True, "author": AUTHOR},
    {"id": {"$gt": 1}, "author": AUTHOR}, {"id": -1, "author": AUTHOR}, {"id": "9" * 5000, "author": AUTHOR},
    {"id": "9" * 25, "author": AUTHOR}, {"id": "1.99e18", "author": AUTHOR}, {"id": "5\ud800", "author": AUTHOR},
    {"id": "5", "author": None}, {"id": "5"}, {"id": "5", "author": []}, {"id": "5", "author": "ada"},
    {"id": "5", "author": {}}, {"id": "5", "author": {"id": None}}, {"id": "5", "author": {"id": "ada"}},
    {"id": "5", "author": {"id": 1e20}}, {"id": "5", "author": {"unavailable": True}},
    {"type": "tombstone", "text": "This post is unavailable"},
    {"type": "user", "unavailable": True, "unavailableReason": "Suspended"},
]  # fmt: skip


@pytest.mark.parametrize("bad", UNREADABLE)
def test_a_row_that_cannot_be_read_is_told_and_costs_no_other(serve: Serve, bad: Any) -> None:
    posts = [post(11), bad, post(12), bad, post(13)]
    page = serve(200, {"tweets": posts, "next_cursor": "c"}).page(QUOTES, "9")
    assert [item.source_id for item in page.items] == ["11", "12", "13"]
    assert (len(page.unreadable), page.next_cursor, page.billed_items) == (2, "c", 5)
    assert all(row.reason and row.sample.isprintable() and len(row.sample) <= 200 for row in page.unreadable)


@pytest.mark.parametrize(
    "bad",
    [
        None,
        "x",
        7,
        [],
        {},
        {"id": None},
        {"id": 1.9966e18},
        {"id": ""},
        {"type": "user", "unavailable": True},
    ],
)
def test_an_account_that_cannot_be_read_is_told_and_costs_no_other(serve: Serve, bad: Any) -> None:
    rows = [{"id": "1"}, bad, {"id": 2}]
    for page in (
        serve(200, {"users": rows}).page(RETWEETS, "9"),
        serve(200, {"followings": rows}).followings("ada"),
    ):
        assert [item.profile.user_id for item in page.items] == ["1", "2"]
        assert len(page.unreadable) == 1


def test_the_reason_is_told_in_words(serve: Serve) -> None:
    rows = [
        {"type": "user", "unavailable": True, "unavailableReason": "Suspended"},
        {"id": "5", "author": None},
        {"id": "5", "author": {"unavailable": True, "unavailableReason": "Suspended\nby us"}},
        None,
        {"id": "x", "author": AUTHOR},
        post(1),
    ]
    page = serve(200, {"tweets": rows}).page(QUOTES, "9")
    assert [row.reason for row in page.unreadable] == [
        "its id is missing or no id",
        "its author is unavailable",
        "its author is unavailable",
        "it is null",
        "its id is missing or no id",
    ]
    assert page.unreadable[1].sample == "{'author': None, 'id': '5'}"


def test_a_page_of_nothing_but_people_who_are_gone_is_a_page(serve: Serve) -> None:
    gone = [None, {"id": "5", "author": None}, {"type": "tombstone"}, {"id": "6"}]
    page = serve(200, {"tweets": gone}).page(QUOTES, "9")
    assert (page.items, len(page.unreadable)) == ((), 4)
    for rows in ([{"id": 1.5, "author": AUTHOR}], [*gone, {"id": "x", "author": AUTHOR}], ["x", "y"]):
        with pytest.raises(errors.MalformedAnswer, match="no row can be read"):
            serve(200, {"tweets": rows}).page(QUOTES, "9")


def test_tweets_are_read_one_by_one(serve: Serve) -> None:
    rows = [
        {
            "id": 1,
            "retweetCount": 3,
            "viewCount": "9,001",
            "likeCount": None,
            "quoteCount": "many",
            "text": "a &lt; b",
        },
        {"id": "2", "author": None, "viewCount": 10**20, "replyCount": -4, "bookmarkCount": 2.0},
        None,
        {"id": "3", "unavailable": True},
        {"id": "4", "author": {"id": "1", "userName": "ada"}},
        {"id": "x"},
    ]
    answer = serve(200, {"tweets": rows}).tweets(["1", "2", "3", "5"])
    assert list(answer.tweets) == ["1", "2"]
    assert (len(answer.unreadable), answer.billed_items) == (2, 6)
    unknown = dict.fromkeys(("retweets", "replies", "quotes", "likes", "views", "bookmarks"))
    assert answer.tweets["1"].counters == {**unknown, "retweets": 3, "views": 9001}
    assert answer.tweets["1"].text == "a < b"
    assert answer.tweets["2"].counters == {**unknown, "bookmarks": 2}
    assert answer.tweets["2"].author is None


def test_a_profile_is_read_from_either_spelling(serve: Serve) -> None:
    rows = [
        {
            "id": 11,
            "userName": "ada",
            "profile_bio": {"description": "R&amp;D"},
            "followers": "5",
            "isVerified": "true",
        },
        {"id": "12", "screen_name": "@ada", "description": "R&amp;D", "followers_count": 5, "verified": True},
        {
            "id": 13,
            "userName": "ada",
            "profile_bio": "odd",
            "bio": "R&amp;D",
            "followers": 5,
            "isBlueVerified": 1,
        },
    ]
    first, *others = (item.profile for item in serve(200, {"users": rows}).page(RETWEETS, "9").items)
    assert (first.username, first.bio, first.followers, first.verified) == ("ada", "R&D", 5, True)
    assert all((p.username, p.bio, p.followers, p.verified) == ("ada", "R&D", 5, True) for p in others)


def test_what_strangers_wrote_is_cleaned(serve: Serve) -> None:
    author = {
        "id": "7", "userName": "a> <!channel>\x00", "name": "An\nn \ud83d", "followers": 10**30,
        "profile_bio": {"description": "x" * 10**6},
    }  # fmt: skip
    rows = [
        post(5, author=author, text="cut \ud83d\x07 R&amp;amp;D", createdAt="Fri Dec 31 23:59:59 -1400 9999")
    ]
    (item,) = serve(200, {"tweets": rows}).page(REPLIES, "9").items
    assert (item.text, item.engaged_at) == ("cut \ufffd\ufffd R&amp;D", None)
    assert (item.profile.username, item.profile.name) == ("a> <!channel>\ufffd", "An n \ufffd")
    assert (item.profile.followers, len(item.profile.bio)) == (None, 2_000)


def test_a_text_of_17_mb_is_cut(serve: Serve) -> None:
    rows = [post(5, text="y" * 17_000_000), post(6)]
    items = serve(200, {"tweets": rows}).page(REPLIES, "9").items
    assert [len(item.text or "") for item in items] == [32_768, 6]


def test_a_time_is_that_of_the_row_or_else_of_the_id(serve: Serve) -> None:
    rows = [
        post(1996518988151706110, createdAt="never"),
        post(1996518988151706111, createdAt="2025-12-04T09:56:34.000Z"),
        post(5, createdAt=None),
    ]
    items = serve(200, {"tweets": rows}).page(QUOTES, "9").items
    assert [item.engaged_at for item in items] == [WHEN.replace(microsecond=961000), WHEN, None]


def test_requests_are_spelled_as_the_endpoints_want_them(canned: tuple[Serve, Canned]) -> None:
    serve, answers = canned
    provider = serve(200, {"tweets": [], "users": [], "followings": []})
    provider.tweets(["1", "2"])
    provider.page(REPLIES, "9", cursor="a&b=c", since=WHEN, until=WHEN)
    provider.followings("ada")
    assert answers.paths == [
        "/twitter/tweets?tweet_ids=1%2C2",
        "/twitter/tweet/replies?tweetId=9&sinceTime=1764842194&untilTime=1764842194&cursor=a%26b%3Dc",
        "/twitter/user/followings?userName=ada&pageSize=200",
    ]


@pytest.mark.parametrize(
    ("body", "credits", "rate"),
    [
        ({"recharge_credits": 4_000, "total_bonus_credits": "1,000"}, 5_000.0, 6.0),
        ({"recharge_credits": 20_000.5}, 20_000.5, 10.0),
        ({"recharge_credits": 1e6}, 1e6, 20.0),
        ({"recharge_credits": 1_000, "total_bonus_credits": None}, 1_000.0, 3.0),
        ({"recharge_credits": -3}, -3.0, 0.2),
        ({"recharge_credits": True, "total_bonus_credits": "nan"}, None, None),
        ({"tweets": []}, None, None),
    ],
)
def test_the_account_tells_credits_and_by_them_the_rate(
    serve: Serve, body: Any, credits: float | None, rate: float | None
) -> None:
    provider = serve(200, body)
    allowed = provider.allowed_rate("account")
    assert (provider.credits_left(), allowed and allowed.rate) == (credits, rate)


def test_what_twitterapi_io_declares() -> None:
    provider = TwitterApiIo("k", batch=100, prices=Prices(15, 18, 20))
    assert (provider.batch, provider.usd_per_credit) == (50, 0.00001)
    assert provider.lists == {RETWEETS, REPLIES, QUOTES}
    assert provider.lists_with_times == {REPLIES, QUOTES}
    assert {provider.limit_scope(operation) for operation in (METRICS, RETWEETS, FOLLOWINGS)} == {"account"}
    assert [provider.price(METRICS, n) for n in (0, 1, 2)] == [20, 20, 30]
    assert provider.price(RETWEETS, 10) == provider.price(FOLLOWINGS, 10) == 180
    with pytest.raises(errors.RequestRefused, match="no list of likers"):
        provider.page(Kind("likers"), "1")


def test_a_provider_is_built_by_its_name() -> None:
    built = build_provider(ProviderSettings(url="http://127.0.0.1:9", price_user=1.0))
    assert (built.name, built.price(FOLLOWINGS, 100), built.price(METRICS, 2)) == (
        "twitterapi.io",
        100.0,
        30.0,
    )
    with pytest.raises(errors.ConfigError, match="no 'y'") as raised:
        build_provider(ProviderSettings(name="y"))
    assert all(name in str(raised.value.hint) for name in PROVIDERS)


def test_every_row_of_the_table_declares_what_callers_need() -> None:
    for name, build in PROVIDERS.items():
        provider = build(ProviderSettings())
        assert (provider.name, provider.batch > 0) == (name, True)
        for operation in (METRICS, FOLLOWINGS, *provider.lists):
            assert provider.endpoint(operation)
            assert provider.limit_scope(operation)
            assert 0 <= provider.price(operation, 0) <= provider.price(operation, 100)
        assert provider.lists_with_times <= provider.lists
        json.dumps([provider.usd_per_credit])


@pytest.mark.parametrize(
    ("original", "expected"), [({"id": "7"}, "7"), (None, None), ("7", None), ({}, None)]
)
def test_a_retweets_own_id_names_its_original(original: object, expected: str | None) -> None:
    row = {"id": "101", "text": "RT @acme: hi", "retweeted_tweet": original}
    tweet = twitterapi_rows.read_tweet(row, {})
    assert tweet is not None
    assert tweet.retweet_of == expected
    references = [{"type": "retweeted", **original}] if isinstance(original, dict) else original
    assert x_rows.read_tweet({"id": "101", "referenced_tweets": references}, {}, {}).retweet_of == expected
