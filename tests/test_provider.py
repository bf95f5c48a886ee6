"""twitterapi.io's answers, good and bad, over real HTTP."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import httpx
import pytest

from socap_cli import errors
from socap_cli.errors import SocapError
from socap_cli.model import QUOTES, REPLIES, RETWEETS
from socap_cli.providers import TwitterApiIo
from socap_cli.providers.transport import retry_after
from socap_cli.providers.twitterapi_io import read_counters, read_profile, read_time, read_tweet

Serve = Callable[..., TwitterApiIo]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """A provider that answers every request with one canned answer."""
    servers: list[HTTPServer] = []

    def start(status: int, body: Any, **headers: str) -> TwitterApiIo:
        out = body if isinstance(body, bytes) else json.dumps(body).encode()

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name.replace("_", "-"), value)
                self.send_header("Content-Length", str(len(out)))
                self.end_headers()
                self.wfile.write(out)

            def log_message(self, format: str, *args: object) -> None:
                pass

        server = HTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        servers.append(server)
        return TwitterApiIo("k", url=f"http://127.0.0.1:{server.server_address[1]}", timeout=2)

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(
    ("status", "body", "error", "said"),
    [
        (400, {"detail": "max 50 tweet_ids"}, errors.RequestRefused, "max 50"),
        (422, {"detail": [{"msg": "field required"}]}, errors.RequestRefused, "field required"),
        (401, {"error": "Unauthorized"}, errors.KeyRefused, "Unauthorized"),
        (403, b"forbidden", errors.KeyRefused, "forbidden"),
        (
            402,
            {"error": "Unauthorized", "message": "Credits is not enough"},
            errors.CreditsExhausted,
            "Credits is not",
        ),
        (404, b"<html>nginx</html>", errors.WrongAddress, "404"),
        (301, b"", errors.WrongAddress, "301"),
        (429, {"error": "Too Many Requests", "message": "QPS limit"}, errors.RateLimited, "QPS limit"),
        (500, {"message": "boom"}, errors.ProviderUnavailable, "boom"),
        (503, b"<html>Service Unavailable</html>", errors.ProviderUnavailable, "Service Unavailable"),
        (200, {"status": "error", "msg": "user not found"}, errors.RequestRefused, "user not found"),
        (200, b'{"tweets": [', errors.MalformedAnswer, "not JSON"),
        (200, b"\xff\xfe", errors.MalformedAnswer, "not JSON"),
        (200, [], errors.MalformedAnswer, "not an object"),
        (200, {"status": "success"}, errors.MalformedAnswer, "no list"),
        (200, {"tweets": None}, errors.MalformedAnswer, "not a list"),
        (200, {"tweets": ["x"]}, errors.MalformedAnswer, "not an object"),
        (200, {"tweets": [{"id": "abc"}]}, errors.MalformedAnswer, "cannot be read"),
    ],
)
def test_every_bad_answer_is_an_error_of_its_kind_that_names_the_endpoint(
    serve: Serve, status: int, body: Any, error: type[SocapError], said: str
) -> None:
    with pytest.raises(error, match=said) as raised:
        serve(status, body).tweets(["1"])
    assert "/twitter/tweets" in str(raised.value)


def test_a_refused_cursor_is_told_from_a_refused_request(serve: Serve) -> None:
    provider = serve(400, {"detail": "cursor expired or invalid"})
    with pytest.raises(errors.CursorRefused):
        provider.page(QUOTES, "1", cursor="abc")
    with pytest.raises(errors.RequestRefused):
        provider.page(QUOTES, "1")


def test_nobody_listening_is_an_outage() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    with pytest.raises(errors.ProviderUnavailable):
        TwitterApiIo("k", url=url).tweets(["1"])


def test_the_key_is_in_no_error(serve: Serve) -> None:
    provider = serve(401, {"message": "bad key"})
    with pytest.raises(errors.KeyRefused) as raised:
        provider.tweets(["1"])
    assert "X-API-Key" not in repr(raised.value.__dict__)


@pytest.mark.parametrize("name", ["tweets", "replies", "quotes"])
def test_a_list_is_found_under_each_of_its_names(serve: Serve, name: str) -> None:
    post = {"id": 5, "author": {"id": "1", "userName": "ada"}, "createdAt": "Thu Dec 04 09:56:34 +0000 2025"}
    page = serve(200, {name: [post, post], "has_next_page": True, "next_cursor": "c"}).page(REPLIES, "9")
    assert [item.source_id for item in page.items] == ["5"]
    assert (page.next_cursor, page.billed_items) == ("c", 2)


def test_no_more_pages_without_a_cursor_or_without_the_flag(serve: Serve) -> None:
    for body in ({"users": [], "has_next_page": True, "next_cursor": ""}, {"users": [], "next_cursor": "c"}):
        assert serve(200, body).page(RETWEETS, "9").next_cursor is None


def test_other_peoples_replies_and_quotes_are_left_out(serve: Serve) -> None:
    author = {"id": "1", "userName": "ada"}
    rows = [
        {"id": "5", "author": author, "inReplyToId": "9", "quoted_tweet": {"id": "9"}},
        {"id": "6", "author": author, "inReplyToId": "8", "quoted_tweet": {"id": "8"}},
        {"id": "7", "author": author, "inReplyToId": None, "quoted_tweet": None},
    ]
    provider = serve(200, {"tweets": rows})
    for kind in (REPLIES, QUOTES):
        assert [item.source_id for item in provider.page(kind, "9").items] == ["5", "7"]


def test_counters_may_be_numbers_text_or_missing() -> None:
    row = {"retweetCount": 3, "viewCount": "9,001", "likeCount": None, "quoteCount": "many"}
    assert read_counters(row) == {
        "retweets": 3, "views": 9001, "likes": None, "quotes": None, "replies": None, "bookmarks": None,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("Thu Dec 04 09:56:34 +0000 2025", datetime(2025, 12, 4, 9, 56, 34, tzinfo=UTC)),
        ("2017-06-27T13:41:42.000000Z", datetime(2017, 6, 27, 13, 41, 42, tzinfo=UTC)),
        ("2017-06-27T15:41:42+02:00", datetime(2017, 6, 27, 13, 41, 42, tzinfo=UTC)),
        ("Thu Foo 04 09:56:34 +0000 2025", None),
        ("soon", None),
        (None, None),
        (7, None),
    ],
)
def test_both_kinds_of_times_are_read_and_others_are_unknown(
    value: object, expected: datetime | None
) -> None:
    assert read_time(value) == expected


def test_a_missing_time_is_read_from_the_id() -> None:
    tweet = read_tweet({"id": "1996518988151706110", "text": "hi"})
    assert tweet.posted_at == datetime(2025, 12, 4, 9, 56, 34, 961000, tzinfo=UTC)


def test_a_profile_is_read_from_either_spelling() -> None:
    one = read_profile(
        {"id": 11, "userName": "ada", "profile_bio": {"description": "Founder"}, "followers": "5"}
    )
    two = read_profile({"id": "11", "screen_name": "ada", "description": "Founder", "followers_count": 5})
    assert one == two


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"Retry-After": "7"}, 7.0),
        ({"Retry-After": "Mon, 02 Mar 2026 12:00:30 GMT", "Date": "Mon, 02 Mar 2026 12:00:10 GMT"}, 20.0),
        ({"Retry-After": "soon"}, 5.0),
        ({"x-rate-limit-reset": "1772452830", "Date": "Mon, 02 Mar 2026 12:00:10 GMT"}, 20.0),
        ({"x-rate-limit-reset": "9e99", "x-rate-limit-remaining": "0"}, 960.0),
        ({"x-rate-limit-reset": "1772452830", "x-rate-limit-remaining": "5"}, 5.0),
        ({"Retry-After": "nan"}, 5.0),
        ({"Retry-After": "1e9"}, 960.0),
        ({"Retry-After": "-4"}, 0.5),
        ({}, 5.0),
    ],
)
def test_retry_after_is_seconds_or_a_date_and_never_believed_blindly(
    headers: dict[str, str], expected: float
) -> None:
    now = datetime(2026, 3, 2, 12, 0, 10, tzinfo=UTC) + timedelta(hours=5)
    assert retry_after(httpx.Response(429, headers=headers), now=now) == expected


def test_every_error_of_the_http_library_is_translated() -> None:
    """Whatever httpx can raise from a request is caught by the two classes that the transport catches."""
    raised = [
        thing
        for thing in vars(httpx).values()
        if isinstance(thing, type) and issubclass(thing, Exception) and issubclass(thing, httpx.RequestError)
    ]
    assert raised
    assert all(issubclass(thing, httpx.HTTPError) for thing in raised)
