"""What a full pass did not find any more is marked as taken back, where that is plausible."""

from __future__ import annotations

from socap_cli.model.list_state import ListState, Pass, StoredCounts
from socap_cli.store import engagements
from socap_cli.work import delta
from socap_cli.work.context import WorkContext


def mark_removed(context: WorkContext, state: ListState, current: Pass, counts: StoredCounts) -> int:
    """Mark what a proven full pass did not see; return how many. What is too old to be shown is left as it is."""
    unseen = counts.unseen(before=current.scan)
    if not unseen:
        return 0
    now, db = context.now(), context.db
    reach = context.client.provider.reaches_back(state.kind)
    since = now - reach if reach else None
    if since:
        unseen = engagements.count_unseen(db, state.tweet_id, state.kind, before=current.scan, since=since)
    if not delta.vanishing_is_plausible(
        stored=counts.present, unseen=unseen, counter=current.counter, deficit=state.full_deficit
    ):
        return 0
    return engagements.mark_removed(db, state.tweet_id, state.kind, before=current.scan, now=now, since=since)
