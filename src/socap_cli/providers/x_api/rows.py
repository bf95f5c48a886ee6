"""What X's rows say, read into values. Every field may be missing, of another type, or nonsense."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from socap_cli.errors import (
    CreditsExhausted,
    KeyRefused,
    MalformedAnswer,
    NotFound,
    ProviderError,
    RequestRefused,
)
from socap_cli.model import cleaning
from socap_cli.model.account import ListItem, Profile, Tweet
from socap_cli.model.links import snowflake_time
from socap_cli.providers.http_provider import (
    CHECK_KEY,
    Answer,
    BadRow,
    as_object,
    error_for,
    json_object,
    read_counters,
    unavailable,
    whole_cursor,
)

LONGEST_NAME = 100
LONGEST_BIO = 2_000
VERIFIED_TYPES = frozenset({"blue", "business", "government"})
Accounts = Mapping[str, Any]
"""Rows of accounts by id, as they stand beside the posts."""
LOOK = "check the project's usage and credits in X's developer console"
GONE = ("resource-not-found", "resource-unavailable")
HIDDEN = ("not-authorized-for-resource", "disallowed-resource")
"""Of a tweet whose author is protected or suspended."""


def read_tweet(row: Any, accounts: Accounts, counters: Mapping[str, tuple[str, ...]]) -> Tweet:
    """A tweet with its counters. Raises BadRow."""
    row = as_object(row)
    tweet_id = cleaning.post_id(row.get("id"))
    if tweet_id is None:
        raise BadRow("its id is missing or no id")
    user_id = cleaning.user_id(row.get("author_id"))
    return Tweet(
        tweet_id=tweet_id,
        author=read_profile(accounts[user_id]) if user_id is not None and user_id in accounts else None,
        text=_text(row),
        posted_at=cleaning.moment(row.get("created_at")) or snowflake_time(tweet_id),
        counters=read_counters(row.get("public_metrics"), counters),
        retweet_of=dict(_related(row)).get("retweeted"),
    )


def read_profile(row: Any) -> Profile:
    """An account. Raises BadRow when it has no id."""
    row = as_object(row)
    user_id = cleaning.user_id(row.get("id"))
    if user_id is None:
        raise BadRow("its id is missing or no id")
    metrics, username, verified_type = (
        row.get("public_metrics"),
        row.get("username"),
        row.get("verified_type"),
    )
    return Profile(
        user_id=user_id,
        username=cleaning.handle(username)
        or cleaning.one_line(username, limit=LONGEST_NAME, references=True),
        name=cleaning.one_line(row.get("name"), limit=LONGEST_NAME, references=True),
        bio=cleaning.text(row.get("description"), limit=LONGEST_BIO, references=True),
        followers=cleaning.number(metrics.get("followers_count")) if isinstance(metrics, dict) else None,
        verified=cleaning.flag(row.get("verified")) is True
        or (isinstance(verified_type, str) and verified_type in VERIFIED_TYPES),
    )


def read_account(row: Any) -> ListItem:
    """An item that is an account: a retweeter. Raises BadRow."""
    profile = read_profile(row)
    return ListItem(profile.user_id, profile)


def read_post(row: Any, accounts: Accounts, *, relation: str, tweet_id: str) -> ListItem | None:
    """A post with its author; None when it names other posts, and not the tweet in this relation.

    Raises BadRow. An author whom X leaves out beside the posts is known by id alone. An edited post has a new id
    and is known by its first one; a retweet is known by its account.
    """
    row = as_object(row)
    post_id = cleaning.post_id(row.get("id"))
    if post_id is None:
        raise BadRow("its id is missing or no id")
    related = _related(row)
    if related and (relation, tweet_id) not in related:
        return None
    user_id = cleaning.user_id(row.get("author_id"))
    if user_id is None:
        raise BadRow("its author is unavailable", is_gone=row.get("author_id") is None)
    is_retweet = relation == "retweeted"
    versions = row.get("edit_history_tweet_ids", row.get("edit_history_post_ids"))
    first_id = cleaning.post_id(versions[0]) if isinstance(versions, list) and versions else None
    return ListItem(
        source_id=user_id if is_retweet else first_id or post_id,
        profile=read_profile(accounts.get(user_id, {"id": user_id})),
        engaged_at=cleaning.moment(row.get("created_at")) or snowflake_time(post_id),
        text="" if is_retweet else _text(row),
    )


def _text(row: Mapping[str, Any]) -> str:
    """The whole text; `text` itself is cut at 280 characters."""
    note = row.get("note_tweet", row.get("note_post"))
    whole = note.get("text") if isinstance(note, dict) else None
    return cleaning.text(whole, references=True) or cleaning.text(row.get("text"), references=True)


def _related(row: Mapping[str, Any]) -> list[tuple[str, str]]:
    """(relation, id) of the posts that a post replies to, quotes or retweets; none when it does not say."""
    listed = row.get("referenced_tweets", row.get("referenced_posts"))
    references = [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
    related = [(str(one.get("type")), cleaning.post_id(one.get("id"))) for one in references]
    return [(relation, post_id) for relation, post_id in related if post_id is not None]


def balance_in(answer: Answer) -> float | None:
    """The balance in USD, if the answer holds one. Raises ProviderError."""
    data = object_in(answer).get("data")
    total = data.get("total_balance") if isinstance(data, dict) else None
    if not isinstance(total, int | float) or isinstance(total, bool) or not math.isfinite(total):
        return None
    return float(total)


def object_in(answer: Answer) -> dict[str, Any]:
    """The object that an answer holds. Raises ProviderError for every answer that is an error."""
    if answer.status >= 300:
        raise _error(answer)
    return json_object(answer)


def rows_in(answer: Answer) -> list[Any]:
    """The rows of an answer; X leaves an empty list out.

    Raises NotFound where it holds problems alone, and MalformedAnswer where it holds neither.
    """
    body = object_in(answer)
    rows = body.get("data")
    if isinstance(rows, list):
        return rows
    if rows is None and isinstance(body.get("meta"), dict):
        return []
    problems = problems_of(body)
    if rows is not None or not problems:
        raise MalformedAnswer("the response contains no list", endpoint=answer.path)
    detail = _said(answer, problems[0])
    if kind_of(problems[0]).endswith((*GONE, *HIDDEN)):
        raise NotFound(detail, endpoint=answer.path)
    if kind_of(problems[0]) == "internal-error":
        raise unavailable(detail, answer.path)
    raise RequestRefused(detail, endpoint=answer.path)


def accounts_in(answer: Answer) -> dict[str, Any]:
    """The accounts that stand beside the posts of an answer, by id."""
    body = answer.body if isinstance(answer.body, dict) else {}
    includes = body.get("includes")
    users = includes.get("users") if isinstance(includes, dict) else None
    listed = users if isinstance(users, list) else []
    found = ((cleaning.user_id(user.get("id")), user) for user in listed if isinstance(user, dict))
    return {user_id: user for user_id, user in found if user_id is not None}


def next_token(answer: Answer) -> tuple[str | None, bool]:
    """(the token of the next page, whether one was sent that cannot be sent back)."""
    meta = answer.body.get("meta") if isinstance(answer.body, dict) else None
    value = meta.get("next_token") if isinstance(meta, dict) else None
    if value is None or value == "":
        return None, False
    token = whole_cursor(value)
    return token, token is None


def problems_of(body: dict[str, Any]) -> list[dict[str, Any]]:
    """What X says of each thing that it could not give."""
    listed = body.get("errors")
    return [entry for entry in listed if isinstance(entry, dict)] if isinstance(listed, list) else []


def kind_of(problem: dict[str, Any]) -> str:
    """The kind of a problem: its type without the host, which varies."""
    kind = problem.get("type")
    return kind.rstrip("/").rpartition("/")[2] if isinstance(kind, str) else ""


def _error(answer: Answer) -> ProviderError:
    body = answer.body if isinstance(answer.body, dict) else {}
    problems = problems_of(body)
    detail, kind = _said(answer, *problems[:1], body), kind_of(body)
    if kind == "usage-capped" or body.get("title") == "UsageCapExceeded":
        return CreditsExhausted(f"the month's posts are used up: {detail}", endpoint=answer.path, hint=LOOK)
    if kind.startswith(("client-forbidden", "client-not-enrolled")):
        return KeyRefused(f"the key was refused: {detail}", endpoint=answer.path, hint=CHECK_KEY)
    if answer.status == 403 and (kind.startswith("credits") or body.get("title") == "SpendCapReached"):
        message = f"the spending limit of the account is reached: {detail}"
        return CreditsExhausted(message, endpoint=answer.path, hint=LOOK)
    if answer.status == 403:
        # A refused key has a type of its own, above: this is about the resource.
        return RequestRefused(f"HTTP 403: {detail}", endpoint=answer.path)
    return error_for(answer, detail)


def _said(answer: Answer, *problems: dict[str, Any]) -> str:
    """What an error says: of the first problem, else of the whole, with the names of the parameters it is about."""
    for problem in problems:
        for name in ("message", "detail", "title"):
            said = problem.get(name)
            if isinstance(said, str) and said.strip():
                about = problem.get("parameters")
                names = f" ({', '.join(map(str, about))})" if isinstance(about, dict) and about else ""
                return answer.clean(said + names)
    return answer.text or ("(no text)" if answer.body is None else answer.clean(cleaning.sample(answer.body)))
