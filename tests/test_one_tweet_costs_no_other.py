"""What a provider says of one tweet concerns that tweet: batches are split, and the address is not blamed for it."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from socap_cli.client.metered import DOUBTS_TO_ASK, MOST_REFUSALS, AccountCheck, ask_in_parts
from socap_cli.errors import (
    Forbidden,
    KeyRefused,
    MalformedAnswer,
    NotFound,
    ProviderError,
    ProviderUnavailable,
    RequestRefused,
    WrongAddress,
)
from socap_cli.model.account import Tweet, TweetsAnswer

IDS = st.lists(st.integers(1, 10**6).map(str), min_size=1, max_size=100, unique=True)


class Refusing:
    """A provider that refuses whatever holds one of these tweets, or more tweets than it takes."""

    def __init__(
        self, bad: frozenset[str], *, limit: int = 100, error: type[RequestRefused] = RequestRefused
    ) -> None:
        self.bad, self.limit, self.error = bad, limit, error
        self.requests = 0

    def __call__(self, tweet_ids: Sequence[str]) -> TweetsAnswer:
        self.requests += 1
        if self.bad.intersection(tweet_ids) or len(tweet_ids) > self.limit:
            raise self.error("refused", endpoint="/x")
        return TweetsAnswer({i: Tweet(i, None, "", None, {}) for i in tweet_ids}, len(tweet_ids))


@given(IDS, st.data())
def test_tweets_that_are_refused_cost_no_other(tweet_ids: list[str], data: st.DataObject) -> None:
    bad = data.draw(st.frozensets(st.sampled_from(tweet_ids), max_size=3))
    if len(bad) == len(tweet_ids):
        with pytest.raises(RequestRefused):
            ask_in_parts(tweet_ids, Refusing(bad))
        return
    answer = ask_in_parts(tweet_ids, Refusing(bad))
    assert list(answer.tweets) == [i for i in tweet_ids if i not in bad]
    assert sorted(row.sample for row in answer.unreadable) == sorted(bad)
    assert all("refused" in row.reason for row in answer.unreadable)


@pytest.mark.parametrize("error", [RequestRefused, NotFound])
def test_one_bad_tweet_of_fifty_costs_a_dozen_requests(error: type[RequestRefused]) -> None:
    ids = [str(number) for number in range(50)]
    for bad in ids:
        provider = Refusing(frozenset({bad}), error=error)
        assert len(ask_in_parts(ids, provider).tweets) == 49
        assert provider.requests <= 13


def test_a_provider_that_takes_fewer_at_once_gets_fewer() -> None:
    ids = [str(number) for number in range(100)]
    assert len(ask_in_parts(ids, Refusing(frozenset(), limit=20)).tweets) == 100


def test_a_request_that_is_wrong_as_such_is_soon_given_up() -> None:
    provider = Refusing(frozenset(str(number) for number in range(100)))
    with pytest.raises(RequestRefused):
        ask_in_parts([str(number) for number in range(100)], provider)
    assert provider.requests <= MOST_REFUSALS + 1


def test_other_errors_are_no_reason_to_split() -> None:
    def ask(tweet_ids: Sequence[str]) -> TweetsAnswer:
        raise MalformedAnswer("x", endpoint="/x")

    with pytest.raises(MalformedAnswer):
        ask_in_parts(["1", "2"], ask)


def nothing_there() -> None:
    raise NotFound("HTTP 404: nginx", endpoint="/account")


def test_an_address_is_blamed_when_everything_is_answered_so() -> None:
    check = AccountCheck(nothing_there)
    gone = NotFound("HTTP 404", endpoint="/x")
    for _ in range(DOUBTS_TO_ASK - 1):
        check.failed(gone)
    with pytest.raises(WrongAddress, match="nginx") as raised:
        check.failed(gone)
    assert raised.value.hint == "check TWITTER_API_URL"


def test_one_good_answer_proves_an_address() -> None:
    check = AccountCheck(nothing_there)
    check.answered()
    for _ in range(50):
        check.failed(NotFound("HTTP 404", endpoint="/x"))


@pytest.mark.parametrize("error", [KeyRefused, MalformedAnswer, ProviderUnavailable, None])
def test_whatever_else_is_at_the_address_does_not_blame_it(error: type[ProviderError] | None) -> None:
    def ask() -> None:
        if error is not None:
            raise error("x", endpoint="/account")

    check = AccountCheck(ask)
    for _ in range(10):
        check.failed(NotFound("HTTP 404", endpoint="/x"))


def refused(provider_error: type[ProviderError] | None, told: float | None = 5.0) -> AccountCheck:
    def ask() -> float | None:
        if provider_error is not None:
            raise provider_error("x", endpoint="/account")
        return told

    return AccountCheck(ask)


def test_a_tweet_that_is_kept_from_us_is_no_reason_to_blame_the_key() -> None:
    check = refused(None)
    for _ in range(10):
        check.failed(Forbidden("HTTP 403", endpoint="/x"))


@pytest.mark.parametrize(
    "check", [refused(Forbidden), refused(KeyRefused), refused(ProviderUnavailable), refused(None, told=None)]
)
def test_a_key_is_blamed_when_the_account_does_not_answer(check: AccountCheck) -> None:
    with pytest.raises(KeyRefused, match="the key was refused: /x: HTTP 403"):
        check.failed(Forbidden("HTTP 403", endpoint="/x"))
    check.failed(NotFound("HTTP 404", endpoint="/x"))


def test_other_errors_say_nothing_of_the_address() -> None:
    check = AccountCheck(nothing_there)
    for _ in range(10):
        check.failed(RequestRefused("HTTP 400", endpoint="/x"))
        check.failed(ProviderUnavailable("HTTP 502", endpoint="/x"))
