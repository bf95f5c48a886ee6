"""What became of messages, written to the rows of their alerts."""

from __future__ import annotations

from collections.abc import Sequence

from socap_cli.alerts.context import AlertContext
from socap_cli.store import Db, alert_history, alert_outcomes, alert_queue


def record_outcomes(context: AlertContext, message_id: str | None = None) -> None:
    """Write what became of a message to the rows of its alerts; without one, of all that a killed run left."""
    for ended_id, settlement, settled_at in alert_outcomes.unrecorded(context.db, message_id):
        alert_ids = alert_history.record(context.db, ended_id, settlement, now=settled_at)
        write_statuses(context.db, alert_ids)
        alert_outcomes.note_recorded(context.db, ended_id, settled_at=settled_at)


def write_statuses(db: Db, alert_ids: Sequence[str]) -> None:
    """Write to these alerts what their rows say.

    Read again after writing: another thread may have written a row in between, and its status before ours.
    """
    written = None
    while (statuses := alert_history.statuses_of(db, alert_ids)) != written:
        alert_queue.set_statuses(db, statuses)
        written = statuses
