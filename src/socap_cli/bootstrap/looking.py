"""What decides when tweets are looked at, from the settings."""

from __future__ import annotations

from datetime import timedelta
from functools import cache

from socap_cli.bootstrap.built import Bootstrap
from socap_cli.client.looks import LookPolicy, look_prices
from socap_cli.model.cadence import Cadence, Limits, LookPrices
from socap_cli.store import Db


def look_policy(built: Bootstrap, db: Db) -> LookPolicy:
    """What decides when tweets are looked at."""
    wanted = built.settings.collection
    shortest, longest = timedelta(minutes=wanted.shortest_minutes), timedelta(hours=wanted.longest_hours)
    limits = Limits(shortest, longest, wanted.hour_worth)

    def prices() -> LookPrices:
        from socap_cli.bootstrap.collecting import open_provider  # HTTP, only where a campaign is adaptive

        with open_provider(built, needs_key=False) as provider:
            return look_prices(db, provider)

    return LookPolicy(Cadence(wanted.cadence), limits, built.settings.budget, cache(prices))
