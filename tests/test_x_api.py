"""X's own API: what it answers becomes values or errors, and what it serves is collected whole."""

from __future__ import annotations

import copy
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import bson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.answers import Canned, canned_server
from support.lab import START, Lab
from support.mutating import ODD, mutate
from support.terminal import Cli

from socap_cli.client.metered import Budget
from socap_cli.errors import (
    CreditsExhausted,
    CursorRefused,
    KeyRefused,
    MalformedAnswer,
    NotFound,
    ProviderError,
    ProviderUnavailable,
    RateLimited,
    RequestRefused,
)
from socap_cli.model import cleaning
from socap_cli.model.account import Page
from socap_cli.model.kinds import QUOTES, REPLIES, RETWEETS, Kind
from socap_cli.providers.table import build_provider
from socap_cli.providers.x_api import XApi
from socap_cli.settings import BudgetSettings, ProviderSettings
from socap_cli.simulator.server import Simulator
from socap_cli.simulator.x_api import SERVED
from socap_cli.store import Db, usage
from socap_cli.work.context import WorkContext
from socap_cli.work.worker import Worker, WorkerOptions

pytestmark = pytest.mark.server

EXAMPLES = max(100, int(os.environ.get("SOCAP_FUZZ", "0")) * 2)
TOKEN = "AAAAAAAAAAAAAAAAAAAAAMLheAAAAAAA0"
ARCHIVE = "/2/tweets/search/all"
PROBLEMS = "https://api.x.com/2/problems/"
Ask = Callable[[XApi], Any]


@pytest.fixture(scope="module")
def canned() -> Iterator[tuple[XApi, Canned]]:
    """X at its worst, and what it answers."""
    with canned_server() as (url, answer):
        provider = XApi(TOKEN, url=url, timeout=5.0)
        provider.now = lambda: START
        yield provider, answer
        provider.close()


def user(number: int) -> dict[str, Any]:
    return {
        "id": str(50 + number), "username": f"ada{number}", "name": "Ada &amp; co", "verified": False,
        "verified_type": "business", "description": "Founder", "public_metrics": {"followers_count": 5120},
    }  # fmt: skip


def post(number: int) -> dict[str, Any]:
    return {
        "id": str(1996518988151706110 + number), "text": f"post {number} &lt;3", "author_id": str(50 + number),
        "created_at": "2025-12-04T09:56:34.000Z", "conversation_id": "9",
        "referenced_tweets": [{"type": kind, "id": "9"} for kind in ("replied_to", "quoted", "retweeted")],
        "public_metrics": {"retweet_count": 12, "reply_count": 4, "like_count": 80, "quote_count": 3,
                           "bookmark_count": 7, "impression_count": 9001},
    }  # fmt: skip


def body_of(rows: list[Any], *, users: bool = True) -> dict[str, Any]:
    beside = {"includes": {"users": [user(number) for number in range(4)]}} if users else {}
    return {"data": rows, "meta": {"result_count": len(rows), "next_token": "n2"}, **beside}


CASES: list[tuple[Callable[[int], dict[str, Any]], Ask]] = [
    (post, lambda provider: provider.tweets([post(number)["id"] for number in range(4)])),
    (post, lambda provider: provider.page(REPLIES, "9")),
    (post, lambda provider: provider.page(QUOTES, "9")),
    (post, lambda provider: provider.page(RETWEETS, "9")),
]


def items_of(answer: Any) -> dict[str, Any]:
    if isinstance(answer, Page):
        return {item.source_id: item for item in answer.items}
    return dict(answer.tweets)


def asked(canned: Canned) -> tuple[str, dict[str, str]]:
    parts = urlsplit(canned.paths[-1])
    return parts.path, {name: value for name, (value,) in parse_qs(parts.query).items()}


def test_a_post_is_read_with_its_author_who_stands_beside_it(canned: tuple[XApi, Canned]) -> None:
    provider, answer = canned
    answer.status, answer.body = 200, body_of([post(1)])
    tweet = provider.tweets([post(1)["id"]]).tweets[post(1)["id"]]
    assert tweet.counters == {
        "retweets": 12, "replies": 4, "quotes": 3, "likes": 80, "views": 9001, "bookmarks": 7,
    }  # fmt: skip
    assert tweet.author is not None
    assert (tweet.author.username, tweet.author.name, tweet.author.verified) == ("ada1", "Ada & co", True)
    assert tweet.text == "post 1 <3"
    (quote,) = provider.page(QUOTES, "9").items
    assert (quote.profile.followers, quote.profile.bio) == (5120, "Founder")


def test_posts_are_read_by_their_new_name_too(canned: tuple[XApi, Canned]) -> None:
    provider, answer = canned
    row = post(1)
    row["referenced_posts"] = row.pop("referenced_tweets")
    row["public_metrics"]["repost_count"] = row["public_metrics"].pop("retweet_count")
    answer.status, answer.body = 200, body_of([row])
    assert provider.tweets([row["id"]]).tweets[row["id"]].counters["retweets"] == 12
    assert [item.source_id for item in provider.page(REPLIES, "9").items] == [row["id"]]
    assert provider.page(REPLIES, "8").items == ()


def test_an_author_who_is_left_out_is_known_by_id(canned: tuple[XApi, Canned]) -> None:
    provider, answer = canned
    answer.status, answer.body = 200, body_of([post(1)], users=False)
    (quote,) = provider.page(QUOTES, "9").items
    assert (quote.profile.user_id, quote.profile.username) == ("51", "")


def test_an_empty_list_is_left_out_and_a_gone_tweet_is_told(canned: tuple[XApi, Canned]) -> None:
    provider, answer = canned
    answer.status, answer.body = 200, {"meta": {"result_count": 0}}
    assert provider.page(QUOTES, "9").items == ()
    gone = {"detail": "Could not find tweet with id: [9].", "type": PROBLEMS + "resource-not-found"}
    answer.body = {"errors": [gone]}
    assert provider.tweets(["9"]).tweets == {}
    with pytest.raises(NotFound, match="Could not find tweet"):
        provider.page(QUOTES, "9")


@pytest.mark.parametrize(
    ("status", "body", "error", "said"),
    [
        (401, {"title": "Unauthorized", "type": "about:blank"}, KeyRefused, "Unauthorized"),
        (402, {"title": "CreditsDepleted", "type": PROBLEMS + "credits"}, CreditsExhausted, "CreditsDepleted"),
        (403, {"title": "Forbidden", "detail": "enrol", "type": PROBLEMS + "client-forbidden"}, KeyRefused, "enrol"),
        (403, {"title": "No", "type": PROBLEMS + "not-authorized-for-resource"}, RequestRefused, "No"),
        (403, {"title": "Forbidden", "detail": "not you", "type": "about:blank"}, RequestRefused, "not you"),
        (403, {"title": "SpendCapReached", "type": PROBLEMS + "credits"}, CreditsExhausted, "spending limit"),
        (402, {"title": "Payment Required", "type": PROBLEMS + "credits-depleted"}, CreditsExhausted, "credits"),
        (404, {"title": "Not Found", "type": PROBLEMS + "resource-not-found"}, NotFound, "Not Found"),
        (429, {"title": "Too Many Requests", "type": "about:blank"}, RateLimited, "Too Many"),
        (429, {"errors": [{"code": 88, "message": "Rate limit exceeded"}]}, RateLimited, "Rate limit"),
        (429, {"title": "Cap", "type": PROBLEMS + "usage-capped"}, CreditsExhausted, "used up"),
        (503, {"title": "Service Unavailable"}, ProviderUnavailable, "Service"),
        (400, {"errors": [{"parameters": {"id": ["x"]}, "message": "bad"}]}, RequestRefused, "bad .id."),
        (200, {}, MalformedAnswer, "no list"),
        (200, {"data": 5}, MalformedAnswer, "contains no list"),
        (200, {"errors": [{"title": "Oh", "type": PROBLEMS + "internal-error"}]}, ProviderUnavailable, "Oh"),
        (200, {"data": [5, 6]}, MalformedAnswer, "no row"),
    ],
)  # fmt: skip
def test_what_x_says_is_told_in_its_words(
    canned: tuple[XApi, Canned], status: int, body: Any, error: type[ProviderError], said: str
) -> None:
    provider, answer = canned
    answer.status, answer.body = status, body
    with pytest.raises(ProviderError, match=said) as raised:
        provider.page(QUOTES, "9")
    assert type(raised.value) is error
    assert TOKEN not in raised.value.message


@pytest.mark.parametrize(("kind", "name"), [(RETWEETS, "pagination_token"), (REPLIES, "next_token")])
def test_a_refused_token_of_a_page_is_told_from_a_refused_request(
    canned: tuple[XApi, Canned], kind: Kind, name: str
) -> None:
    provider, answer = canned
    complaint = {"parameters": {name: ["zz"]}, "message": "The value is not valid"}
    answer.status, answer.body = 400, {"errors": [complaint], "title": "Invalid Request"}
    with pytest.raises(CursorRefused):
        provider.page(kind, "9", cursor="zz")


def test_a_wrong_token_is_told_by_a_request_that_is_free(lab: Callable[..., Lab]) -> None:
    one = x_lab(lab, tweets=1, key="another-token")
    with pytest.raises(KeyRefused):
        one.provider.credits_left()
    one.simulator.key = "a-token"
    one.simulator.faults.update({"credits": 250_000.0})
    assert one.provider.credits_left() == pytest.approx(250_000.0)
    assert one.simulator.ledger.credits == 0


def test_a_token_that_may_not_read_the_balance_is_checked_by_a_request_that_is_free(
    lab: Callable[..., Lab],
) -> None:
    one = x_lab(lab, tweets=1)
    one.simulator.faults.update({"script": ["missing"]})
    assert one.provider.credits_left() is None
    assert one.simulator.ledger.credits == 0


@given(since=st.integers(0, 20 * 86_400), until=st.integers(0, 20 * 86_400))
@settings(deadline=None, max_examples=60)
def test_search_is_never_asked_for_a_time_that_it_refuses(
    canned: tuple[XApi, Canned], since: int, until: int
) -> None:
    provider, answer = canned
    answer.status, answer.body = 200, body_of([])
    provider.page(
        REPLIES, "9", since=START - timedelta(seconds=since), until=START - timedelta(seconds=until)
    )
    path, query = asked(answer)
    begin, end = query.get("start_time"), query.get("end_time")
    is_recent = path.endswith("recent")
    assert is_recent == (since < 7 * 86_400 - 300)
    assert begin is not None
    assert not is_recent or datetime.fromisoformat(begin) > START - timedelta(days=7)
    assert end is None or datetime.fromisoformat(end) < START - timedelta(seconds=10)
    assert (end is None) == (until <= 30)


@pytest.mark.parametrize("case", CASES)
@settings(max_examples=EXAMPLES, deadline=None)
@given(data=st.data())
def test_the_good_rows_beside_every_bad_one_are_kept(
    canned: tuple[XApi, Canned], case: tuple[Callable[[int], dict[str, Any]], Ask], data: st.DataObject
) -> None:
    provider, answer = canned
    row, ask = case
    rows: list[Any] = [row(number) for number in range(4)]
    answer.status, answer.body = 200, body_of(copy.deepcopy(rows))
    good = items_of(ask(provider))
    assert len(good) == 4
    bad = data.draw(st.sets(st.integers(0, 3), min_size=1, max_size=3))
    for index in bad:
        if data.draw(st.integers(0, 4)) == 0:
            rows[index] = data.draw(ODD)
        else:
            mutate(rows[index], data)
    answer.body = body_of(rows)
    found = ask(provider)
    document = asdict(found)
    bson.encode(document)
    json.dumps(document, default=str, allow_nan=False).encode()
    changed = {item for item in items_of(found) if items_of(found)[item] != good.get(item)}
    left = [list(good)[number] for number in range(4) if number not in bad]
    ids = [item for item in left if item not in changed]
    assert [items_of(found).get(item) for item in ids] == [good[item] for item in ids]
    assert not changed.intersection(ids) or len(items_of(found)) < 4


@pytest.mark.parametrize("case", CASES)
@settings(max_examples=EXAMPLES, deadline=None)
@given(data=st.data())
def test_no_envelope_is_more_than_an_error_of_the_provider(
    canned: tuple[XApi, Canned], case: tuple[Callable[[int], dict[str, Any]], Ask], data: st.DataObject
) -> None:
    provider, answer = canned
    row, ask = case
    body = {"all": {**body_of([row(0), row(1)]), "errors": [{"detail": "d", "type": PROBLEMS + "x"}]}}
    for _ in range(data.draw(st.integers(1, 4))):
        mutate(body, data)
    answer.status, answer.body = data.draw(st.sampled_from([200] * 9 + [400, 403, 429, 500])), body.get("all")
    try:
        found = ask(provider)
    except ProviderError as error:
        assert cleaning.one_line(error.message, limit=400) == error.message
        return
    bson.encode(asdict(found))


def x_lab(lab: Callable[..., Lab], *, once: bool = True, authors: bool = False, **world: object) -> Lab:
    """A campaign over a world that X serves, and bills as said."""
    one = lab(wire_format="x", **world)
    one.simulator.faults.update({"billed_once": once, "includes_billed": authors})
    one.provider.close()
    url = one.simulator.url
    provider = XApi("a-token", url=url, timeout=2.0)
    provider.bills_once_a_day, provider.bills_authors = once, authors
    provider.now = one.now
    one.provider = provider  # type: ignore[assignment]
    return one


def test_what_x_serves_is_collected_whole_and_a_quiet_cycle_is_one_request(lab: Callable[..., Lab]) -> None:
    one = x_lab(lab, tweets=4)
    for kind, count in ((RETWEETS, 250), (REPLIES, 230), (QUOTES, 120)):
        one.engage(kind, count, tweet=1)
    one.advance(minutes=2)
    one.cycle()
    one.assert_exact()
    assert one.cycle().requests == 1
    one.engage(REPLIES, 3, tweet=1)
    one.engage(QUOTES, 2, tweet=2)
    one.advance(minutes=30)
    before = one.simulator.ledger.credits
    one.cycle()
    one.assert_exact()
    assert one.simulator.ledger.credits - before < (4 + 100) * 500


def test_retweets_of_quotes_are_no_quotes_and_are_not_paid(lab: Callable[..., Lab]) -> None:
    one = x_lab(lab, tweets=1)
    one.engage(QUOTES, 60)
    one.simulator.faults.update({"quote_retweets": 5})
    one.advance(minutes=30)
    one.cycle()
    one.assert_exact()
    assert one.simulator.ledger.credits == (1 + 60) * 500


def test_a_row_that_refers_to_other_posts_is_no_quote(canned: tuple[XApi, Canned]) -> None:
    provider, answer = canned
    row = {**post(1), "referenced_tweets": [{"type": "retweeted", "id": "77"}]}
    answer.status, answer.body = 200, body_of([row])
    assert provider.page(QUOTES, "9").items == ()


def test_a_list_that_is_forbidden_costs_no_other(lab: Callable[..., Lab]) -> None:
    one = x_lab(lab, tweets=4)
    for tweet in range(4):
        one.engage(QUOTES, 3, tweet=tweet)
    one.simulator.faults.update({"forbidden": [one.tweet_ids[1]]})
    one.advance(minutes=2)
    done = one.cycle()
    assert done.failed == 1
    assert set(one.stored()) == {key for key in one.truth() if key[0] != one.tweet_ids[1]}


@pytest.mark.parametrize("fault", ["spend_cap", "usage_cap", "no_credits"])
def test_a_reached_limit_ends_the_run_without_blaming_the_key(lab: Callable[..., Lab], fault: str) -> None:
    one = x_lab(lab, tweets=2)
    one.enqueue()
    one.simulator.faults.update({"script": [fault] * 5})
    with pytest.raises(CreditsExhausted) as raised:
        one.work_by_hand()
    assert "TWITTER_API_KEY" not in f"{raised.value.message} {raised.value.hint}"


def test_a_list_goes_on_behind_pages_of_protected_accounts(lab: Callable[..., Lab]) -> None:
    one = x_lab(lab, tweets=1, accounts=600)
    one.engage(RETWEETS, 30)
    one.advance(minutes=10)
    protected = set(one.engage(RETWEETS, 450))
    for item in one.world.tweets[one.tweet_ids[0]].lists[RETWEETS].items:
        item.hidden = item.source_id in protected
    one.advance(minutes=2)
    one.cycle()
    one.assert_exact()
    assert len(one.stored()) == 30


def test_long_texts_are_stored_whole(lab: Callable[..., Lab]) -> None:
    one = x_lab(lab, tweets=1)
    one.engage(REPLIES, 1)
    (reply,) = one.world.tweets[one.tweet_ids[0]].lists[REPLIES].items
    reply.text = "a long answer, " * 60 + "the end"
    one.advance(minutes=2)
    one.cycle()
    assert [row["text"] for row in one.db.engagements.find()] == [reply.text]


def test_an_edited_quote_is_one_engagement(lab: Callable[..., Lab]) -> None:
    one = x_lab(lab, tweets=1)
    one.engage(QUOTES, 2)
    one.advance(minutes=2)
    one.cycle()
    quote = one.world.tweets[one.tweet_ids[0]].lists[QUOTES].items[1]
    quote.edits.append(str(int(quote.source_id) + 5))
    one.engage(QUOTES, 1)
    one.advance(minutes=30)
    one.cycle()
    one.assert_exact()


def test_retweets_have_times_and_cost_half(lab: Callable[..., Lab]) -> None:
    one = x_lab(lab, tweets=1)
    one.engage(RETWEETS, 20)
    one.advance(minutes=2)
    one.cycle()
    one.assert_exact()
    times = {row["source_id"]: row["engaged_at"].timestamp() for row in one.db.engagements.find()}
    items = one.world.tweets[one.tweet_ids[0]].lists[RETWEETS].items
    assert times == {item.source_id: item.engaged_at for item in items}
    assert one.simulator.ledger.credits == (1 + 20) * 500


def test_a_key_that_may_not_read_retweets_reads_the_accounts(
    lab: Callable[..., Lab], monkeypatch: pytest.MonkeyPatch
) -> None:
    one = x_lab(lab, tweets=2)
    monkeypatch.delitem(SERVED, "/2/tweets/:id/retweets")
    one.engage(RETWEETS, 20)
    one.engage(RETWEETS, 5, tweet=1)
    one.advance(minutes=2)
    one.cycle()
    one.assert_exact()
    accounts = {key[2] for key in one.stored()}  # one who retweeted both is billed once a day
    assert one.simulator.ledger.credits == 2 * 500 + len(accounts) * 1_000
    assert one.provider.price(RETWEETS, 1) == 1_000


@pytest.mark.parametrize(("once", "authors"), [(True, False), (True, True), (False, False), (False, True)])
def test_what_is_metered_is_what_is_billed(lab: Callable[..., Lab], once: bool, authors: bool) -> None:
    one = x_lab(lab, tweets=4, once=once, authors=authors)
    for kind in (RETWEETS, REPLIES, QUOTES):
        one.engage(kind, 40)
        one.engage(kind, 15, tweet=1)
    one.advance(minutes=2)
    for hours in (1, 1, 11, 1):
        one.cycle(verify=hours == 1)
        one.engage(REPLIES, 3, tweet=2)
        one.engage(RETWEETS, 2)
        one.advance(hours=hours)
    one.cycle()
    one.assert_exact()
    (used,) = usage.summed(one.db)
    assert used.cost == one.simulator.ledger.credits


def test_the_page_for_one_new_retweeter_is_small(
    lab: Callable[..., Lab], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where retweets are read as accounts, which have no times to search by."""
    one = x_lab(lab, tweets=1)
    for path in ("/2/tweets/:id/retweets", "/2/tweets/search/recent"):
        monkeypatch.delitem(SERVED, path)
    one.engage(RETWEETS, 90)
    one.advance(minutes=2)
    one.cycle()
    one.advance(days=1)
    one.engage(RETWEETS, 1)
    before = one.simulator.ledger.credits
    one.cycle()
    one.assert_exact()
    assert one.simulator.ledger.credits - before <= 500 + 4 * 1_000


def test_a_day_of_quiet_polls_costs_one_and_a_budget_knows(lab: Callable[..., Lab]) -> None:
    one = x_lab(lab, tweets=10)
    for _ in range(8):
        one.enqueue()
        context = one.context()
        context.client.budget = Budget(one.db, BudgetSettings(day_hard=10 * 500 + 1))
        Worker(context, WorkerOptions(threads=2)).run()
        one.advance(minutes=30)
    assert one.simulator.ledger.credits == 10 * 500


def test_what_is_new_after_midnight_does_not_cost_what_is_known(lab: Callable[..., Lab]) -> None:
    one = x_lab(lab, tweets=1)
    for kind in (RETWEETS, REPLIES, QUOTES):
        one.engage(kind, 90)
    one.advance(minutes=2)
    one.cycle()
    one.advance(days=1)
    for kind in (RETWEETS, REPLIES, QUOTES):
        one.engage(kind, 2)
    one.advance(minutes=2)
    before = one.simulator.ledger.credits
    one.cycle()
    one.assert_exact()
    assert one.simulator.ledger.credits - before == (1 + 3 * 2) * 500


def with_auto_rate(one: Lab) -> WorkContext:
    context = one.context()
    context.client.limiter.rate = "auto"
    context.client.limiter.allowed_rate = one.provider.allowed_rate
    return context


def test_the_first_cycle_of_twenty_tweets_takes_seconds(lab: Callable[..., Lab]) -> None:
    one = x_lab(lab, tweets=20)
    for tweet in range(20):
        one.engage(RETWEETS, 8, tweet=tweet)
        one.engage(QUOTES, 5, tweet=tweet)
    one.advance(minutes=2)
    one.enqueue()
    done = Worker(with_auto_rate(one), WorkerOptions(threads=8)).run()
    one.assert_exact()
    assert done.seconds < 30
    assert 429 not in one.simulator.ledger.statuses


def test_a_used_up_window_ends_the_run_and_costs_no_refusal(lab: Callable[..., Lab]) -> None:
    one = x_lab(lab, tweets=50)
    for tweet in range(50):
        one.engage(RETWEETS, 2, tweet=tweet)
    one.advance(minutes=2)
    one.enqueue()
    done = Worker(with_auto_rate(one), WorkerOptions(threads=8)).run()
    asked = one.simulator.ledger.requests
    assert asked["/2/tweets/:id/retweets"] == 75
    assert (done.stopped, done.failed, one.simulator.ledger.statuses[429]) == (True, 0, 0)
    one.advance(minutes=15)
    one.let_time_pass()
    Worker(with_auto_rate(one), WorkerOptions(threads=8)).run()
    one.assert_exact()


def test_what_another_program_used_of_a_window_is_heeded(lab: Callable[..., Lab]) -> None:
    one = x_lab(lab, tweets=40)
    for tweet in range(40):
        one.engage(RETWEETS, 2, tweet=tweet)
    one.advance(minutes=2)
    for _ in range(60):
        one.provider.page(RETWEETS, one.tweet_ids[0])
    one.enqueue()
    Worker(with_auto_rate(one), WorkerOptions(threads=1)).run()
    assert one.simulator.ledger.requests["/2/tweets/:id/retweets"] == 75
    assert one.simulator.ledger.statuses[429] == 0


BAD_DAYS: list[dict[str, float]] = [
    {"errors": 0.2}, {"garbled": 0.2}, {"expired": 0.3}, {"blanks": 0.2}, {"unreadable": 0.1}
]  # fmt: skip


@pytest.mark.parametrize("faults", BAD_DAYS)
def test_what_x_does_on_a_bad_day_costs_nothing_that_it_serves(
    lab: Callable[..., Lab], faults: dict[str, float]
) -> None:
    one = x_lab(lab, tweets=3)
    for kind in (RETWEETS, REPLIES, QUOTES):
        one.engage(kind, 130, tweet=0)
    one.advance(minutes=2)
    one.simulator.faults.update(dict(faults))
    for _ in range(3):
        one.cycle()
        one.advance(minutes=30)
    if "unreadable" in faults:
        one.simulator.faults.update({"unreadable": 0.0})
    one.cycle(verify=True)
    one.assert_exact()


def test_a_reply_that_search_does_not_show_yet_is_read_when_the_counter_moves_again(
    lab: Callable[..., Lab],
) -> None:
    one = x_lab(lab, tweets=2)
    one.engage(REPLIES, 90)
    one.cycle()
    assert len(one.stored()) < 90
    one.engage(REPLIES, 1)
    one.advance(minutes=30)
    one.cycle()
    one.assert_exact()


@pytest.mark.parametrize("may_search_all", [True, False])
def test_replies_older_than_seven_days_are_collected_where_the_key_may_search_the_archive(
    lab: Callable[..., Lab], monkeypatch: pytest.MonkeyPatch, may_search_all: bool
) -> None:
    one = x_lab(lab, tweets=2)
    if not may_search_all:
        monkeypatch.delitem(SERVED, ARCHIVE)
    early = one.engage(REPLIES, 20)
    one.advance(days=8)
    late = one.engage(REPLIES, 30)
    one.advance(minutes=2)
    one.cycle()
    assert {key[2] for key in one.stored() if key[1] == "reply"} == {
        *late,
        *(early if may_search_all else []),
    }


def test_replies_that_search_does_not_reach_any_more_are_not_taken_for_gone(
    lab: Callable[..., Lab], monkeypatch: pytest.MonkeyPatch
) -> None:
    one = x_lab(lab, tweets=2)
    monkeypatch.delitem(SERVED, ARCHIVE)
    early = one.engage(REPLIES, 10)
    one.advance(minutes=2)
    one.cycle()
    one.advance(days=6)
    late = one.engage(REPLIES, 30)
    one.advance(minutes=2)
    one.cycle()
    one.advance(days=2)
    one.cycle(verify=True)
    assert {key[2] for key in one.stored() if key[1] == "reply"} == {*early, *late}


def test_x_is_a_row_of_the_configuration() -> None:
    provider = build_provider(ProviderSettings(name="x"))
    assert provider.name == "x"
    assert provider.limit_scope(RETWEETS) != provider.limit_scope(QUOTES)
    rate = provider.allowed_rate(provider.limit_scope(RETWEETS))
    assert rate is not None
    assert rate.rate == pytest.approx(75 / 900)
    assert (provider.price("metrics", 100), provider.price(RETWEETS, 0)) == (50_000.0, 0.0)
    provider.close()


@pytest.mark.parametrize("may_search_all", [True, False])
def test_campaign_add_says_what_search_does_not_reach(
    cli: Cli, x_commands: Simulator, monkeypatch: pytest.MonkeyPatch, may_search_all: bool
) -> None:
    if not may_search_all:
        monkeypatch.delitem(SERVED, ARCHIVE)
    for known in list(x_commands.world.tweets)[:3]:
        tweet = x_commands.world.tweets.pop(known)
        old = str(int(tweet.tweet_id) - (8 * 86_400_000 << 22))
        tweet.tweet_id, tweet.posted_at = old, tweet.posted_at - 8 * 86_400
        x_commands.world.tweets[old] = tweet
    rows = [word for tweet in x_commands.world.tweets.values() for word in ("--tweet", tweet.url)]
    said = [
        one for one in cli("campaign", "add", "launch", "--days", "1", *rows)["warnings"] if "older" in one
    ]
    expected = "3 tweets older than seven days: the provider no longer lists their older replies"
    assert said == ([] if may_search_all else [expected])
    assert x_commands.ledger.credits <= 4 * 1_500


def test_importance_build_prices_no_followings_that_it_does_not_read(
    cli: Cli, x_commands: Simulator, db: Db
) -> None:
    db.important_people.insert_one({"username": "ada", "following_count": 500})
    for words in (("--dry-run",), ()):
        error = cli("importance", "build", *words, code=1)["error"]
        assert error["message"] == "followings are not read from x"


@pytest.fixture
def x_commands(simulate: Callable[..., Simulator], monkeypatch: pytest.MonkeyPatch) -> Simulator:
    """X as the commands' provider."""
    begin = datetime.now(UTC) - timedelta(minutes=10)
    simulator = simulate(wire_format="x", tweets=4, engagements=20.0, start=begin)
    for name, value in {
        "TWITTER_API_URL": simulator.url,
        "TWITTER_API_KEY": "a-token-12345",
        "SOCAP_PROVIDER__NAME": "x",
        "SOCAP_PROVIDER__RATE": "0",
    }.items():
        monkeypatch.setenv(name, value)
    return simulator


def test_a_campaign_is_worked_by_the_commands(cli: Cli, x_commands: Simulator) -> None:
    simulator = x_commands
    rows = [word for tweet in simulator.world.tweets.values() for word in ("--tweet", tweet.url)]
    assert cli("campaign", "add", "launch", "--days", "1", *rows)["result"]["tweets_added"] == 4
    cli("enqueue")
    done = cli("work")["result"]
    assert (done["failed"], done["requests"]) == (0, simulator.ledger.requests.total() - 1)
    port = simulator.url.rsplit(":", 1)[1]
    assert cli("simulate", "--check", "--port", port)["result"]["missing"] == 0
    spent = cli("usage")["result"]
    assert spent["usd"] == pytest.approx(spent["cost"] * 0.00001, abs=1e-4)
