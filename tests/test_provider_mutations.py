"""Good answers with anything in them dropped, emptied, retyped or nested: good rows stay, nothing odd comes out.

`make fuzz-inputs` tries tens of thousands.
"""

from __future__ import annotations

import copy
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import asdict
from typing import Any

import bson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.answers import Serve, canned_provider
from support.mutating import ODD, mutate

from socap_cli.errors import ProviderError
from socap_cli.model import cleaning
from socap_cli.model.account import Page
from socap_cli.model.kinds import LISTS, QUOTES, REPLIES, RETWEETS
from socap_cli.providers.twitterapi_io import TwitterApiIo

pytestmark = pytest.mark.slow

EXAMPLES = max(120, int(os.environ.get("SOCAP_FUZZ", "0")) * 2)
FUZZ = settings(
    max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
ROWS = 4
AUTHOR = {
    "type": "user", "id": "11", "userName": "ada", "name": "Ada", "isBlueVerified": True, "followers": 5120,
    "description": "", "profile_bio": {"description": "Founder"}, "createdAt": "2017-06-27T13:41:42.000000Z",
}  # fmt: skip


def tweet(number: int) -> dict[str, Any]:
    return {
        "type": "tweet", "id": str(1996518988151706110 + number), "text": f"post {number} &amp; more", "likeCount": 80,
        "retweetCount": 12, "replyCount": 4, "quoteCount": 3, "viewCount": "9,001", "bookmarkCount": 7,
        "createdAt": "Thu Dec 04 09:56:34 +0000 2025", "inReplyToId": "9", "author": user(number),
        "quoted_tweet": {"id": "9"}, "entities": {"urls": [{"indices": [1, 2]}]},
    }  # fmt: skip


def user(number: int) -> dict[str, Any]:
    return {**copy.deepcopy(AUTHOR), "id": str(50 + number)}


def page_of(kind: Any) -> Callable[[TwitterApiIo], Any]:
    return lambda provider: provider.page(kind, "9")


Case = tuple[str, Callable[[int], dict[str, Any]], Callable[[TwitterApiIo], Any]]
CASES: list[Case] = [
    ("tweets", tweet, lambda provider: provider.tweets([tweet(n)["id"] for n in range(ROWS)])),
    ("tweets", tweet, page_of(REPLIES)),
    ("tweets", tweet, page_of(QUOTES)),
    ("users", user, page_of(RETWEETS)),
    ("followings", user, lambda provider: provider.followings("ada")),
]


@pytest.fixture(scope="module")
def serve() -> Iterator[Serve]:
    with canned_provider(timeout=10) as (found, _):
        yield found


def items_of(answer: Any) -> dict[str, Any]:
    """What an answer holds, by id."""
    if isinstance(answer, Page):
        return {item.source_id: item for item in answer.items}
    return dict(answer.tweets)


def assert_fits_everywhere(answer: Any) -> None:
    """Every value of it can be stored, and be written as UTF-8 and JSON."""
    document = asdict(answer)
    bson.encode(document)
    json.dumps(document, default=str, allow_nan=False).encode()
    assert all(len(row.sample) <= 200 and row.sample.isprintable() for row in answer.unreadable)
    assert all(item.isdigit() and item.isascii() for item in items_of(answer))


@pytest.mark.parametrize("case", CASES)
@FUZZ
@given(data=st.data())
def test_the_good_rows_beside_every_bad_one_are_kept(serve: Serve, case: Case, data: st.DataObject) -> None:
    key, row, ask = case
    rows: list[Any] = [row(number) for number in range(ROWS)]
    good = items_of(ask(serve(200, {key: rows})))
    assert len(good) == ROWS
    bad = data.draw(st.sets(st.integers(0, ROWS - 1), min_size=1, max_size=ROWS - 1))
    broken = copy.deepcopy(rows)
    for index in bad:
        if data.draw(st.integers(0, 4)) == 0:
            broken[index] = data.draw(ODD)
        else:
            for _ in range(data.draw(st.integers(1, 3))):
                mutate(broken[index], data)
    answer = ask(serve(200, {key: broken, "has_next_page": True, "next_cursor": "c"}))
    assert_fits_everywhere(answer)
    ids = [list(good)[number] for number in range(ROWS) if number not in bad]
    found = items_of(answer)
    changed = {item for item in found if item not in good or found[item] != good[item]}
    assert [found.get(item) for item in ids if item not in changed] == [
        good[i] for i in ids if i not in changed
    ]
    assert not changed.intersection(ids) or len(found) < ROWS  # a broken row may have taken a good one's id
    assert len(answer.unreadable) <= len(bad)


@pytest.mark.parametrize("case", CASES)
@FUZZ
@given(data=st.data())
def test_no_envelope_is_more_than_an_error_of_the_provider(
    serve: Serve, case: Case, data: st.DataObject
) -> None:
    key, row, ask = case
    body: dict[str, Any] = {
        "data": {
            key: [row(0), row(1)],
            "has_next_page": True,
            "next_cursor": "c",
            "status": "success",
            "msg": "ok",
        }
    }
    for _ in range(data.draw(st.integers(1, 4))):
        mutate(body, data)
    status = data.draw(st.sampled_from([200] * 12 + [400, 404, 429, 500]))
    try:
        answer = ask(serve(status, body.get("data", body)))
    except ProviderError as error:
        assert cleaning.one_line(error.message, limit=400) == error.message
        assert len(error.message) < 400
        return
    assert_fits_everywhere(answer)


@FUZZ
@given(
    status=st.sampled_from([200, 201, 301, 400, 401, 402, 404, 429, 500, 599]),
    body=st.binary(max_size=300),
)
def test_no_bytes_are_more_than_an_error_of_the_provider(serve: Serve, status: int, body: bytes) -> None:
    with pytest.raises(ProviderError) as raised:
        serve(status, body).page(REPLIES, "9")
    assert cleaning.one_line(raised.value.message, limit=400) == raised.value.message


@FUZZ
@given(body=ODD)
def test_no_account_is_more_than_an_error_of_the_provider(serve: Serve, body: Any) -> None:
    for answer in (body, {"recharge_credits": body}):
        try:
            left = serve(200, answer).credits_left()
        except ProviderError:
            continue
        assert left is None or abs(left) <= 1e16


def test_every_list_is_tried() -> None:
    assert len(CASES) == len(LISTS) + 2
