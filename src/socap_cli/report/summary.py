"""A campaign in a line, for the page of all campaigns. Pure."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from socap_cli.json_text import iso
from socap_cli.report.analytics import list_total
from socap_cli.report.series import Point, thin
from socap_cli.report.story import day_of
from socap_cli.report.values import CampaignReport

POINTS = 40


def summary(report: CampaignReport) -> dict[str, Any]:
    """Plain values only: it is read again from the JSON beside a page that did not change."""
    important, views = report.figures["important"], report.figures["views"]
    growth = report.series.growth
    counted = report.counted
    return {
        "slug": report.campaign.slug,
        "name": report.campaign.name,
        "client_name": report.campaign.client_name,
        "status": report.campaign.status.value,
        "day": day_of(report),
        "people": report.figures["people"].value,
        "important": important.value,
        "important_24h": important.change.absolute if important.change else 0,
        "engagements": report.collected,
        "views": views.value,
        "coverage": min(sum(row.collected for row in report.coverage) / counted, 1.0) if counted else None,
        "as_of": iso(report.as_of) if report.as_of else None,
        "curve": list(report.figures["engagements"].curve),
        "aged": _aged(growth),
        "age": _age(report, growth).total_seconds(),
    }


def _aged(growth: tuple[Point, ...]) -> list[int]:
    """Growth of engagements since the first reading."""
    return [list_total(values) for _, values in thin(growth, POINTS)] if len(growth) > 1 else []


def _age(report: CampaignReport, growth: tuple[Point, ...]) -> timedelta:
    return growth[-1][0] - report.campaign.starts_at if growth else timedelta()
