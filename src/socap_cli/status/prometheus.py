"""The state of the program for Prometheus's textfile collector: a file that its node exporter reads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime

from socap_cli.errors import UsageError
from socap_cli.model.engagement import Delay
from socap_cli.status import Status, Trouble

Sample = tuple[Mapping[str, str], float]


def exposition(found: Status, told: tuple[Trouble, ...], *, now: datetime) -> bytes:
    """The metrics as text. Raises UsageError without the extra that writes them."""
    try:
        from prometheus_client import CollectorRegistry, Gauge, generate_latest
    except ImportError:
        raise UsageError(
            "metrics need the package prometheus-client", hint="pip install 'socap[prometheus]'"
        ) from None
    registry = CollectorRegistry()
    for name, (meaning, samples) in metrics(found, told, now=now).items():
        rows = list(samples)
        labels = sorted({label for row, _ in rows for label in row})
        gauge = Gauge(name, meaning, labels, registry=registry)
        for row, value in rows:
            (gauge.labels(**row) if labels else gauge).set(value)
    return generate_latest(registry)


def metrics(
    found: Status, told: tuple[Trouble, ...], *, now: datetime
) -> dict[str, tuple[str, Iterator[Sample]]]:
    """Each metric with its meaning and its samples."""
    return {
        "socap_written_timestamp_seconds": ("When this was written.", _plain(now.timestamp())),
        "socap_campaigns_active": ("Campaigns that are collected.", _plain(found.campaigns_active)),
        "socap_tweets": ("Tweets that are watched.", _plain(found.tweets)),
        "socap_jobs": ("Jobs by kind and status.", _jobs(found)),
        "socap_lag_seconds": ("How long the next job has waited.", _plain(found.lag_seconds)),
        "socap_counted": ("What the counters of the tweets say.", _coverage(found, "counter")),
        "socap_collected": ("What was collected of it.", _coverage(found, "collected")),
        "socap_last_run_timestamp_seconds": ("When a command ran last.", _runs(found)),
        "socap_deliveries": ("Deliveries of alerts by status.", _named("status", found.alerts.deliveries)),
        "socap_provider_silent_seconds": ("For how long a provider has not answered.", _silent(found)),
        "socap_spent_today_credits": ("Credits since midnight UTC.", _plain(found.spent_today)),
        "socap_found_after_seconds": (
            "Delay between a reply or quote and its detection.",
            _delay(found.detection.stored),
        ),
        "socap_told_after_seconds": (
            "Delay between a reply or quote and its alert.",
            _delay(found.detection.told),
        ),
        "socap_troubles": ("Problems that socap status reports, by state.", _troubles(told)),
    }


def _plain(value: float) -> Iterator[Sample]:
    yield {}, float(value)


def _named(label: str, values: Mapping[str, float]) -> Iterator[Sample]:
    for name, value in values.items():
        yield {label: name}, float(value)


def _jobs(found: Status) -> Iterator[Sample]:
    for kind, counts in found.jobs.items():
        for status, count in counts.items():
            yield {"kind": str(kind), "status": status}, float(count)


def _coverage(found: Status, field: str) -> Iterator[Sample]:
    return _named("kind", {str(kind): getattr(row, field) for kind, row in found.coverage.items()})


def _runs(found: Status) -> Iterator[Sample]:
    return _named("command", {name: run.started_at.timestamp() for name, run in found.last_runs.items()})


def _silent(found: Status) -> Iterator[Sample]:
    return _named("scope", {one.scope: one.silent_for or 0.0 for one in found.limits})


def _delay(found: Delay | None) -> Iterator[Sample]:
    return _named("quantile", {"0.5": found.median, "0.9": found.ninety} if found else {})


def _troubles(told: tuple[Trouble, ...]) -> Iterator[Sample]:
    for state in ("warn", "fail"):
        yield {"state": state}, float(sum(one.state == state for one in told))
