"""Apply what changed in the index or in the rules to what is collected already."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from socap_cli.model.engagement import Engagement, Importance
from socap_cli.model.important import fold_handle
from socap_cli.model.labels import LabelRules, categorize, organisations_of
from socap_cli.store import Db, importance, rescoring
from socap_cli.store.importance import ImportanceCollections
from socap_cli.store.rescoring import Rescored, Scope

OVERLAP = timedelta(minutes=10)
"""Changes are looked for from so long before the last time: other hosts' clocks wrote them."""
MOST_ACCOUNTS = 2000
"""From more changed accounts on all engagements are rescored, which is one pass over them."""
SAMPLES = 20
EVERYTHING = Scope()


@dataclass
class RescoreResult:
    """What a rescoring did, or would do."""

    engagements: int = 0
    """How many were looked at."""
    changed: int = 0
    higher: int = 0
    """How many the alerts consider again."""
    recategorized: int = 0
    samples: list[tuple[str, float | None, float | None]] = field(default_factory=list)
    """(handle, score before, score after) of the first that changed."""


def rescore(
    db: Db,
    names: ImportanceCollections,
    rules: LabelRules,
    *,
    scope: Scope = EVERYTHING,
    dry_run: bool = False,
    progress: Callable[[int], None] = lambda _: None,
) -> RescoreResult:
    """Score and categorize engagements anew. Repeating it changes nothing."""
    result = RescoreResult()
    for batch in rescoring.read(db, scope):
        scores = importance.look_up(db, names, [one.profile for one in batch])
        changes = [
            change
            for one in batch
            if (change := _change(one, scores[one.profile.user_id], rules, result)) is not None
        ]
        if not dry_run:
            rescoring.write(db, changes)
        result.engagements += len(batch)
        result.changed += len(changes)
        result.higher += sum(change.is_higher for change in changes)
        progress(result.engagements)
    return result


def catch_up(db: Db, names: ImportanceCollections, rules: LabelRules, *, now: datetime) -> RescoreResult:
    """Rescore what changed since the last time: entries by their `updated_at`, removed accounts, the rules.

    The first time there is nothing to compare with and everything is rescored.
    """
    state = rescoring.state(db)
    mark = fingerprint(rules)
    if state.index_until is None or state.rules != mark:
        result = rescore(db, names, rules)
    else:
        changed = list(importance.entries(db, names, since=state.index_until - OVERLAP))
        ids = {entry.user_id for entry in changed if entry.user_id} | set(state.removed)
        handles = {fold_handle(entry.username) for entry in changed if entry.username} | set(state.removed)
        if not ids and not handles:
            result = RescoreResult()
        else:
            few = len(ids | handles) <= MOST_ACCOUNTS
            result = rescore(db, names, rules, scope=Scope(ids, handles) if few else EVERYTHING)
    rescoring.note_done(db, state, index_until=now, rules=mark)
    return result


def fingerprint(rules: LabelRules) -> str:
    """A short text that differs whenever the rules do."""
    return hashlib.sha256(repr(rules).encode()).hexdigest()[:16]


def _change(one: Engagement, score: Importance, rules: LabelRules, result: RescoreResult) -> Rescored | None:
    """What is different of an engagement now; None when nothing is."""
    labels = categorize(one.profile, rules), organisations_of(one.profile, rules)
    if (one.importance, one.categories, one.organisations) == (score, *labels):
        return None
    before, after = one.importance.score, score.score
    if before != after and len(result.samples) < SAMPLES:
        result.samples.append((one.profile.username, before, after))
    result.recategorized += (one.categories, one.organisations) != labels
    is_higher = (after or 0.0) > (before or 0.0)
    return Rescored(one.engagement_id, score, *labels, is_higher=is_higher)
