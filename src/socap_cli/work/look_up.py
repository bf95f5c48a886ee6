"""Look tweets up before they are watched. A person waits: short outages and limits are waited out here."""

from __future__ import annotations

from collections.abc import Sequence

from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt, stop_after_delay

from socap_cli.errors import MalformedAnswer, ProviderUnavailable, RateLimited
from socap_cli.model import Tweet
from socap_cli.work.calls import Calls

PATIENCE = 60.0


def look_up(calls: Calls, tweet_ids: Sequence[str], campaign: str) -> dict[str, Tweet]:
    """The tweets that the provider knows. What is absent is asked for twice before it counts as unknown."""
    found: dict[str, Tweet] = {}
    try:
        _ask(calls, tweet_ids, campaign, found)
        missing = [tweet_id for tweet_id in tweet_ids if tweet_id not in found]
        _ask(calls, missing, campaign, found)
    finally:
        calls.write_usage()
    return found


def _ask(calls: Calls, tweet_ids: Sequence[str], campaign: str, found: dict[str, Tweet]) -> None:
    size = calls.provider.batch
    for at in range(0, len(tweet_ids), size):
        chunk = tweet_ids[at : at + size]
        patient = Retrying(
            retry=retry_if_exception_type((ProviderUnavailable, RateLimited, MalformedAnswer)),
            wait=_wait,
            stop=stop_after_attempt(6) | stop_after_delay(PATIENCE),
            reraise=True,
        )
        answer = patient(calls.tweets, chunk, [campaign])
        found.update(answer.tweets)


def _wait(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    if isinstance(error, RateLimited):
        return min(error.retry_after, PATIENCE)
    return min(8.0, 0.5 * 2.0**state.attempt_number)
