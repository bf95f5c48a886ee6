"""Fetch tweets before they are watched. A person waits: short outages and limits are waited out here."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt, stop_after_delay

from socap_cli.client.metered import MeteredClient
from socap_cli.errors import MalformedAnswer, ProviderUnavailable, RateLimited
from socap_cli.model.account import Tweet

PATIENCE = 60.0
"""Seconds for which a person waits at most, when the provider says how long."""
TRIES = 4
"""What does not answer is asked so often, in 7 seconds and what the requests take: then a person is told."""


def fetch_tweets(
    client: MeteredClient,
    tweet_ids: Sequence[str],
    campaign: str,
    *,
    inform: Callable[[str], None] = lambda _: None,
) -> dict[str, Tweet]:
    """The tweets that the provider knows. What is absent is asked for twice before it counts as unknown.

    `inform` is told what is waited for.

    Raises ProviderError, OverBudget, BudgetReached; what was asked is metered also then.
    """
    found: dict[str, Tweet] = {}
    try:
        _fetch(client, tweet_ids, campaign, found, inform)
        missing = [tweet_id for tweet_id in tweet_ids if tweet_id not in found]
        _fetch(client, missing, campaign, found, inform)
    finally:
        client.meter.write()
    return found


def _fetch(
    client: MeteredClient,
    tweet_ids: Sequence[str],
    campaign: str,
    found: dict[str, Tweet],
    inform: Callable[[str], None],
) -> None:
    size = client.provider.batch
    for at in range(0, len(tweet_ids), size):
        found.update(patiently(inform)(client.tweets, tweet_ids[at : at + size], [campaign]).tweets)


def patiently(inform: Callable[[str], None], *, tries: int = TRIES) -> Retrying:
    """Call again while the provider is away for a moment: somebody waits for the answer, and is told why."""

    def say(state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        inform(f"{error}; trying again in {state.upcoming_sleep:.0f} s")

    return Retrying(
        retry=retry_if_exception_type((ProviderUnavailable, RateLimited, MalformedAnswer)),
        wait=_wait,
        stop=stop_after_attempt(tries) | stop_after_delay(PATIENCE),
        before_sleep=say,
        reraise=True,
    )


def _wait(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    if isinstance(error, RateLimited) and error.retry_after is not None:
        return min(error.retry_after, PATIENCE)
    return min(8.0, 0.5 * 2.0**state.attempt_number)
