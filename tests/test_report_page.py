"""The page, gathered and rendered without a server: what it says, what it never says, and that text is only text."""

from __future__ import annotations

import json
import random
import re
import statistics
from dataclasses import replace
from datetime import UTC, timedelta
from html import escape
from pathlib import Path
from typing import Any

import pytest
from support.documents import BRAND, SLUG, START, Documents, options, plain_campaign, reasons
from support.pages import grown, read_page

from socap_cli.errors import ConfigError
from socap_cli.model.campaign import CampaignStatus, TweetCategory
from socap_cli.model.kinds import LISTS, REPLIES, Kind
from socap_cli.model.list_state import Coverage
from socap_cli.report import words
from socap_cli.report.analytics import DAY, Pace
from socap_cli.report.mail import compose
from socap_cli.report.page import (
    FIELDS,
    attention,
    bar_chart,
    brand_of,
    campaign_page,
    document,
    index_page,
    page_data,
    script_json,
    summary,
)
from socap_cli.report.publish import Site, publish
from socap_cli.report.values import Brand, CampaignReport, Edition
from socap_cli.settings import ReportSettings
from socap_cli.simulator.world import World
from socap_cli.store import campaigns, page_sums
from socap_cli.text import json_text

ATTACK = '"><script>alert(1)</script><img src=x onerror=alert(1)>'
HOSTILE = {
    "markup": ATTACK,
    "the end of a script": "</script><!--<script>",
    "a template": "{{ 7*7 }}{% raw %}",
    "fifty letters": "W" * 50,
    "right to left": "\u0645\u0647\u0646\u062f\u0633 \u0628\u0631\u0645\u062c\u064a\u0627\u062a",
    "emoji": "👩‍👩‍👧‍👦🏳️‍🌈" * 8,
    "ten thousand characters": "a" * 10_000,
    "a formula": '=HYPERLINK("https://evil.invalid")',
    "line separators": "one\u2028two\u2029three",
    "nothing": "",
}


def small(status: CampaignStatus = CampaignStatus.ACTIVE) -> Documents:
    """Two tweets read three times within an hour, and four engagements of three people."""
    one = Documents(
        campaign=plain_campaign(status=status, vips=("secretvip",), client_email="boss@client.example")
    )
    one.tweet("11", posted_at=START - timedelta(hours=2))
    one.tweet("12", TweetCategory.INFLUENCER, posted_at=START + timedelta(minutes=20))
    for tweet in ("11", "12"):
        for minutes in (0, 30):
            one.read(tweet, minutes, retweets=1, replies=0, quotes=0, likes=10, views=1000, bookmarks=1)
        one.read(tweet, 60, retweets=2, replies=1, quotes=0, likes=20, views=2000, bookmarks=2)
    one.engage("11", user=71, backfill=True, **reasons(("ada", 8), ("bob", 7)))
    one.engage("11", "reply", user=71, minutes=30, **reasons(("ada", 8), ("bob", 7)))
    one.engage("12", user=72, minutes=40, categories=["founders"])
    one.engage("12", "reply", user=73, minutes=50, importance_score=None)
    one.db.alert_history.insert_one(
        {
            "_id": "d1",
            "alert_id": "a1",
            "campaign_id": SLUG,
            "channel": "slack",
            "status": "sent",
            "sent_at": START,
        }
    )
    one.db.alert_history.insert_one(
        {
            "_id": "d2",
            "alert_id": "a1",
            "campaign_id": SLUG,
            "channel": "email",
            "status": "sent",
            "sent_at": START,
        }
    )
    return one


def page(report: CampaignReport, brand: Brand = BRAND) -> str:
    return campaign_page(report, brand, UTC)


def test_the_figures_of_a_small_campaign() -> None:
    found = read_page(page(small().report(Edition.OPERATOR))).figures
    names = ("important", "engagements", "engagements-new", "views", "all-likes")
    assert {name: found[name] for name in names} == {
        "important": "1", "engagements": "4", "engagements-new": "2", "views": "4,000", "all-likes": "40",
    }  # fmt: skip
    assert found["rate"] == "1.25%"
    assert (found["collected-retweet"], found["collected-reply"], found["collected-quote"]) == ("2", "2", "0")
    assert (found["client-views"], found["influencer-views"]) == ("2,000", "2,000")
    assert found["alerts"] == "1"


@pytest.mark.parametrize("edition", list(Edition))
def test_a_campaign_without_tweets_says_so_and_nothing_else(edition: Edition) -> None:
    text = read_page(page(Documents().report(edition))).text
    assert "No tweets in this campaign yet." in text
    for untrue in ("every cycle", "One reading", "None since", "%", "socap enqueue"):
        assert untrue not in text


def test_a_campaign_that_was_never_read_claims_neither_coverage_nor_gaps() -> None:
    one = Documents()
    one.tweet("11")
    client, operator = (read_page(page(one.report(edition))).text for edition in Edition)
    assert "No data yet." in client
    assert "gap" not in client
    assert "socap" not in client
    assert "socap enqueue" in operator


def test_a_campaign_that_starts_later_says_when_and_names_its_author() -> None:
    one = Documents(campaign=plain_campaign(starts_at=START + timedelta(days=1)))
    one.tweet("11", author_username=None, url="https://x.com/maker/status/11")
    found = read_page(page(one.report(Edition.OPERATOR)))
    assert "No data yet. First check: 3 Mar 2026, 12:00 UTC." in found.text
    assert "@maker" in found.text
    assert "socap enqueue" not in found.text


def test_a_first_reading_has_totals_and_no_change() -> None:
    one = Documents()
    one.tweet("11")
    one.tweet("12", TweetCategory.INVESTOR)
    one.read("11", 0, retweets=1, replies=0, quotes=0, likes=5, views=100, bookmarks=0)
    one.engage("11", backfill=True)
    found = read_page(page(one.report()))
    assert found.figures["views"] == "100"
    assert "engagements-new" not in found.figures
    assert "1 engagement from 1 person so far" in found.text
    assert "the chart starts with the second" in found.text
    assert (found.figures["client-views"], found.figures["investor-views"]) == ("100", "–")


def test_the_first_sentence_sets_what_came_beside_what_came_before() -> None:
    text = read_page(page(small().report())).text
    assert "2 new engagements in the last 30 min, 2 times as many as the 30 min before" in text
    assert "4 in all from 3 people, 1 of them important." in text


def test_a_finished_campaign_is_told_as_a_whole() -> None:
    one = grown(48, 3, 60, half=6, status=CampaignStatus.COMPLETED, ends_at=START + timedelta(days=2),
                completed_at=START + timedelta(days=2))  # fmt: skip
    report = one.report()
    edition = compose(report, BRAND, UTC)
    above = read_page(page(report)).text.split("Data quality")[0]
    for text in (above, read_page(edition.html).text, edition.text):
        assert re.search(r"60 engagements from 60 people in 2 days, \d+ of them important", text)
        assert "in the last" not in text
        assert "fewer" not in text
    assert "24 h" not in edition.html + edition.text
    assert edition.subject == "Launch week: final report"


def mailed(long: str = "") -> tuple[Documents, str, str]:
    """A campaign of five important people and five tweets, its mail as HTML and text."""
    one = Documents(
        campaign=plain_campaign(name=f"\u0625\u0637\u0644\u0627\u0642{long}", client_name=f"Labs{long}")
    )
    for n in range(5):
        tweet = one.tweet(
            f"{11 + n}", author_username=f"maker{n}{long}", text=f"Tweet {n}, \u4f60\u597d{long}"
        )
        for minutes in (0, 60):
            one.read(tweet, minutes, retweets=9, replies=9, quotes=0, likes=9, views=9000)
        facts: dict[str, Any] = {
            "name": f"\u0645\u0647\u0646\u062f\u0633 {n}{long}",
            "username": f"vip{n}{long}",
        }
        one.engage(
            tweet, "reply", minutes=30, text=f"Said {n}{long}", **facts, **reasons((f"ada{long}", 20 - n))
        )
    url = f"https://reports.example/x/launch.html{long[:2000]}"
    edition = compose(one.report(), Brand(f"Acme{long}"), UTC, url=url)
    return one, edition.html, edition.text


def test_the_mail_begins_as_the_page_does_with_three_people_three_tweets_and_one_button() -> None:
    one, html, text = mailed()
    report = one.report()
    first = [words.headline(report, UTC), words.details(report), words.completeness(report)]
    for found in (html, text):
        places = [found.index(escape(part) if found is html else part) for part in first]
        assert places == sorted(places)
    assert read_page(page(report)).text.count(first[0]) == 1
    body = html.partition("<body")[2]
    assert re.match(r'[^>]*>\s*<div style="display:none[^"]*">' + re.escape(escape(first[0])), body)
    assert html.count("Open full report") == html.count('class="button"') == 1
    for found in (html, text):
        assert [found.count(f"vip{n})" if found is text else f">@vip{n}<") for n in range(5)] == [
            1,
            1,
            1,
            0,
            0,
        ]
        assert sum(f"Tweet {n}" in found for n in range(5)) == 3
    assert '<html lang="en" dir="ltr">' in html
    for name in ("\u0645\u0647\u0646\u062f\u0633 0", "\u0625\u0637\u0644\u0627\u0642", "Labs", "Acme"):
        assert f"<bdi>{name}</bdi>" in html
    assert len(re.findall(r'dir="auto"[^>]*>(?:Said|Tweet) \d', html)) == 6


def test_each_colour_of_the_mail_has_one_for_dark_mode() -> None:
    html = mailed()[1]
    dark = html.partition("prefers-color-scheme:dark")[2].partition("</style>")[0]
    for tag in re.findall(r'<[^>]*style="[^"]*(?:#[0-9a-f]{6})[^"]*"[^>]*>', html):
        name = re.search(r'class="(\w+)"', tag)
        assert name, tag
        assert f".{name[1]}{{" in dark
        for kind in ("background", "color", "border"):
            if re.search(rf'[";]{kind}(?:-bottom|-top)?:[^;"]*#', tag):
                assert re.search(rf"\.{name[1]}{{[^}}]*{kind}", dark), tag


@pytest.mark.parametrize(
    "long", ["W" * 10_000, "&" * 10_000, "\U0001f468\u200d\U0001f469" * 4000, "\u5a01" * 10_000]
)
def test_no_text_makes_a_mail_that_gmail_would_cut(long: str) -> None:
    assert len(mailed(long)[1].encode()) <= 102_000


def test_only_people_at_the_threshold_are_important() -> None:
    one = small()
    one.engage("12", minutes=45, **reasons(("ada", 9)))
    report = one.report()
    assert [person.latest.user_id for person in report.people] == ["71"]
    nobody = Documents()
    nobody.tweet("11")
    nobody.read("11", 0, retweets=1, replies=0, quotes=0, likes=0, views=0)
    nobody.engage("11", backfill=True, **reasons(("ada", 9)))
    assert "Nobody with a score of 10 or more has engaged yet." in read_page(page(nobody.report())).text


def test_and_so_many_more_is_the_true_number_everywhere() -> None:
    one = small()
    one.engage(
        "12", "reply", minutes=55, **reasons(*((f"p{n}", 9 - n) for n in range(5))), important_followers=40
    )
    report = one.report()
    said = "40 on your list: @p0, @p1, @p2 and 37 more"
    assert said in read_page(page(report)).text
    assert said in compose(report, BRAND, UTC).text
    browse = json.loads(json_text(document(report, UTC)))["browse"]
    place = browse["fields"].index("important_followers")
    assert sorted(row[place] for row in browse["rows"])[-1] == 40


def days_of_a_campaign(days: int, *, every: int = 12) -> Documents:
    """A tweet that was read every so many hours, and a reply a day at noon."""
    one = Documents()
    tweet = one.tweet("100", posted_at=START)
    for hour in range(0, 24 * days + 1, every):
        one.read(tweet, 60 * hour, retweets=hour, replies=0, quotes=0, likes=0, views=hour, bookmarks=0)
    for day in range(days):
        one.engage("100", "reply", minutes=1440 * day)
    return one


def test_hours_of_the_week_are_told_after_two_weeks() -> None:
    assert "by weekday and hour" not in page(days_of_a_campaign(4).report())
    report = days_of_a_campaign(15).report()
    assert report.hours[0][12] == 3
    assert "Engagements by weekday and hour (UTC)" in page(report)


def test_the_chart_ends_at_the_latest_reading_and_adds_up_to_what_was_collected() -> None:
    report = days_of_a_campaign(5).report()
    chart = bar_chart(report, UTC)
    assert chart is not None
    assert (chart.spans[0][0], chart.spans[-1][1]) == (report.first_reading, report.as_of)
    assert chart.baseline + sum(map(sum, chart.counts.values())) == report.collected == 5
    assert "New engagements per hour since" in compose(report, BRAND, UTC).html


def test_two_readings_a_minute_apart_make_charts() -> None:
    one = Documents()
    one.tweet("11")
    one.read("11", 0, retweets=1, replies=0, quotes=0, likes=5, views=100, bookmarks=0)
    one.read("11", 1, retweets=3, replies=0, quotes=0, likes=6, views=120, bookmarks=0)
    one.engage("11", minutes=1)
    html = page(one.report())
    assert html.count('class="plot ') == 4
    assert "1 new in 1 min" in read_page(html).text


def test_a_paused_campaign_says_that_it_is() -> None:
    assert "Monitoring is paused." in read_page(page(small(CampaignStatus.PAUSED).report())).text


def test_a_client_sees_no_cost_no_request_no_alert_no_list_and_no_other_campaign() -> None:
    one = small()
    one.db.api_usage.insert_one(
        {"_id": "u", "day": "2026-03-02", "campaign_id": SLUG, "endpoint": "e", "requests": 8777, "items": 1,
         "cost": 1_709_619.0, "failed": 0}
    )  # fmt: skip
    report = one.report(Edition.CLIENT)
    both = page(report) + json_text(document(report, UTC))
    for word in (
        "8,777", "8777", "1,709,619", "credits", "requests", "alert", "slack", "secretvip", "boss@", "index.html",
        "socap enqueue", "socap work", "operations", "webhook", "vips", "ignores",
    ):  # fmt: skip
        assert word not in both, word
    report = one.report(Edition.OPERATOR)
    text = page(report)
    for word in ("8,777", "1,709,619", "Alerts sent", "index.html"):
        assert word in text, word
    assert json.loads(json_text(document(report, UTC)))["operations"]["requests"] == 8777


@pytest.mark.parametrize("hostile", HOSTILE.values(), ids=HOSTILE)
def test_what_strangers_wrote_is_only_text(hostile: str) -> None:
    one = Documents(campaign=plain_campaign(name=hostile or "Launch", client_name=hostile or None))
    one.tweet("11", text=hostile, author_username=hostile or None)
    one.read("11", 0, retweets=1, replies=1, quotes=0, likes=5, views=100, bookmarks=0)
    one.read("11", 90, retweets=1, replies=1, quotes=0, likes=5, views=100, bookmarks=0)
    one.engage("11", "reply", name=hostile, bio=hostile, text=hostile, username=hostile[:15] or "x",
               **reasons((hostile or "ada", 20)), categories=[hostile or "founders"])  # fmt: skip
    report = one.report(Edition.OPERATOR)
    html = page(report)
    assert html.count("<script") == 2
    assert "<img" not in html
    assert html.count("</script>") == 2
    assert len(html) < 300_000
    data = html.split('id="rows"')[1].split(">", 1)[1].split("</script>")[0]
    assert json.loads(data)["rows"][0][0] == report.rows[0].name
    assert index_page([summary(report)], BRAND, UTC, edition=Edition.OPERATOR).count("<script") == 1


def test_the_data_of_a_page_give_every_row_back() -> None:
    report = small().report()
    found = page_data(report.rows, report.tweets)
    for row, packed in zip(report.rows, found["rows"], strict=True):
        fields = dict(zip(found["fields"], packed, strict=True))
        assert (fields["name"], fields["username"], fields["text"]) == (row.name, row.username, row.text)
        assert found["actions"][fields["action"]] == row.action_type
        assert found["tweets"][fields["tweet"]] == [row.tweet_id, row.tweet_author, row.tweet_category]
        assert [found["labels"][n] for n in fields["labels"]] == list(row.categories)
        assert fields["important_followers"] == row.important_followers
        assert [found["followers"][n] for n in fields["followed_by"]] == [who for who, _ in row.reasons]
    assert "<" not in script_json(ATTACK)


def test_more_than_fits_is_the_most_important_and_the_newest_and_the_rest_is_said() -> None:
    one = Documents()
    one.tweet("11")
    one.read("11", 0, retweets=60, replies=0, quotes=0, likes=0, views=0, bookmarks=0)
    ids = [one.engage("11", minutes=n, importance_score=float(60 - n)) for n in range(60)]
    report = one.report(rows=20)
    kept = {row.engagement_id for row in report.rows}
    assert kept == {*ids[:16], *ids[-4:]}
    text = read_page(page(report)).text
    assert "The 20 most important and newest of 60 engagements." in text


def test_a_retweet_links_to_the_person_once_and_a_reply_to_the_post() -> None:
    links = read_page(page(small().report())).links
    assert "https://x.com/user73/status/9000004" in links
    assert "https://x.com/user71" in links
    assert all(link.startswith(("https://x.com/", "#")) for link in links)


def test_no_request_leaves_the_page_no_id_is_twice_and_the_policy_has_no_exception() -> None:
    html = page(small().report(Edition.OPERATOR))
    assert not re.findall(r"""(?:src|xlink:href|@import|url\()\s*=?\s*["']?https?:""", html)
    assert "<link" not in html
    ids = read_page(html).ids
    assert len(ids) == len(set(ids))
    assert "unsafe" not in html
    assert " style=" not in html


def test_rendering_again_changes_nothing_until_something_changed(tmp_path: Path) -> None:
    one = small()

    def again(edition: Edition = Edition.CLIENT) -> int:
        found = campaigns.listed(one.db)
        return publish(one.db, found, Site(tmp_path, options(edition), BRAND), now=START).unchanged

    assert [again(), again()] == [0, 2]
    one.engage("12", minutes=59)
    assert [again(), again()] == [0, 2]
    one.db.engagement_columns.replace_one(
        {"_id": "11"}, {"changed_at": START - timedelta(days=1)}, upsert=True
    )
    assert again() == 2  # drawn anew, and the same
    campaigns.update(one.db, one.campaign, replace(one.campaign, name="Another name"))
    assert [again(), again()] == [0, 2]
    assert again(Edition.OPERATOR) <= 1
    (tmp_path / f"{SLUG}.html").write_text("damaged")
    assert again(Edition.OPERATOR) == 1
    assert "Another name" in (tmp_path / f"{SLUG}.html").read_text()


def test_a_campaign_whose_page_cannot_be_made_costs_no_other_its_page(tmp_path: Path) -> None:
    one = small()
    campaigns.insert(one.db, plain_campaign("index"))
    campaigns.insert(one.db, plain_campaign("../evil"))
    one.tweet("13")
    done = publish(one.db, campaigns.listed(one.db), Site(tmp_path, options(), BRAND), now=START)
    assert sorted(path.name for path in done.pages) == ["index.html", "launch.html"]
    assert [line.split(":")[0] for line in done.left_out] == ["../evil", "index"]
    assert "Launch week" in (tmp_path / "example-labs" / "index.html").read_text()


def test_the_index_shows_first_what_needs_attention_and_what_was_kept_beside_an_unchanged_page(
    tmp_path: Path,
) -> None:
    one = small()
    campaigns.insert(one.db, plain_campaign("second", name="Second", status=CampaignStatus.COMPLETED))
    campaigns.insert(one.db, plain_campaign("third", name="Third"))
    site = Site(tmp_path, options(Edition.OPERATOR), BRAND)
    for _ in range(2):
        publish(one.db, campaigns.listed(one.db), site, now=START)
    found = read_page((tmp_path / "index.html").read_text())
    assert found.links == ["#main", "third.html", "launch.html", "second.html"]
    for said in ("not read yet", "2 in 30 min 2 times as many as the 30 min before", "completed"):
        assert said in found.text


@pytest.mark.parametrize(
    ("status", "facts", "pace", "expected"),
    [
        ("active", {"as_of": None, "has_started": True}, None, (0, "not read yet")),
        ("active", {"as_of": None, "has_started": False}, None, (3, "")),
        ("active", {"coverage": (Coverage(REPLIES, 10, 8),)}, None, (1, "incomplete")),
        ("active", {}, Pace(1, DAY, 10, DAY), (2, "slowing")),
        ("active", {}, Pace(9, DAY, 10, DAY), (3, "")),
        ("paused", {}, None, (4, "")),
        ("completed", {"coverage": ()}, None, (5, "")),
    ],
)
def test_what_needs_attention(
    status: str, facts: dict[str, Any], pace: Pace | None, expected: tuple[int, str]
) -> None:
    report = small(CampaignStatus(status)).report()
    engagements = replace(report.figures["engagements"], pace=pace)
    report = replace(
        report, figures={**report.figures, "engagements": engagements}, **{"coverage": (), **facts}
    )
    assert attention(report) == expected


def test_a_list_above_its_counter_does_not_hide_what_another_lacks() -> None:
    one = small()
    one.read("11", 90, retweets=100, replies=0, quotes=0, likes=20, views=2000, bookmarks=2)
    one.read("12", 90, retweets=0, replies=0, quotes=0, likes=20, views=2000, bookmarks=2)
    one.db.worker_state.update_one({"_id": "11"}, {"$set": {"retweets.collected": 50}})
    one.db.worker_state.update_one({"_id": "12"}, {"$set": {"retweets.collected": 50}})
    assert one.report().covered == 0.5


@pytest.mark.parametrize("is_public", [False, True])
def test_a_folder_that_a_client_opens_names_no_other_client(tmp_path: Path, is_public: bool) -> None:
    one = small()
    campaigns.insert(one.db, plain_campaign("rival", name="Rival Launch", client_name="Rival Inc"))
    campaigns.insert(one.db, plain_campaign("nobody", name="Nobody's", client_name=None))
    site = Site(tmp_path, options(), BRAND, is_public)
    done = publish(one.db, campaigns.listed(one.db), site, now=START)
    assert publish(one.db, campaigns.listed(one.db), site, now=START).pages == done.pages
    folders = {path.parent for path in done.pages}
    assert len(folders) == 3
    assert not (tmp_path / "index.html").exists()
    mine = next(folder for folder in folders if folder.name.startswith("example-labs"))
    assert sorted(path.name for path in mine.iterdir()) == ["index.html", "launch.html", "launch.json"]
    assert not any("Rival" in path.read_text() or "Nobody" in path.read_text() for path in mine.iterdir())
    assert len(mine.name.removeprefix("example-labs")) == (17 if is_public else 0)


def test_names_that_look_alike_never_share_a_folder(tmp_path: Path) -> None:
    one = small()
    others = [
        ("a", "Example-Labs"),
        ("b", "Example_Labs"),
        ("example-labs", None),
        ("zebra", None),
        ("z", "Zebra"),
    ]
    for slug, client in others:
        campaigns.insert(one.db, plain_campaign(slug, client_name=client))
    for is_public in (False, True):
        done = publish(
            one.db, campaigns.listed(one.db), Site(tmp_path, options(), BRAND, is_public), now=START
        )
        assert len({path.parent for path in done.pages}) == 1 + len(others)


@pytest.mark.parametrize("is_public", [False, True])
def test_the_page_of_a_client_that_was_corrected_is_removed(tmp_path: Path, is_public: bool) -> None:
    one = small()
    wrong = plain_campaign("other", client_name="Wrong Client")
    campaigns.insert(one.db, wrong)
    site = Site(tmp_path, options(), BRAND, is_public)
    before = publish(one.db, [wrong], site, now=START).pages[0]
    right = replace(wrong, client_name="Right Client")
    after = publish(one.db, [right], site, now=START).pages[0]
    assert (before.exists(), before.parent.exists(), after.exists()) == (False, False, True)


def test_a_logo_becomes_part_of_the_page(tmp_path: Path) -> None:
    logo = tmp_path / "logo.png"
    logo.write_bytes(b"\x89PNG\r\n\x1a\n" + b"0" * 100)
    brand = brand_of(ReportSettings(title="Acme", logo=logo, accent="#ffff00"))
    html = page(small().report(), brand)
    assert 'src="data:image/png;base64,' in html
    assert 'alt="Acme"' in html


@pytest.mark.parametrize("content", [b"", b"<html>", b"MZ", b"\x89PNG\r\n\x1a\n" + b"0" * 300_000])
def test_what_is_no_picture_for_a_page_is_refused(content: bytes, tmp_path: Path) -> None:
    logo = tmp_path / "logo"
    logo.write_bytes(content)
    with pytest.raises(ConfigError, match="logo"):
        brand_of(ReportSettings(logo=logo))
    with pytest.raises(ConfigError, match="not a file"):
        brand_of(ReportSettings(logo=tmp_path))


def test_cached_columns_are_completed_by_what_is_new_and_dropped_when_scores_change() -> None:
    one = small()
    ids = ["11", "12"]

    def people() -> list[int]:
        return sorted(page_sums.read(one.db, ids, now=START).user.tolist())

    assert people() == [71, 71, 72, 73]
    assert one.db.engagement_columns.count_documents({"rows": {"$exists": True}}) == 4
    one.engage("12", user=99)
    assert people() == [71, 71, 72, 73, 99]
    one.db.engagements.update_many({"user_id": "71"}, {"$set": {"removed_at": START}})
    one.db.worker_state.update_one(
        {"_id": "11"}, {"$inc": {"retweets.epoch": 1, "replies.epoch": 1}, "$set": {"replies.collected": 0}}
    )
    assert people() == [72, 73, 99]
    one.db.engagements.update_one({"user_id": "99"}, {"$set": {"importance_score": 50.0}})
    one.db.engagement_columns.replace_one({"_id": "12"}, {"changed_at": START}, upsert=True)
    assert 50.0 in page_sums.read(one.db, ids, now=START).score


def test_a_page_of_300_tweets_with_long_texts_stays_under_500_kb_without_its_rows() -> None:
    one = Documents()
    for n in range(300):
        tweet = one.tweet(f"{1_900_000_000_000_000_000 + n}", text="A long text. " * 25, posted_at=START)
        for minutes in (0, 600):
            one.read(tweet, minutes, retweets=900 + n, replies=90, quotes=9, likes=9000, views=1_000_000)
    for n in range(400):
        tweet = f"{1_900_000_000_000_000_000 + n % 300}"
        words: dict[str, Any] = {
            "bio": "b" * 160,
            "text": "Well said. " * 28,
            "name": "N" * 50,
            "categories": ["founders"],
        }
        one.engage(tweet, "reply", minutes=n, **words, **reasons(("a" * 15, 9), ("b" * 15, 8), ("c" * 15, 7)))
    html = page(one.report(Edition.OPERATOR))
    before, _, rest = html.partition('type="application/json"')
    assert len((before + rest.partition("</script>")[2]).encode()) < 500_000


@pytest.mark.parametrize("kinds", [tuple(LISTS), (REPLIES,)])
def test_a_page_of_5000_rows_of_real_length_stays_under_1200_kb(kinds: tuple[Kind, ...]) -> None:
    one, world = Documents(), World(start=START, tweets=100, engagements=250.0)
    scores = {row["followed_user_id"]: row["followed_by"] for row in world.following_index}
    for tweet in world.tweets.values():
        one.tweet(tweet.tweet_id, tweet.category, author_username=tweet.author.username, text=tweet.text)
    parts = [
        (tweet, kind, item) for tweet in world.tweets.values() for kind in kinds for item in tweet.lists[kind].items
    ]  # fmt: skip
    one.number = 1_990_000_000_000_000_000
    for tweet, kind, item in random.Random(7).sample(parts, 5000):
        who, followers = item.account, scores.get(item.account.user_id, ())
        one.engage(
            tweet.tweet_id, LISTS[kind].action_type, user=int(who.user_id), username=who.username, name=who.name,
            bio=who.bio, followers=who.followers, text=item.text or None, categories=["founders", "vcs"],
            **reasons(*((row["username"], row["weight"]) for row in followers)),
        )  # fmt: skip
    report = one.report(Edition.OPERATOR)
    assert len(report.rows) == 5000
    assert statistics.mean(len(row.text) for row in report.rows if row.text) > 150
    assert 900_000 < len(page(report).encode()) < 1_200_000
    shown = [row[FIELDS.index("text")] for row in page_data(report.rows, report.tweets)["rows"]]
    assert all(
        row.text.startswith(text.removesuffix("…")) for row, text in zip(report.rows, shown, strict=True)
    )
