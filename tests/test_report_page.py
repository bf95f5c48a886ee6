"""The page, gathered and rendered without a server: what it says, what it never says, and that text is only text."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import UTC, timedelta
from pathlib import Path
from typing import Any

import pytest
from support.documents import BRAND, SLUG, START, Documents, plain_campaign, reasons, wanted
from support.pages import read_page

from socap_cli.errors import ConfigError
from socap_cli.model.campaign import CampaignStatus, TweetCategory
from socap_cli.report.mail import compose
from socap_cli.report.page import (
    Brand,
    brand_of,
    campaign_page,
    document,
    drawing,
    index_page,
    island,
    script_json,
)
from socap_cli.report.publish import Site, publish
from socap_cli.report.tweets import summary
from socap_cli.report.values import CampaignReport, Edition
from socap_cli.settings import Report
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
    """Two tweets read twice, an hour apart, and four engagements of three people."""
    one = Documents(
        campaign=plain_campaign(status=status, vips=("secretvip",), client_email="boss@client.example")
    )
    one.tweet("11", posted_at=START - timedelta(hours=2))
    one.tweet("12", TweetCategory.INFLUENCER, posted_at=START + timedelta(minutes=20))
    for tweet in ("11", "12"):
        one.read(tweet, 0, retweets=1, replies=0, quotes=0, likes=10, views=1000, bookmarks=1)
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
    names = ("people", "people-change", "important", "engagements", "views", "likes")
    assert {name: found[name] for name in names} == {
        "people": "3", "people-change": "+2", "important": "1", "engagements": "4", "views": "4,000", "likes": "40",
    }  # fmt: skip
    assert found["rate"] == "1.25 %"
    assert (found["collected-retweet"], found["collected-reply"], found["collected-quote"]) == ("2", "2", "0")
    assert (found["client-views"], found["influencer-views"], found["all-views"]) == (
        "2,000",
        "2,000",
        "4,000",
    )
    assert found["alerts"] == "1"


@pytest.mark.parametrize("edition", list(Edition))
def test_a_campaign_without_tweets_says_so_and_nothing_else(edition: Edition) -> None:
    text = read_page(page(Documents().report(edition))).text
    assert "There are no tweets in this campaign yet." in text
    for untrue in ("every cycle", "One reading", "None since", "% ", "socap enqueue"):
        assert untrue not in text


def test_a_campaign_that_was_never_read_claims_neither_coverage_nor_gaps() -> None:
    one = Documents()
    one.tweet("11")
    client, operator = (read_page(page(one.report(edition))).text for edition in Edition)
    assert "Nothing has been read yet" in client
    assert "nothing is known: neither coverage nor gaps" in client
    assert "socap" not in client
    assert "socap enqueue" in operator


def test_a_first_reading_has_totals_and_no_change() -> None:
    one = Documents()
    one.tweet("11")
    one.read("11", 0, retweets=1, replies=0, quotes=0, likes=5, views=100, bookmarks=0)
    one.engage("11", backfill=True)
    found = read_page(page(one.report()))
    assert found.figures["likes"] == "5"
    assert "likes-change" not in found.figures
    assert "This is the first reading" in found.text
    assert "One reading so far" in found.text


def test_a_first_reading_speaks_of_no_growth_and_of_no_counter_that_nobody_read() -> None:
    one = Documents()
    one.tweet("11")
    one.tweet("12", TweetCategory.INVESTOR)
    one.read("11", 0, retweets=1, replies=0, quotes=0, likes=5, views=100, bookmarks=0)
    found = read_page(page(one.report()))
    assert "Growth since the first reading" not in found.text
    assert (found.figures["client-views"], found.figures["client-quotes"]) == ("100", "0")
    assert (found.figures["investor-views"], found.figures["investor-quotes"]) == ("–", "–")


def test_who_is_new_is_said_apart_from_who_came_again() -> None:
    assert "1 important person engaged, nobody new in the last 1 h" in read_page(page(small().report())).text
    one = small()
    one.engage("12", "quote", minutes=55, **reasons(("ada", 20)))
    said = "2 important people engaged, 1 of them for the first time in the last 1 h"
    assert said in read_page(page(one.report())).text


def days_of_a_campaign(days: int, tweets: int, *, every: int = 12) -> Documents:
    """Tweets posted an hour after another, read every so many hours, and a reply a day at noon."""
    one = Documents()
    for n in range(tweets):
        tweet = one.tweet(str(100 + n), list(TweetCategory)[n % 3], posted_at=START + timedelta(hours=n))
        for hour in range(0, 24 * days + 1, every):
            one.read(tweet, 60 * hour, retweets=hour, replies=0, quotes=0, likes=0, views=hour, bookmarks=0)
    for day in range(days):
        one.engage("100", "reply", minutes=1440 * day)
    return one


def test_an_hour_of_the_week_that_has_not_come_is_told_from_one_in_which_nobody_reacted() -> None:
    html = page(days_of_a_campaign(4, 1).report())
    cells = re.findall(r'<i class="h(\w)"></i>', html.split('class="heat"')[1].split("</div>")[0])
    assert len(cells) == 168
    assert (cells.count("5"), cells.count("0"), cells.count("x")) == (4, 97 - 4, 168 - 97)
    assert "not in the campaign yet" in html
    assert ">–</td>" in html.split("Replies and quotes by weekday and hour</caption>")[1]


def test_days_are_told_as_days_and_what_is_left_out_of_a_chart_is_said() -> None:
    text = read_page(page(days_of_a_campaign(5, 6).report())).text
    assert "06 Mar +" in text
    assert "above by day or hour, below in all" in text
    assert "the last 72" not in text
    assert "marks of the tweets that lead" not in text
    assert (
        "by hour: marks of the tweets that lead" in read_page(page(days_of_a_campaign(5, 70).report())).text
    )
    hourly = read_page(page(days_of_a_campaign(4, 1, every=1).report())).text
    assert "The numbers by hour, the last 72" in hourly


def test_the_chart_of_a_mail_says_what_its_columns_and_its_marks_are() -> None:
    html = compose(days_of_a_campaign(5, 2).report(), BRAND, UTC).html
    assert "Growth since the first reading: above by day, below in all." in html
    assert "Marks are tweets posted: ▼ client, ▽ influencer." in html


def test_marks_of_two_categories_do_not_stand_on_each_other() -> None:
    report = days_of_a_campaign(5, 6).report()
    posts = drawing(report, timedelta(days=1), UTC).posts
    assert len(posts) == len({moment for moment, _ in posts}) == 3


def test_two_readings_a_minute_apart_make_charts() -> None:
    one = Documents()
    one.tweet("11")
    one.read("11", 0, retweets=1, replies=0, quotes=0, likes=5, views=100, bookmarks=0)
    one.read("11", 1, retweets=3, replies=0, quotes=0, likes=6, views=120, bookmarks=0)
    html = page(one.report())
    assert html.count('class="plot ') == 3
    assert read_page(html).figures["likes-change"] == "+1"
    assert "in 1 min" in read_page(html).text


def test_a_paused_campaign_says_that_it_is() -> None:
    assert "Monitoring is paused." in read_page(page(small(CampaignStatus.PAUSED).report())).text


def test_a_client_sees_no_cost_no_request_no_alert_no_list_and_no_other_campaign() -> None:
    one = small()
    one.db.api_usage.insert_one(
        {"_id": "u", "day": "2026-03-02", "campaign_id": SLUG, "endpoint": "e", "requests": 8777, "items": 1,
         "cost": 1_709_619.0, "failed": 0}
    )  # fmt: skip
    report = one.report(Edition.CLIENT)
    both = page(report) + json_text(document(report))
    for word in (
        "8,777", "8777", "1,709,619", "credits", "requests", "alert", "slack", "secretvip", "boss@", "index.html",
        "socap enqueue", "socap work", "operations", "webhook", "vips", "ignores",
    ):  # fmt: skip
        assert word not in both, word
    report = one.report(Edition.OPERATOR)
    text = page(report)
    for word in ("8,777", "1,709,619", "Alerts told", "index.html"):
        assert word in text, word
    assert json.loads(json_text(document(report)))["operations"]["requests"] == 8777


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


def test_the_island_gives_every_row_back() -> None:
    report = small().report()
    found = island(report.rows, report.tweets)
    for row, packed in zip(report.rows, found["rows"], strict=True):
        fields = dict(zip(found["fields"], packed, strict=True))
        assert (fields["name"], fields["username"], fields["text"]) == (row.name, row.username, row.text)
        assert found["actions"][fields["action"]] == row.action_type
        assert found["tweets"][fields["tweet"]] == [row.tweet_id, row.tweet_author, row.tweet_category]
        assert [found["labels"][n] for n in fields["labels"]] == list(row.categories)
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
    assert "The 20 most important and newest of 60; 40 are left out here." in text


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
        return publish(one.db, found, Site(tmp_path, wanted(edition), BRAND), now=START).unchanged

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
    done = publish(one.db, campaigns.listed(one.db), Site(tmp_path, wanted(), BRAND), now=START)
    assert sorted(path.name for path in done.pages) == ["index.html", "launch.html"]
    assert [line.split(":")[0] for line in done.left_out] == ["../evil", "index"]
    assert "Launch week" in (tmp_path / "index.html").read_text()


def test_the_index_groups_by_status_and_shows_what_was_kept_beside_an_unchanged_page(tmp_path: Path) -> None:
    one = small()
    campaigns.insert(one.db, plain_campaign("second", name="Second", status=CampaignStatus.COMPLETED))
    for _ in range(2):
        publish(one.db, campaigns.listed(one.db), Site(tmp_path, wanted(), BRAND), now=START)
    found = read_page((tmp_path / "index.html").read_text())
    assert found.links == ["#main", "launch.html", "second.html"]
    assert "Active 1" in found.text
    assert "Completed 1" in found.text
    assert "not read yet" in found.text
    assert "day 1 of 7" in found.text


def test_a_logo_becomes_part_of_the_page(tmp_path: Path) -> None:
    logo = tmp_path / "logo.png"
    logo.write_bytes(b"\x89PNG\r\n\x1a\n" + b"0" * 100)
    brand = brand_of(Report(title="Acme", logo=logo, accent="#ffff00"))
    html = page(small().report(), brand)
    assert 'src="data:image/png;base64,' in html
    assert 'alt="Acme"' in html


@pytest.mark.parametrize("content", [b"", b"<html>", b"MZ", b"\x89PNG\r\n\x1a\n" + b"0" * 300_000])
def test_what_is_no_picture_for_a_page_is_refused(content: bytes, tmp_path: Path) -> None:
    logo = tmp_path / "logo"
    logo.write_bytes(content)
    with pytest.raises(ConfigError, match="logo"):
        brand_of(Report(logo=logo))
    with pytest.raises(ConfigError, match="no file"):
        brand_of(Report(logo=tmp_path))


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
