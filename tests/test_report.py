"""The report: right numbers, harmless text, a page that a real browser opens."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.lab import SLUG, Lab, change

from socap_cli.model import REPLIES, Snapshot, counter_names
from socap_cli.report.analytics import floor, growth_between, intervals, sum_series, thin, ticks
from socap_cli.report.charts import short_number
from socap_cli.report.edition import compose
from socap_cli.report.gather import CampaignReport, gather
from socap_cli.report.render import render
from socap_cli.store import campaigns

START = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
ATTACK = '"><script>alert(1)</script><img src=x onerror=alert(1)>'


def shot(tweet: str, minutes: int, **counters: int) -> Snapshot:
    return Snapshot(tweet, START + timedelta(minutes=minutes), {**counters})


def test_a_tweet_that_joins_late_adds_to_totals_but_not_to_growth() -> None:
    series = sum_series([shot("a", 0, likes=10), shot("a", 30, likes=15), shot("b", 30, likes=500)])
    assert [point["likes"] for _, point in series.totals] == [10, 515]
    assert [point["likes"] for _, point in series.growth] == [0, 5]


def test_an_unknown_counter_keeps_its_last_value_and_a_fall_is_data() -> None:
    series = sum_series([shot("a", 0, likes=10), shot("a", 30), shot("a", 60, likes=7)])
    assert [point["likes"] for _, point in series.totals] == [10, 10, 7]
    assert series.growth[-1][1]["likes"] == -3


def test_intervals_add_up_to_the_growth() -> None:
    series = sum_series([shot("a", minutes, likes=minutes * 2) for minutes in range(0, 300, 30)])
    hours = intervals(series, "hour")
    assert sum(interval.growth["likes"] for interval in hours) == series.growth[-1][1]["likes"] == 540
    assert [interval.growth["likes"] for interval in hours[:2]] == [60, 120]


counts = st.integers(0, 10**6)
shots = st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 600), counts), max_size=40)


@given(shots)
def test_the_last_total_is_the_sum_of_last_values(rows: list[tuple[str, int, int]]) -> None:
    series = sum_series([shot(tweet, minutes, likes=likes) for tweet, minutes, likes in dict_rows(rows)])
    last = {tweet: likes for tweet, _, likes in sorted(dict_rows(rows), key=lambda row: row[1])}
    assert (series.totals[-1][1]["likes"] if series.totals else 0) == sum(last.values())
    firsts: dict[str, int] = {}
    for tweet, _, likes in sorted(dict_rows(rows), key=lambda row: row[1]):
        firsts.setdefault(tweet, likes)
    assert (series.growth[-1][1]["likes"] if series.growth else 0) == sum(last.values()) - sum(
        firsts.values()
    )


def dict_rows(rows: list[tuple[str, int, int]]) -> list[tuple[str, int, int]]:
    return [(tweet, minutes, likes) for (tweet, minutes), likes in {(r[0], r[1]): r[2] for r in rows}.items()]


def test_growth_of_a_day_is_since_the_last_reading_before_it() -> None:
    series = sum_series([shot("a", minutes, likes=minutes) for minutes in (0, 60, 120, 180)])
    assert growth_between(series, START + timedelta(minutes=90))["likes"] == 120
    assert growth_between(sum_series([]), START) == dict.fromkeys(counter_names(), 0)


@given(st.integers(1, 60 * 24 * 400), st.integers(2, 12))
def test_ticks_are_round_few_and_within(minutes: int, most: int) -> None:
    found = ticks(START, START + timedelta(minutes=minutes), most)
    assert len(found) <= most
    assert all(START <= moment <= START + timedelta(minutes=minutes) for moment in found)


@given(st.integers(2, 3000), st.integers(2, 500))
def test_thinning_keeps_the_last_point(size: int, most: int) -> None:
    points = [(START + timedelta(minutes=n), {"likes": n}) for n in range(size)]
    kept = thin(points, most)
    assert kept[-1] == points[-1]
    assert len(kept) <= most + 1


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (999, "999"),
        (1000, "1k"),
        (1250, "1.2k"),
        (99_960, "100.0k"),
        (123_456, "123k"),
        (2_500_000, "2.5M"),
    ],
)
def test_numbers_are_short(value: int, text: str) -> None:
    assert short_number(value) == text


def test_a_moment_falls_into_its_step() -> None:
    assert floor(START + timedelta(minutes=59), timedelta(hours=1)) == START


@pytest.fixture
def report(lab: Callable[..., Lab]) -> tuple[Lab, CampaignReport]:
    one = lab(tweets=4, engagements=12.0)
    who = one.world.accounts[0]
    who.name, who.bio = ATTACK, ATTACK
    item = one.world.engage(one.tweet_ids[0], REPLIES, one.now(), account=who)
    item.text = ATTACK
    one.db.following_index.insert_one(
        {
            "followed_user_id": who.user_id,
            "followed_by": [{"username": ATTACK, "weight": 9}],
            "importance_score": 99,
        }
    )
    for _ in range(3):
        one.cycle()
        one.advance(minutes=30)
    change(one.db, SLUG, slack_webhook="https://hooks.slack.com/services/hush", name=ATTACK)
    campaign = campaigns.find(one.db, SLUG)
    assert campaign is not None
    return one, gather(one.db, campaign, top=50)


def test_the_numbers_are_the_databases(report: tuple[Lab, CampaignReport], tmp_path: Path) -> None:
    one, gathered = report
    assert sum(gathered.engagements.values()) == len(one.stored())
    assert sum(row.engagements for row in gathered.tweet_categories) == len(one.stored())
    assert sum(row.collected for row in gathered.coverage) == len(one.stored())
    render([gathered], tmp_path, usd_per_credit=0.00001)
    numbers = json.loads((tmp_path / f"{SLUG}.json").read_text())
    assert numbers["engagements"] == gathered.engagements
    assert numbers["totals"] == gathered.totals


def test_what_strangers_wrote_is_only_text_and_secrets_stay_out(
    report: tuple[Lab, CampaignReport], tmp_path: Path
) -> None:
    render([report[1]], tmp_path, usd_per_credit=0.00001)
    for path in tmp_path.glob("*.*"):
        text = path.read_text(encoding="utf-8")
        assert "hush" not in text
        if path.suffix == ".html":
            assert ATTACK not in text
            assert "<img src=x" not in text


def test_no_request_leaves_the_page(report: tuple[Lab, CampaignReport], tmp_path: Path) -> None:
    render([report[1]], tmp_path, usd_per_credit=0.00001)
    for path in tmp_path.glob("*.html"):
        text = path.read_text(encoding="utf-8")
        assert not re.findall(r"""(?:src|xlink:href|@import|url\()\s*=?\s*["']?https?:""", text)
        assert not re.findall(r"<link\b", text)


def test_rendering_again_changes_no_byte(report: tuple[Lab, CampaignReport], tmp_path: Path) -> None:
    assert render([report[1]], tmp_path, usd_per_credit=0.00001).unchanged == 0
    assert render([report[1]], tmp_path, usd_per_credit=0.00001).unchanged == 2


def test_an_empty_campaign_has_a_page_too(lab: Callable[..., Lab], tmp_path: Path) -> None:
    one = lab(tweets=1)
    campaign = campaigns.find(one.db, SLUG)
    assert campaign is not None
    render([gather(one.db, campaign, top=5)], tmp_path, usd_per_credit=0.00001)
    assert "Nothing was read yet" in (tmp_path / f"{SLUG}.html").read_text()


def test_the_mail_edition_is_small_and_carries_its_chart(report: tuple[Lab, CampaignReport]) -> None:
    gathered = replace(report[1], top=report[1].top * 3)
    mail = message_from_bytes(
        compose(gathered, sender="a@b.example", receiver="c@d.example", now=START).as_bytes()
    )
    parts = {part.get_content_type(): part for part in mail.walk()}
    assert {"text/plain", "text/html", "image/png"} <= set(parts)
    html = parts["text/html"].get_payload(decode=True)
    assert isinstance(html, bytes)
    assert len(html) < 90_000
    assert b"cid:growth@b.example" in html
    assert b"<script" not in html
    assert parts["image/png"]["Content-ID"] == "<growth@b.example>"


CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@pytest.mark.skipif(CHROMIUM is None, reason="needs a Chromium on the PATH")
def test_a_real_browser_opens_the_page_from_its_file(
    report: tuple[Lab, CampaignReport], tmp_path: Path
) -> None:
    """Scripts run, nothing is refused by the page's own policy, no stranger's script among them."""
    assert CHROMIUM is not None
    render([report[1]], tmp_path, usd_per_credit=0.00001)
    page = (tmp_path / f"{SLUG}.html").resolve().as_uri()
    options = [
        "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
        "--disable-background-networking", "--disable-component-update", "--disable-sync", "--enable-logging=stderr",
        f"--user-data-dir={tmp_path / 'profile'}", "--virtual-time-budget=2000", "--dump-dom", page,
    ]  # fmt: skip
    done = subprocess.run([CHROMIUM, *options], capture_output=True, text=True, timeout=120, check=False)
    assert 'class="js"' in done.stdout  # the page's own script ran
    assert "<button" in done.stdout
    assert "&lt;script&gt;alert(1)" in done.stdout
    consoled = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    assert consoled == []
