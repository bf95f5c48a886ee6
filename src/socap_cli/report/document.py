"""The same numbers as JSON, for programs. Pure."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from socap_cli.model.campaign import public_campaign
from socap_cli.report.island import island
from socap_cli.report.story import day_of, story
from socap_cli.report.values import CampaignReport, Edition

CLIENT_FIELDS = ("slug", "name", "status", "starts_at", "ends_at", "completed_at", "client_name", "threshold")
"""What a client may read of a campaign: no list, no address, no channel of the agency."""
ELSEWHERE = frozenset({"campaign", "series", "rows"})
OPERATORS = frozenset({"operations", "alert_times"})


def document(report: CampaignReport) -> dict[str, Any]:
    """Every figure of the page by name; what only the operator sees is left out for a client."""
    is_client = report.edition is Edition.CLIENT
    hidden = ELSEWHERE | OPERATORS if is_client else ELSEWHERE
    found = {entry.name: getattr(report, entry.name) for entry in fields(report) if entry.name not in hidden}
    facts = public_campaign(report.campaign)
    series = {
        name: [{"at": at, **values} for at, values in points]
        for name, points in (("totals", report.series.totals), ("growth", report.series.growth))
    }
    return {
        "campaign": {name: facts[name] for name in CLIENT_FIELDS} if is_client else facts,
        "story": story(report),
        "day": day_of(report),
        "collected": report.collected,
        "counted": report.counted,
        **found,
        "series": series,
        "browse": island(report.rows, report.tweets),
    }
