"""Plan, make messages, send: each step can die and be repeated without losing or doubling an alert."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from socap_cli.alerts.context import AlertContext
from socap_cli.alerts.deliver import Sender, report_dead
from socap_cli.alerts.pipeline import PlanResult, dispatch, plan_alerts, record_outcomes
from socap_cli.alerts.rules import MOST_REPEATS
from socap_cli.errors import LockHeld
from socap_cli.store import alert_messages, connect

LOCK = "alerts plan"
"""Held while alerts are planned and put into messages: moments, whatever the channels do."""
LOCK_LEASE = 20.0
ANOTHER_PLANS = "another run is planning; what it plans is sent by it, or by the next run"


@dataclass(frozen=True, slots=True)
class SendResult:
    """`planned` and `held` are alerts; the others are messages, one a receiver."""

    planned: int
    sent: int
    held: int
    failed: int
    dead: int
    unknown: int
    warnings: tuple[str, ...] = ()


def send_alerts(context: AlertContext, *, campaign_id: str | None = None) -> SendResult:
    """Plan what is owed and send what is due, of all campaigns or of one. Several may run at once.

    Raises what concerns all of it, the database above all; nothing is lost by that.
    """
    planned, held = PlanResult(), 0
    warnings: list[str] = []
    record_outcomes(context)
    try:
        with planning(context):
            planned, _ = plan_alerts(context)
            done = dispatch(context, campaign_id=campaign_id)
            held = len(done.holds)
            warnings += [*planned.warnings, *done.warnings]
    except LockHeld:
        warnings.append(ANOTHER_PLANS)
    alert_messages.expire(
        context.db,
        now=context.now(),
        resend_unknown=context.settings.resend_unknown,
        most_repeats=MOST_REPEATS,
    )
    record_outcomes(context)
    sent = Sender(context, campaign_id=campaign_id).run()
    warnings += [*sent.warnings, *report_dead(context)]
    counts = {name: sent.counts[name] for name in ("sent", "failed", "dead", "unknown")}
    return SendResult(planned=planned.planned, held=held, warnings=tuple(dict.fromkeys(warnings)), **counts)


@contextmanager
def planning(context: AlertContext) -> Iterator[None]:
    """Hold the lock, waiting for it for a while. Raises LockHeld."""
    until = time.monotonic() + context.lock_patience
    while True:
        try:
            with connect.held(context.db, LOCK, lease=LOCK_LEASE):
                yield
                return
        except LockHeld:
            if time.monotonic() > until:
                raise
            time.sleep(0.05)
