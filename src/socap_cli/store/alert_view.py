"""Looking at what was told: alerts and their deliveries. Nothing here changes one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from socap_cli.model import DeliveryStatus
from socap_cli.store.connect import Db


@dataclass(frozen=True, slots=True)
class AlertsTold:
    """A campaign's alerts as they went out."""

    alerts: int = 0
    """Alerts of which at least one delivery arrived."""
    deliveries: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """Deliveries by channel and state."""
    times: tuple[datetime, ...] = ()
    """When each alert arrived first."""


def told(db: Db, campaign_id: str) -> AlertsTold:
    """What became of a campaign's alerts."""
    first: dict[str, datetime] = {}
    deliveries: dict[str, dict[str, int]] = {}
    wanted = {"alert_id": 1, "channel": 1, "state": 1, "sent_at": 1}
    for row in db.alert_history.find({"campaign_id": campaign_id}, wanted).sort("_id", 1):
        by_state = deliveries.setdefault(row["channel"], {})
        by_state[row["state"]] = by_state.get(row["state"], 0) + 1
        if row["state"] == DeliveryStatus.SENT.value and row.get("sent_at"):
            first[row["alert_id"]] = min(first.get(row["alert_id"], row["sent_at"]), row["sent_at"])
    return AlertsTold(len(first), deliveries, tuple(sorted(first.values())))
