"""Exports of engagements and people."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from support.values import NOW, TWEET, engagement, profile

from socap_cli.report.export import PEOPLE_COLUMNS, people_rows, write_csv


def test_an_export_of_people_has_one_row_for_each(tmp_path: Path) -> None:
    other = profile("bob", user_id="8", name="=1+1")
    late, early = NOW - timedelta(minutes=1), NOW - timedelta(hours=3)
    found = [
        engagement(),
        engagement(action_type="quote", tweet_id="2", first_seen_at=early),
        engagement(action_type="quote", tweet_id="2", source_id="78", first_seen_at=late),
        engagement(profile=other),
    ]
    ada, bob = people_rows(found)
    assert (ada["engagements"], ada["actions"], ada["tweets"]) == (3, ["reply", "quote"], [TWEET, "2"])
    assert (ada["first_seen_at"], ada["importance_reasons"]) == (early, ["@boss (12.5)"])
    assert (bob["username"], bob["engagements"], bob["url"]) == ("bob", 1, "https://x.com/bob")
    with (tmp_path / "people.csv").open("wb") as stream:
        assert write_csv([ada, bob], PEOPLE_COLUMNS, stream) == 2
    assert "'=1+1" in (tmp_path / "people.csv").read_text("utf-8-sig")
