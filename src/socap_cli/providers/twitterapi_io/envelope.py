"""twitterapi.io's envelopes: what stands around the rows, what an error looks like, whether more is to come."""

from __future__ import annotations

import re
from collections.abc import Sequence
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
from socap_cli.providers.complaints import cursor_refused, error_for, json_object, unavailable
from socap_cli.providers.rows import whole_cursor
from socap_cli.providers.transport import Answer

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
    if not found:
        raise MalformedAnswer("the answer holds no list", endpoint=answer.path)
    if not lists and any(value is not None for value in found):
        raise MalformedAnswer("where its list should stand is none", endpoint=answer.path)
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
