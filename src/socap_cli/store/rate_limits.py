"""One limiter for every process that shares a key: a reservation GCRA for each limit scope, by the database's clock.

A caller reserves the next free moment and sleeps until then by itself. `tat` is the theoretical arrival
time of the generic cell rate algorithm (ITU-T I.371, annex A). The same document says when a scope is
blocked (`blocked_until`: the provider said so) or closed (`closed_since`: it does not answer; then one
request at a time is let through, to find out when it does), and how fast it may be asked: at most at its
ceiling, and below what it refused last (`cut_rate`, `cut_at`), additive increase and multiplicative
decrease (Chiu and Jain, 1989) with a memory of where the limit was met (as in CUBIC: Ha, Rhee and Xu, 2008).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pymongo import ReturnDocument

from socap_cli.model.run import LimitState
from socap_cli.store.connect import Db, literal

SAFETY = 0.96
"""Part of the rate that is used, since sleepers do not wake to the microsecond."""
PROBE_EVERY = 2.0
"""Seconds between two requests to a scope that does not answer."""
RECOVERY = 5.0
"""Seconds after a cut until the rate is back just below the one that was refused."""
BELOW = 0.88
"""That part of it."""
GROWTH, GROWTH_CUBED = 0.0003, 1 / 600**3
"""By which part a second the rate grows after that, slowly at first."""
CUTS_APART_MS = 300
ASKED_LATELY = 3 * 3600.0
"""Seconds for which a scope that did not answer is told of, when nobody asks it again."""
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
    """Why the scope is closed."""


def limiter_id(key: str, scope: str) -> str:
    """Names a key and limit scope without telling the key."""
    return f"{hashlib.sha256(key.encode()).hexdigest()[:8]}:{scope}"


def reserve(db: Db, limiter: str, *, rate: float, max_wait: float, turns: int = 1) -> list[Turn]:
    """Reserve the next turns at once; `rate` is the ceiling in requests a second, 0 sets none.

    A turn further away than `max_wait` seconds is refused, and leaves the limiter as it was.
    """
    row = db.rate_limits.find_one_and_update(
        {"_id": limiter},
        _reservation(rate, int(max_wait * 1000), turns),
        upsert=True,
        return_document=ReturnDocument.AFTER,
    )
    assert row is not None  # it was upserted
    granted, closed, spacing = row["granted"], row["closed"], row["spacing"]
    free_in = (row["wait"] + granted * spacing) / 1000
    refused, reason = row.get("limited", 0), row.get("closed_reason")
    waits = [(row["wait"] + number * spacing) / 1000 for number in range(turns)]
    return [
        Turn(number < granted, wait if number < granted else free_in, closed, refused, reason)
        for number, wait in enumerate(waits)
    ]


def _rate(ceiling: float) -> dict[str, Any]:
    """The rate that holds now, in requests a second."""
    since = {"$divide": [{"$subtract": [NOW_MS, "$cut_at"]}, 1000]}
    plateau = {"$multiply": ["$cut_rate", BELOW]}
    climbed = {"$multiply": [{"$subtract": [plateau, "$cut_to"]}, {"$divide": ["$$t", RECOVERY]}]}
    grown = {"$add": [1, {"$multiply": ["$$t", GROWTH]}, {"$multiply": [{"$pow": ["$$t", 3]}, GROWTH_CUBED]}]}
    recovering = {"$add": ["$cut_to", climbed]}
    after = {"$cond": [{"$lt": ["$$t", RECOVERY]}, recovering, {"$multiply": [plateau, grown]}]}
    limited = {"$let": {"vars": {"t": since}, "in": {"$min": [ceiling, after]}}}
    return {"$cond": [{"$gt": ["$cut_at", None]}, limited, ceiling]}


def _reservation(rate: float, max_wait: int, turns: int) -> list[dict[str, Any]]:
    start = {"$max": [NOW_MS, "$tat", {"$toDouble": {"$toLong": "$blocked_until"}}]}
    left = {"$subtract": [max_wait, "$wait"]}
    within = {"$add": [1, {"$floor": {"$divide": [left, "$interval"]}}]} if rate else turns
    open_turns = {"$cond": [{"$gte": [left, 0]}, {"$min": [turns, within]}, 0]}
    probe = {"$cond": [{"$lte": ["$wait", 0]}, 1, 0]}
    moved = {"$add": ["$start", {"$multiply": ["$granted", "$spacing"]}]}
    first = {
        "start": start,
        "wait": {"$subtract": [start, NOW_MS]},
        "closed": {"$gt": ["$closed_since", None]},
        "interval": {"$divide": [1000 / SAFETY, _rate(rate)]} if rate else 0.0,
    }
    second = {
        "granted": {"$cond": ["$closed", probe, open_turns]},
        "spacing": {"$cond": ["$closed", PROBE_EVERY * 1000, "$interval"]},
    }
    return [
        {"$set": first},
        {"$set": second},
        {"$set": {"tat": {"$cond": [{"$gt": ["$granted", 0]}, moved, "$tat"]}}},
        {"$unset": ["start", "interval"]},
    ]


def cut(db: Db, limiter: str, *, rate: float, factor: float) -> int:
    """The scope refused for its rate: go on at a part of it, and stay below it from then on.

    Refusals of one burst, shortly after each other, cut once. What was reserved is void; returns how often
    the scope has refused by now.
    """
    apart = {"$gte": [{"$subtract": [NOW_MS, {"$ifNull": ["$cut_at", 0]}]}, CUTS_APART_MS]}
    counted = {"limited": {"$add": [{"$ifNull": ["$limited", 0]}, 1]}, "now": _rate(rate), "apart": apart}
    values = {
        "cut_rate": "$now",
        "cut_to": {"$multiply": ["$now", factor]},
        "cut_at": NOW_MS,
        "tat": {"$add": [NOW_MS, {"$divide": [1000 / factor, "$now"]}]},
    }
    lower = {name: {"$cond": ["$apart", value, f"${name}"]} for name, value in values.items()}
    pipeline: list[dict[str, Any]] = [{"$set": counted}, {"$set": lower}, {"$unset": ["now", "apart"]}]
    return _refused(db, limiter, pipeline)


def _refused(db: Db, limiter: str, pipeline: list[dict[str, Any]]) -> int:
    row = db.rate_limits.find_one_and_update(
        {"_id": limiter}, pipeline, upsert=True, return_document=ReturnDocument.AFTER
    )
    return int(row["limited"]) if row else 0


def block(db: Db, limiter: str, seconds: float) -> int:
    """Let nothing through for so many seconds from now, whoever asks; never shortens a block.

    What was reserved is void; returns how often the scope has refused by now.
    """
    until = {"$add": ["$$NOW", int(seconds * 1000)]}
    fields = {
        "blocked_until": {"$max": ["$blocked_until", until]},
        "limited": {"$add": [{"$ifNull": ["$limited", 0]}, 1]},
        "tat": NOW_MS,
    }
    return _refused(db, limiter, [{"$set": fields}])


def close(db: Db, limiter: str, *, reason: str) -> bool:
    """The scope does not answer: from now on only a probe now and then. True when it was open before."""
    fields = {
        "closed_since": {"$ifNull": ["$closed_since", "$$NOW"]},
        "closed_reason": literal(reason),
        "tat": {"$add": [NOW_MS, PROBE_EVERY * 1000]},
    }
    before = db.rate_limits.find_one_and_update(
        {"_id": limiter}, [{"$set": fields}], upsert=True, return_document=ReturnDocument.BEFORE
    )
    return before is None or before.get("closed_since") is None


def reopen(db: Db, limiter: str) -> None:
    """The scope answers again: everything goes on at once."""
    fields = {"closed_since": None, "closed_reason": None, "tat": NOW_MS}
    db.rate_limits.update_one({"_id": limiter, "closed_since": {"$gt": LONG_AGO}}, [{"$set": fields}])


def remember_ceiling(db: Db, limiter: str, *, rate: float, source: str) -> None:
    """Keep what the provider allows, and forget what was refused when that changed."""
    changed = {"$ne": [rate, "$ceiling"]}
    fields = {
        "cut_at": {"$cond": [changed, None, "$cut_at"]},
        "ceiling": rate,
        "ceiling_source": literal(source),
        "ceiling_at": "$$NOW",
    }
    db.rate_limits.update_one({"_id": limiter}, [{"$set": fields}], upsert=True)


def ceiling(db: Db, limiter: str, *, younger_than: float) -> float | None:
    """What was remembered in the last so many seconds; None when nothing was."""
    fresh = {"$gte": ["$ceiling_at", {"$subtract": ["$$NOW", int(younger_than * 1000)]}]}
    row = db.rate_limits.find_one({"_id": limiter, "ceiling": {"$gt": 0}, "$expr": fresh}, {"ceiling": 1})
    return None if row is None else float(row["ceiling"])


def states(db: Db) -> list[LimitState]:
    """Every limit scope: how fast it is asked, what it refused, whether it takes requests right now."""
    milliseconds = {
        "blocked": {"$max": [0, {"$subtract": ["$blocked_until", "$$NOW"]}]},
        "silent": {"$cond": [_asked_lately(), {"$subtract": ["$$NOW", "$closed_since"]}, None]},
        "rate": {"$cond": [{"$gt": ["$ceiling", 0]}, {"$multiply": [SAFETY, _rate_now()]}, None]},
    }
    rows = db.rate_limits.aggregate([{"$match": {"_id": {"$gt": ""}}}, {"$set": milliseconds}])
    return [_state(row) for row in rows]


def _asked_lately() -> dict[str, Any]:
    """Whether anybody asked there; of a key that is no longer used nobody knows whether it would be answered."""
    return {"$gt": ["$tat", {"$subtract": [NOW_MS, ASKED_LATELY * 1000]}]}


def _rate_now() -> dict[str, Any]:
    return _rate("$ceiling")  # type: ignore[arg-type]  # an expression serves as well


def _state(row: dict[str, Any]) -> LimitState:
    silent = row.get("silent")
    return LimitState(
        scope=row["_id"].partition(":")[2] or row["_id"],
        rate=row.get("rate"),
        source=row.get("ceiling_source"),
        refused=row.get("limited", 0),
        blocked_for=(row.get("blocked") or 0) / 1000,
        silent_for=None if silent is None else silent / 1000,
        reason=row.get("closed_reason"),
    )
