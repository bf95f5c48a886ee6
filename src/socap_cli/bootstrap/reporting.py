"""What reports are made of, from the settings."""

from __future__ import annotations

from pathlib import Path
from zoneinfo import ZoneInfo

from socap_cli.bootstrap.built import Bootstrap
from socap_cli.report.brand import brand_of
from socap_cli.report.gather import Wanted
from socap_cli.report.page import Brand
from socap_cli.report.values import Edition


def report_wanted(built: Bootstrap, edition: Edition) -> Wanted:
    """What a report is to hold, for whom."""
    settings = built.settings
    zone = ZoneInfo(settings.report.timezone)
    return Wanted(edition, settings.report.rows, zone, built.importance(), settings.provider.usd_per_credit)


def report_brand(built: Bootstrap) -> Brand:
    """Whose reports these are; the logo's file is relative to the configuration. Raises ConfigError."""
    wanted = built.settings.report
    folder = built.settings.file.parent if built.settings.file else Path()
    logo = folder / wanted.logo.expanduser() if wanted.logo else None
    return brand_of(wanted.model_copy(update={"logo": logo}))
