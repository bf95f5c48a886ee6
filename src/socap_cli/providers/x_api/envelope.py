"""X's envelopes: what stands around the rows, what an error looks like, whether more is to come."""

from __future__ import annotations

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
from socap_cli.providers.complaints import CHECK_KEY, error_for, json_object, unavailable
from socap_cli.providers.rows import whole_cursor
from socap_cli.providers.transport import Answer

LOOK = "look at the project's usage and credits in X's developer console"
GONE = ("resource-not-found", "resource-unavailable")
HIDDEN = ("not-authorized-for-resource", "disallowed-resource")
"""Of a tweet whose author is protected or suspended."""


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
    if rows is not None:
        raise MalformedAnswer("where its list should stand is none", endpoint=answer.path)
    if isinstance(body.get("meta"), dict):
        return []
    problems = problems_of(body)
    if not problems:
        raise MalformedAnswer("the answer holds no list", endpoint=answer.path)
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
    if answer.status == 403 and kind in HIDDEN:
        # Its type says that it is this tweet, and not the key.
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
