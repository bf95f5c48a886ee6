"""What a page is made of, as a short text: equal texts make equal pages, so that nothing is rendered twice."""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable

from socap_cli import __version__
from socap_cli.model.campaign import Campaign
from socap_cli.report.gather import Wanted
from socap_cli.report.page import Brand
from socap_cli.report.values import Edition
from socap_cli.store import Db, alert_view, campaigns, list_marks, usage, worker_state


def data_version(db: Db, campaign: Campaign, wanted: Wanted, brand: Brand, *, now: datetime) -> str:
    """Differs whenever the campaign, its tweets, a reading, an engagement, a score, or what only the operator sees did.

    It asks for counts and times only, never for the engagements themselves. While somebody may be writing
    engagements it differs each time.
    """
    tweets = campaigns.tweets_of(db, campaign.slug)
    ids = [tweet.tweet_id for tweet in tweets]
    lists = list_marks.marks(db, ids, now=now)
    parts: list[object] = [
        __version__,
        _own_files(),
        campaign,
        tweets,
        worker_state.load(db, ids),
        lists,
        brand,
        (wanted.edition, wanted.rows, str(wanted.zone), wanted.firm),
    ]
    if wanted.edition is Edition.OPERATOR:
        parts += [
            alert_view.told(db, campaign.slug),
            usage.of_campaign(db, campaign.slug),
            wanted.usd_per_credit,
            (wanted.policy.default, wanted.policy.limits, wanted.policy.budget),
        ]
    if not all(one.is_settled for one in lists.values()):
        parts.append(secrets.token_hex(8))
    return hashlib.sha256(repr(parts).encode("utf-8", "replace")).hexdigest()[:32]


@cache
def _own_files() -> str:
    """The templates, since a change of them changes every page."""
    digest = hashlib.sha256()
    for text in sorted(_texts(resources.files("socap_cli.report") / "templates")):
        digest.update(text)
    return digest.hexdigest()


def _texts(folder: Traversable) -> list[bytes]:
    found: list[bytes] = []
    for entry in folder.iterdir():
        found += [entry.read_bytes()] if entry.is_file() else _texts(entry)
    return found
