"""Sums over a campaign's engagements, kept until one of them changes. Whoever computed them last is kept."""

from __future__ import annotations

from socap_cli.store.connect import Db


def find(db: Db, slug: str, key: str) -> bytes | None:
    """What was kept under a key that names everything it was made of; None when that is not so any more."""
    row = db.report_sums.find_one({"_id": slug, "key": key})
    return bytes(row["content"]) if row else None


def keep(db: Db, slug: str, key: str, content: bytes) -> None:
    """Keep a campaign's sums in the place of what was there."""
    db.report_sums.replace_one({"_id": slug}, {"key": key, "content": content}, upsert=True)
