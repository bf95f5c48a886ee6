"""One limiter for every process: GCRA by the database's clock, for provider keys and for channel addresses.

A caller reserves the next free moment and sleeps until then by itself. `tat` is the theoretical arrival time of the
generic cell rate algorithm (ITU-T I.371, annex A). Where the provider counts requests in windows, a window's requests
are granted at once (`window_left`) until the next one begins (`window_until`). The same document says when a scope is
blocked (`blocked_until`: the provider or recipient asked for it) or closed (`closed_since`: it does not answer; then
one request at a time is let through to find out when it does), and how far its rate was cut (`cut_to`, `cut_at`).

`GroupCommit` lets threads of one process share a reservation, or any other write.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar

from pymongo import ReturnDocument
from pymongo.collection import Collection

from socap_cli.errors import StoreError
from socap_cli.model.queue import LimitState
from socap_cli.store.connect import Db, literal, translate_error, value_of

SAFETY = 0.96
"""Part of the rate that is used, since sleepers do not wake to the microsecond."""
PROBE_EVERY = 2.0
"""Seconds between two requests to a scope that does not answer."""
CUT = 0.5
"""The part of its rate at which a scope goes on that refused for it."""
DOUBLES_IN = 60.0
"""Seconds in which a rate that was cut doubles: additive increase, multiplicative decrease (Chiu and Jain, 1989)."""
CUTS_APART_MS = 300
"""Refusals of one burst cut once."""
ASKED_LATELY = 3 * 3600.0
"""Seconds for which a closed scope is reported when nobody asks it again."""
LONGEST_WAIT = 3600.0 + 60.0
"""Seconds. A moment further away than this was noted by another clock and does not count."""
WINDOW, WINDOW_SLACK = 900.0, 1.0
"""Seconds in which requests are counted, and that are added to the end that the provider names in whole seconds."""
Documents = Collection[dict[str, Any]]
LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)
NOW_MS: dict[str, Any] = {"$toDouble": {"$toLong": "$$NOW"}}
"""Milliseconds: a date would round an interval to whole ones."""


@dataclass(frozen=True, slots=True)
class Turn:
    """A reserved moment: whether it was granted, and the seconds until it or, refused, until one is free."""

    granted: bool
    wait: float
    closed: bool = False
    """Whether the scope does not answer, so that this is a probe."""
    refused: int = 0
    """How often the scope had refused by then: what was reserved before it refused again is void."""
    reason: str | None = None


def limiter_id(key: str, scope: str) -> str:
    """Names a key and limit scope without revealing the key."""
    return f"{hashlib.sha256(key.encode()).hexdigest()[:8]}:{scope}"


def reserve(
    limits: Documents, limiter: str, *, rate: float, max_wait: float, turns: int = 1, at_once: int = 0
) -> list[Turn]:
    """Reserve the next turns; `rate` is the ceiling in requests a second, 0 sets none.

    With `at_once`, so many are granted without a pause in each window. A turn further away than `max_wait` seconds is
    refused, and leaves the limiter as it was.
    """
    row = _update(limits, limiter, _reservation(rate, int(max_wait * 1000), turns, at_once))
    granted, closed, spacing = row["granted"], row["closed"], row["spacing"]
    free_in = (row["wait"] + granted * spacing) / 1000
    refused, reason = row.get("limited", 0), row.get("closed_reason")
    waits = [(row["wait"] + number * spacing) / 1000 for number in range(turns)]
    return [
        Turn(number < granted, wait if number < granted else free_in, closed, refused, reason)
        for number, wait in enumerate(waits)
    ]


def _update(limits: Documents, limiter: str, pipeline: list[dict[str, Any]]) -> dict[str, Any]:
    row = limits.find_one_and_update(
        {"_id": limiter}, pipeline, upsert=True, return_document=ReturnDocument.AFTER
    )
    assert row is not None  # it was upserted
    return row


def _rate(ceiling: float | str) -> dict[str, Any]:
    """The rate that holds now, in requests a second; `$min` ignores a cut that never was."""
    since = {"$divide": [{"$subtract": [NOW_MS, "$cut_at"]}, DOUBLES_IN * 1000]}
    return {"$min": [ceiling, {"$multiply": ["$cut_to", {"$add": [1, since]}]}]}


def _heeded(moment: str) -> dict[str, Any]:
    milliseconds = {"$toDouble": {"$toLong": moment}}
    return {"$cond": [{"$lte": [milliseconds, {"$add": [NOW_MS, LONGEST_WAIT * 1000]}]}, milliseconds, None]}


def _reservation(rate: float, max_wait: int, turns: int, at_once: int) -> list[dict[str, Any]]:
    """Turns lie apart by the rate or, with `at_once`, are those that are left in the window that holds at `start`."""
    rate = 0.0 if at_once else rate
    ends = _heeded("$window_until")
    used_up = {"$cond": [{"$lte": ["$window_left", 0]}, ends, None]} if at_once else None
    left = {"$subtract": [max_wait, "$wait"]}
    within = {"$add": [1, {"$floor": {"$divide": [left, "$interval"]}}]} if rate else turns
    in_window: Any = {"$cond": ["$is_new", at_once, "$window_left"]} if at_once else turns
    open_turns = {"$cond": [{"$gte": [left, 0]}, {"$min": [turns, within, in_window]}, 0]}
    probe = {"$cond": [{"$lte": ["$wait", 0]}, 1, 0]}
    after: dict[str, Any] = {"tat": {"$add": ["$start", {"$multiply": ["$granted", "$spacing"]}]}}
    if at_once:
        after["window_left"] = {"$subtract": [in_window, "$granted"]}
        after["window_until"] = {"$cond": ["$is_new", {"$add": ["$start", WINDOW * 1000]}, "$window_until"]}
    start = {"$max": [NOW_MS, _heeded("$tat"), _heeded("$blocked_until"), used_up]}
    first = {
        "start": start,
        "wait": {"$subtract": [start, NOW_MS]},
        "closed": {"$gt": ["$closed_since", None]},
        "interval": {"$divide": [1000 / SAFETY, _rate(rate)]} if rate else 0.0,
    }
    second = {
        "is_new": {"$gte": ["$start", {"$ifNull": [ends, 0]}]},
        "spacing": {"$cond": ["$closed", PROBE_EVERY * 1000, "$interval"]},
    }
    is_granted = {"$gt": ["$granted", 0]}
    return [
        {"$set": first},
        {"$set": second},
        {"$set": {"granted": {"$cond": ["$closed", probe, open_turns]}}},
        {"$set": {name: {"$cond": [is_granted, value, f"${name}"]} for name, value in after.items()}},
        {"$unset": ["start", "interval", "is_new"]},
    ]


def keep_in_step(db: Db, limiter: str, *, left: int, seconds: float) -> None:
    """The provider said how many requests are left in its window, and when that ends.

    Fewer are left than we counted when somebody else asks with the same key.
    """
    until = {"$add": [NOW_MS, (seconds + WINDOW_SLACK) * 1000]}
    is_ahead = {"$lt": ["$window_until", {"$add": [NOW_MS, seconds * 1000]}]}
    changed = {"$or": [{"$gt": ["$window_left", left]}, is_ahead]}
    fields = {
        "window_until": {"$max": ["$window_until", until]},
        "window_left": {"$min": ["$window_left", left]},
    }
    db.rate_limits.update_one({"_id": limiter, "$expr": changed}, [{"$set": fields}])


def cut(db: Db, limiter: str, *, rate: float) -> int:
    """The scope refused for its rate: go on at a part of it, growing from there.

    What was reserved is void; returns how often the scope has refused by now.
    """
    apart = {"$gte": [{"$subtract": [NOW_MS, {"$ifNull": ["$cut_at", 0]}]}, CUTS_APART_MS]}
    counted = {"limited": {"$add": [{"$ifNull": ["$limited", 0]}, 1]}, "now": _rate(rate), "apart": apart}
    values = {
        "cut_to": {"$multiply": ["$now", CUT]},
        "cut_at": NOW_MS,
        "tat": {"$add": [NOW_MS, {"$divide": [1000 / CUT, "$now"]}]},
    }
    lower = {name: {"$cond": ["$apart", value, f"${name}"]} for name, value in values.items()}
    row = _update(db.rate_limits, limiter, [{"$set": counted}, {"$set": lower}, {"$unset": ["now", "apart"]}])
    return int(row["limited"])


def block(limits: Documents, limiter: str, seconds: float) -> int:
    """Let nothing through for so many seconds from now, whoever asks; never shortens a block.

    What was reserved is void; returns how often the scope has refused by now.
    """
    until = {"$add": [NOW_MS, min(seconds, LONGEST_WAIT) * 1000]}
    fields = {
        "blocked_until": {"$toDate": {"$toLong": {"$max": [_heeded("$blocked_until"), until]}}},
        "limited": {"$add": [{"$ifNull": ["$limited", 0]}, 1]},
        "tat": NOW_MS,
    }
    return int(_update(limits, limiter, [{"$set": fields}])["limited"])


def close(db: Db, limiter: str, *, reason: str) -> None:
    """The scope does not answer: from now on only a probe now and then."""
    fields = {
        "closed_since": {"$ifNull": ["$closed_since", "$$NOW"]},
        "closed_reason": literal(reason),
        "tat": {"$add": [NOW_MS, PROBE_EVERY * 1000]},
    }
    db.rate_limits.update_one({"_id": limiter}, [{"$set": fields}], upsert=True)


def reopen(db: Db, limiter: str) -> None:
    """The scope answers again: everything goes on at once."""
    fields = {"closed_since": None, "closed_reason": None, "tat": NOW_MS}
    db.rate_limits.update_one({"_id": limiter, "closed_since": {"$gt": LONG_AGO}}, [{"$set": fields}])


def remember_ceiling(db: Db, limiter: str, *, rate: float, source: str, at_once: int = 0) -> None:
    """Keep what the provider allows, and forget what was refused when that changed."""
    fields = {
        "cut_to": {"$cond": [{"$ne": [rate, "$ceiling"]}, None, "$cut_to"]},
        "ceiling": rate,
        "at_once": at_once,
        "ceiling_source": literal(source),
        "ceiling_at": "$$NOW",
    }
    db.rate_limits.update_one({"_id": limiter}, [{"$set": fields}], upsert=True)


def ceiling(db: Db, limiter: str, *, younger_than: float) -> tuple[float, int] | None:
    """The ceiling that was remembered in the last so many seconds, with how many at once; None without one."""
    fresh = {"$gte": ["$ceiling_at", {"$subtract": ["$$NOW", int(younger_than * 1000)]}]}
    row = db.rate_limits.find_one({"_id": limiter, "ceiling": {"$gt": 0}, "$expr": fresh})
    return None if row is None else (float(row["ceiling"]), int(row.get("at_once") or 0))


def states(db: Db) -> list[LimitState]:
    """Every limit scope: how fast it is asked, what it refused, whether it takes requests right now.

    Of a key that nobody uses any more nobody knows whether it would be answered.
    """
    is_asked = {"$gt": ["$tat", {"$subtract": [NOW_MS, ASKED_LATELY * 1000]}]}
    facts = {
        "blocked": {"$max": [0, {"$subtract": ["$blocked_until", "$$NOW"]}]},
        "silent": {"$cond": [is_asked, {"$subtract": ["$$NOW", "$closed_since"]}, None]},
        "rate": {"$cond": [{"$gt": ["$ceiling", 0]}, {"$multiply": [SAFETY, _rate("$ceiling")]}, None]},
    }
    rows = db.rate_limits.aggregate([{"$match": {"_id": {"$gt": ""}}}, {"$set": facts}])
    return [
        LimitState(
            scope=row["_id"].partition(":")[2] or row["_id"],
            rate=row.get("rate"),
            source=row.get("ceiling_source"),
            refused=row.get("limited", 0),
            blocked_for=(row.get("blocked") or 0) / 1000,
            silent_for=None if row.get("silent") is None else row["silent"] / 1000,
            reason=row.get("closed_reason"),
        )
        for row in rows
    ]


@dataclass(frozen=True, slots=True)
class SwitchedOff:
    address_id: str
    channel: str
    campaign_id: str
    receiver: str
    reason: str
    off_since: datetime
    is_reported: bool


def switch_off(db: Db, off: SwitchedOff) -> None:
    """Disable an address; the first reason stays."""
    fields = asdict(off)
    del fields["address_id"]
    db.channels.update_one({"_id": off.address_id}, {"$setOnInsert": {"tat": 0.0}}, upsert=True)
    db.channels.update_one({"_id": off.address_id, "off_since": None}, {"$set": fields})


def switched_off(db: Db) -> dict[str, SwitchedOff]:
    rows = db.channels.find({"off_since": {"$gt": LONG_AGO}}).sort("off_since", 1)
    return {row["_id"]: value_of(SwitchedOff, row, address_id=row["_id"]) for row in rows}


def claim_report(db: Db, address_id: str, *, lease: float) -> bool:
    """Whether this process may report that an address is disabled: nobody did, and nobody else is about to."""
    free = {"$or": [{"reporting_until": None}, {"$expr": {"$lte": ["$reporting_until", NOW_MS]}}]}
    claimed = db.channels.update_one(
        {"_id": address_id, "is_reported": False, **free},
        [{"$set": {"reporting_until": {"$add": [NOW_MS, lease * 1000]}}}],
    )
    return claimed.modified_count == 1


def note_reported(db: Db, address_id: str, *, is_reported: bool) -> None:
    """Whether it could be reported that an address is disabled; else the next run tries again."""
    fields = {"is_reported": is_reported, "reporting_until": None}
    db.channels.update_one({"_id": address_id}, {"$set": fields})


def switch_on(db: Db, address_ids: Iterable[str]) -> None:
    """Let messages go to these addresses again, at once."""
    db.channels.delete_many({"_id": {"$in": list(address_ids)}})


Item = TypeVar("Item")
Answer = TypeVar("Answer")


class GroupCommit(Generic[Item, Answer]):
    """Calls `serve`, in a thread of its own, with the items of everybody who calls at the same time, at most `limit`.

    `serve` returns an answer for each item, in order. When it fails for a group, each item is tried alone,
    so that one bad item fails its own caller only; what is served must bear being served twice.
    """

    def __init__(self, serve: Callable[[Sequence[Item]], Sequence[Answer]], *, limit: int = 64) -> None:
        self._serve, self._limit = serve, limit
        self._waiting: deque[tuple[Item, Future[Answer]]] = deque()
        self._server = ThreadPoolExecutor(1, "group-commit")

    def __call__(self, item: Item) -> Answer:
        """The answer for this item; raises what `serve` raised for it."""
        answer: Future[Answer] = Future()
        self._waiting.append((item, answer))
        self._server.submit(self._serve_next)
        return answer.result()

    def _serve_next(self) -> None:
        group = [self._waiting.popleft() for _ in range(min(self._limit, len(self._waiting)))]
        if group:  # a call before may have served it
            self._answer(group)

    def _answer(self, group: Sequence[tuple[Item, Future[Answer]]]) -> None:
        try:
            answers = list(zip(group, self._serve([item for item, _ in group]), strict=True))
        except BaseException as error:  # a kill in tests included: whoever waits must hear of it
            if len(group) > 1 and _concerns_one_item(error):
                for one in group:
                    self._answer([one])
            else:
                for _, waiting in group:
                    waiting.set_exception(error)
            return
        for (_, waiting), answer in answers:
            waiting.set_result(answer)


def _concerns_one_item(error: BaseException) -> bool:
    """Whether it may be one item's fault: neither the database's nor the end of the process."""
    fault = translate_error(error)
    is_outage = isinstance(fault, StoreError) and not fault.ends_run
    return isinstance(error, Exception) and not is_outage
