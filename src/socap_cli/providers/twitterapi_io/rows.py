"""What twitterapi.io's rows say, read into values. Every field may be missing, of another type, or nonsense."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from socap_cli.errors import (
    CreditsExhausted,
    CursorRefused,
    MalformedAnswer,
    ProviderError,
    RateLimited,
    RequestRefused,
)
from socap_cli.model import cleaning
from socap_cli.model.account import ListItem, Profile, Tweet
from socap_cli.model.links import snowflake_time
from socap_cli.providers.http_provider import (
    Answer,
    BadRow,
    as_object,
    cursor_refused,
    error_for,
    json_object,
    kind_of,
    read_counters,
    unavailable,
    whole_cursor,
)

GONE_TYPES = frozenset({"tombstone", "unavailable", "tweet_unavailable"})
LONGEST_NAME = 100
LONGEST_BIO = 2_000
MESSAGE_FIELDS = ("message", "msg", "detail", "error")
ROW_KEYS = ("tweets", "replies", "quotes", "users", "retweeters", "followings")
"""Where rows may stand when they do not stand where their endpoint promises them."""
RATE_WORDS = re.compile(r"too many requests|rate.?limit|\bqps\b", re.IGNORECASE)
CREDIT_WORDS = re.compile(r"credits? (?:is|are) not enough|not enough credits?|recharge", re.IGNORECASE)
OUTAGE_WORDS = re.compile(
    r"try again|something went wrong|internal (?:server )?error|timed? ?out|temporarily|unavailable right now",
    re.IGNORECASE,
)
NO_CURSOR = frozenset({"", "0", "-1"})
"""How providers write that there is no next page, null aside."""


def read_tweet(row: Any, counters: Mapping[str, tuple[str, ...]]) -> Tweet | None:
    """A tweet with its counters; None for one that the provider says is gone. Raises BadRow."""
    row = as_object(row)
    tweet_id = cleaning.post_id(row.get("id"))
    if _is_gone(row):
        return None
    if tweet_id is None:
        raise BadRow("its id is missing or no id")
    author = row.get("author")
    known = isinstance(author, dict) and cleaning.user_id(author.get("id")) is not None
    original = row.get("retweeted_tweet")
    return Tweet(
        tweet_id=tweet_id,
        author=read_profile(author) if known else None,
        text=cleaning.text(row.get("text"), references=True),
        posted_at=cleaning.moment(row.get("createdAt")) or snowflake_time(tweet_id),
        counters=read_counters(row, counters),
        retweet_of=cleaning.post_id(original.get("id")) if isinstance(original, dict) else None,
    )


def read_profile(row: Any) -> Profile:
    """An account. Raises BadRow when it has no id."""
    row = as_object(row)
    user_id = cleaning.user_id(row.get("id"))
    if user_id is None:
        if _is_gone(row):
            reason = cleaning.one_line(row.get("unavailableReason")) or "no reason given"
            raise BadRow(f"unavailable: {reason}", is_gone=True)
        raise BadRow("its id is missing or no id")
    bio = row.get("profile_bio")
    bios = (bio.get("description") if isinstance(bio, dict) else None, row.get("description"), row.get("bio"))
    username = _first(row, "userName", "screen_name")
    return Profile(
        user_id=user_id,
        username=cleaning.handle(username)
        or cleaning.one_line(username, limit=LONGEST_NAME, references=True),
        name=cleaning.one_line(row.get("name"), limit=LONGEST_NAME, references=True),
        bio=next((text for text in map(_bio, bios) if text), ""),
        followers=cleaning.number(_first(row, "followers", "followers_count")),
        verified=any(cleaning.flag(row.get(name)) for name in ("isBlueVerified", "isVerified", "verified")),
    )


def read_account(row: Any, tweet_id: str) -> ListItem:  # noqa: ARG001
    """An item that is an account: a retweeter, somebody who is followed. Raises BadRow."""
    profile = read_profile(row)
    return ListItem(profile.user_id, profile)


def read_reply(row: Any, tweet_id: str) -> ListItem | None:
    """A reply; None when it replies to another post than this tweet. Raises BadRow."""
    parent = cleaning.post_id(as_object(row).get("inReplyToId"))
    return read_post(row) if parent in (None, tweet_id) else None


def read_quote(row: Any, tweet_id: str) -> ListItem | None:
    """A quote; None when it quotes another post than this tweet. Raises BadRow."""
    quoted = as_object(row).get("quoted_tweet")
    quoted_id = cleaning.post_id(quoted.get("id")) if isinstance(quoted, dict) else None
    return read_post(row) if quoted_id in (None, tweet_id) else None


def read_post(row: Any) -> ListItem:
    """A post with its author. Raises BadRow: without an author nobody can be told who it was."""
    row = as_object(row)
    post_id = cleaning.post_id(row.get("id"))
    if post_id is None:
        raise BadRow("its id is missing or no id", is_gone=_is_gone(row))
    return ListItem(
        source_id=post_id,
        profile=_author(row),
        engaged_at=cleaning.moment(row.get("createdAt")) or snowflake_time(post_id),
        text=cleaning.text(row.get("text"), references=True),
    )


def _author(row: dict[str, Any]) -> Profile:
    author = row.get("author")
    if author is None or (isinstance(author, dict) and author.get("id") is None):
        raise BadRow("its author is unavailable", is_gone=True)
    if not isinstance(author, dict):
        raise BadRow(f"its author is {kind_of(author)}")
    try:
        return read_profile(author)
    except BadRow as error:
        raise BadRow(f"its author: {error.reason}", is_gone=error.is_gone) from None


def _is_gone(row: dict[str, Any]) -> bool:
    kind = row.get("type")
    return cleaning.flag(row.get("unavailable")) is True or (isinstance(kind, str) and kind in GONE_TYPES)


def _bio(value: Any) -> str:
    return cleaning.text(value, limit=LONGEST_BIO, references=True)


def _first(row: dict[str, Any], *names: str) -> Any:
    return next((row[name] for name in names if row.get(name) is not None), None)


def object_in(answer: Answer) -> dict[str, Any]:
    """The object that an answer holds. Raises ProviderError for every answer that is an error."""
    if answer.status >= 300:
        raise error_for(answer, detail_of(answer))
    body = json_object(answer)
    if body.get("status") == "error":
        raise _refusal(answer)
    return body


def detail_of(answer: Answer) -> str:
    """What an error says: message, msg, detail, error, else the beginning of its body."""
    body = answer.body
    if isinstance(body, dict):
        for name in MESSAGE_FIELDS:
            value = body.get(name)
            if value and isinstance(value, (str, list, dict)):
                return answer.clean(value if isinstance(value, str) else cleaning.sample(value))
    return answer.text or ("(no text)" if body is None else answer.clean(cleaning.sample(body)))


def _refusal(answer: Answer) -> ProviderError:
    """A 200 that says `error` is a 400 by its words; a few words tell of something else."""
    detail, path = detail_of(answer), answer.path
    if cursor_refused(answer, detail):
        return CursorRefused(detail, endpoint=path)
    if RATE_WORDS.search(detail):
        return RateLimited(f"rate limit: {detail}", endpoint=path, retry_after=None)
    if CREDIT_WORDS.search(detail):
        return CreditsExhausted(f"no credits left: {detail}", endpoint=path, hint="recharge the account")
    if OUTAGE_WORDS.search(detail):
        return unavailable(detail, path)
    return RequestRefused(detail, endpoint=path)


def rows_in(answer: Answer, keys: Sequence[str]) -> list[Any]:
    """The rows of an answer; a list that is null is empty. Raises MalformedAnswer when there is none at all."""
    body = object_in(answer)
    nested = body.get("data")
    places = [body, nested] if isinstance(nested, dict) else [body]
    found = [place[key] for place in places for key in dict.fromkeys((*keys, *ROW_KEYS)) if key in place]
    lists = [value for value in found if isinstance(value, list)]
    if not found or (not lists and any(value is not None for value in found)):
        raise MalformedAnswer("the response contains no list", endpoint=answer.path)
    return next((rows for rows in lists if rows), [])


def next_cursor(body: dict[str, Any]) -> tuple[str | None, bool]:
    """(the cursor of the next page, whether more was promised without a usable one).

    An explicit `has_next_page: false` ends a list. Without the flag the cursor decides. The flag without a cursor
    (null, empty, 0, -1, or one that cannot be sent back) ends it too, but proves nothing.
    """
    more, cursor = cleaning.flag(body.get("has_next_page")), _cursor(body.get("next_cursor"))
    if more is False:
        return None, False
    return cursor, more is True and cursor is None


def _cursor(value: Any) -> str | None:
    if isinstance(value, int) and not isinstance(value, bool):
        value = cleaning.text(value)
    cursor = whole_cursor(value)
    return cursor if cursor is not None and cursor.strip() not in NO_CURSOR else None
