"""Ask for many tweets at once, and for parts of them when a request is refused: one tweet costs no other."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from socap_cli.errors import RequestRefused
from socap_cli.model.account import TweetsAnswer, UnreadableRow

MOST_REFUSALS = 8
"""Refused in a row without one answer, it is not some tweet in a hundred but the request itself that is wrong."""


def ask_in_parts(tweet_ids: Sequence[str], ask: Callable[[Sequence[str]], TweetsAnswer]) -> TweetsAnswer:
    """Ask for all; then, as long as parts are refused, for halves of them, down to a single tweet.

    A tweet that is refused by itself is left out and told among the rows that could not be read. Raises what `ask`
    raises, and RequestRefused when nothing is answered.
    """
    waiting: list[Sequence[str]] = [tweet_ids]
    answers: list[TweetsAnswer] = []
    refused: list[UnreadableRow] = []
    refusals = 0
    while waiting:
        part = waiting.pop()
        try:
            answers.append(ask(part))
        except RequestRefused as error:
            refusals += 1
            if not answers and (refusals > MOST_REFUSALS or not (waiting or len(part) > 1)):
                raise
            middle = len(part) // 2
            waiting += [part[middle:], part[:middle]] if middle else []
            refused += [] if middle else [UnreadableRow(error.message, part[0])]
    return _joined(answers, refused)


def _joined(answers: Sequence[TweetsAnswer], refused: Sequence[UnreadableRow]) -> TweetsAnswer:
    return TweetsAnswer(
        {tweet_id: tweet for answer in answers for tweet_id, tweet in answer.tweets.items()},
        sum(answer.billed_items for answer in answers),
        (*(row for answer in answers for row in answer.unreadable), *refused),
    )
