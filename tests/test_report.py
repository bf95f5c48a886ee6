"""The report over a real database and a simulated world: every figure of the page is the truth's."""

from __future__ import annotations

import csv
import io
import json
import re
import zipfile
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.message import Message
from pathlib import Path
from typing import Any

import pytest
from support.documents import BRAND, options
from support.lab import SLUG, START, Lab, campaign, change
from support.pages import PageReader, read_page
from support.terminal import Cli

from socap_cli.importance import default_rules
from socap_cli.model.account import Profile
from socap_cli.model.campaign import CampaignStatus
from socap_cli.model.engagement import categorize
from socap_cli.model.kinds import LISTS, RETWEETS
from socap_cli.report.gather import gather
from socap_cli.report.mail import as_zip, compose
from socap_cli.report.page import campaign_page
from socap_cli.report.publish import Site, publish
from socap_cli.report.values import CampaignReport, Edition
from socap_cli.simulator.server import Mailbox
from socap_cli.simulator.world import SimulatedAccount
from socap_cli.store import campaigns, page_sums

COUNTERS = (*LISTS, "likes", "views", "bookmarks")


def report_of(one: Lab, edition: Edition = Edition.OPERATOR) -> CampaignReport:
    found = campaigns.find(one.db, SLUG)
    assert found is not None
    return gather(one.db, found, options(edition), now=one.now())


def page_of(one: Lab) -> PageReader:
    return read_page(campaign_page(report_of(one), BRAND, UTC))


def important_ids(one: Lab) -> set[str]:
    return {row["followed_user_id"] for row in one.world.following_index if row["importance_score"] >= 10}


def true_figures(one: Lab) -> dict[str, str]:
    """What the page should say, from the simulator alone."""
    at = one.now().timestamp()
    tweets = [tweet for tweet in one.world.tweets.values() if tweet.exists_at(at)]
    seen = [
        (tweet, kind, item)
        for tweet in tweets
        for kind in LISTS
        for item in tweet.lists[kind].newest_first(at)
        if not item.nested
    ]
    people = {item.account.user_id for _, _, item in seen}
    totals = {name: sum(tweet.counters(at)[name] for tweet in tweets) for name in COUNTERS}
    interactions = sum(totals[name] for name in COUNTERS if name != "views")
    figures = {
        "important": len(people & important_ids(one)),
        "engagements": len(seen),
        "views": totals["views"],
        "counted": sum(totals[kind] for kind in LISTS),
        **{
            f"collected-{kind.action_type}": sum(k == kind.name for _, k, _ in seen)
            for kind in LISTS.values()
        },
        **{f"all-{name}": totals[name] for name in ("likes", "views")},
    }
    categories = {tweet.category for tweet in tweets}
    for category in categories:
        mine = [tweet for tweet in tweets if tweet.category is category]
        figures[f"{category.short}-engagements"] = sum(other in mine for other, _, _ in seen)
        for name in ("likes", "views"):
            figures[f"{category.short}-{name}"] = sum(tweet.counters(at)[name] for tweet in mine)
    if len(categories) == 1:
        del figures["all-likes"], figures["all-views"]
    rate = {"rate": f"{100 * interactions / totals['views']:.2f}%"} if totals["views"] else {}
    plain = {name: f"{value:,}" for name, value in figures.items()}
    return plain | true_labels(item.account for _, _, item in seen) | rate


def true_labels(accounts: Iterable[SimulatedAccount]) -> dict[str, str]:
    """People by what their profiles say."""
    rules, profiles = default_rules(), {one.user_id: one for one in accounts}
    found = Counter(
        label
        for one in profiles.values()
        for label in categorize(Profile(one.user_id, one.username, one.name, one.bio), rules)
    )
    return {f"label-{label}": f"{count:,}" for label, count in found.items()}


def new_since(one: Lab, begin: datetime) -> dict[str, str]:
    """What each card calls new since a moment at which everything was read, from the simulator alone."""
    at, start = one.now().timestamp(), begin.timestamp()
    now, before, came, views = set[str](), set[str](), 0, 0
    for tweet in one.world.tweets.values():
        for items in tweet.lists.values():
            there = [item for item in items.newest_first(at) if not item.nested]
            first = {item.source_id for item in items.newest_first(start)}
            now |= {item.account.user_id for item in there}
            before |= {item.account.user_id for item in there if item.source_id in first}
            came += sum(item.source_id not in first for item in there)
        views += tweet.counters(at)["views"] - tweet.counters(start)["views"]
    new = now - before
    found = {"engagements": came, "important": len(new & important_ids(one)), "views": views}
    return {f"{name}-new": f"{value:,}" for name, value in found.items()}


def true_operations(one: Lab, removed: int) -> dict[str, str]:
    """What was asked of the provider, and what is gone."""
    asked = {"requests": f"{sum(one.simulator.ledger.requests.values()):,}", "alerts": "0"}
    return asked | ({"removed": f"{removed}"} if removed else {})


def first(one: Lab) -> None:
    one.cycle()


def a_minute_later(one: Lab) -> None:
    one.cycle()
    one.advance(minutes=1)
    one.engage(RETWEETS, 3)
    one.cycle()


def many(one: Lab) -> None:
    for _ in range(4):
        one.cycle()
        one.advance(minutes=30)
    retweets = one.world.tweets[one.tweet_ids[0]].lists[RETWEETS]
    one.withdraw(RETWEETS, next(retweets.newest_first(one.now().timestamp())).source_id)
    one.cycle(verify=True)


def paused(one: Lab) -> None:
    a_minute_later(one)
    change(one.db, SLUG, status=CampaignStatus.PAUSED)


def completed(one: Lab) -> None:
    many(one)
    change(one.db, SLUG, status=CampaignStatus.COMPLETED, ends_at=one.now(), completed_at=one.now())


@pytest.mark.parametrize("state", [first, a_minute_later, many, paused, completed])
def test_every_figure_of_the_page_is_the_truths(
    state: Callable[[Lab], None], lab: Callable[..., Lab]
) -> None:
    one = lab(tweets=5, engagements=14.0, accounts=300)
    one.db.following_index.insert_many([dict(row) for row in one.world.following_index])
    state(one)
    one.assert_exact()
    removed = 1 if state in (many, completed) else 0
    report = report_of(one)
    new = {} if state in (first, completed) else new_since(one, one.now() - report.span)
    assert page_of(one).figures == {**true_figures(one), **new, **true_operations(one, removed)}


def test_two_figures_of_each_section_are_what_a_query_of_the_database_finds(lab: Callable[..., Lab]) -> None:
    one = lab(tweets=5, engagements=14.0, accounts=300)
    one.db.following_index.insert_many([dict(row) for row in one.world.following_index])
    many(one)
    html = campaign_page(report_of(one), BRAND, UTC)
    sections = {
        name: re.split(r"</section>|</details>\n?(?:<details|</main)", html.partition(f'id="{name}"')[2])[0]
        for name in ("over-time", "people", "tweets", "all", "quality", "operations")
    }
    figures = read_page(html).figures
    there = list(one.db.engagements.find({"removed_at": None}))
    states = list(one.db.worker_state.find())
    scores = {row["user_id"]: row["importance_score"] for row in there if row["importance_score"] >= 10}
    spent = list(one.db.api_usage.find({"campaign_id": SLUG}))

    def number_of(kind: str, **facts: Any) -> int:
        return sum(row["action_type"] == kind and all(row[n] == v for n, v in facts.items()) for row in there)

    assert figures["engagements"] == f"{len(there):,}"
    assert figures["views"] == f"{sum(state['counters']['views'] for state in states):,}"
    cells = re.findall(r'<td class="num">(\d+)</td>', sections["over-time"])
    new = [sum(map(int, cells[n::3])) for n in range(3)]
    assert new == [number_of(kind.action_type, backfill=False) for kind in LISTS.values()]
    assert f"{sum(row['backfill'] for row in there)} came earlier" in sections["over-time"]
    shown = [float(score) for score in re.findall(r"score </span>([\d.]+)<", sections["people"])]
    assert shown == sorted(scores.values(), reverse=True)
    assert f'Important people <span class="quiet">{len(scores)}<' in html
    for tweet in one.tweet_ids:
        row = sections["tweets"].partition(f'data-tweet="{tweet}"')[2].partition("</tr>")[0]
        assert f'data-label="Engagements">{sum(e["tweet_id"] == tweet for e in there)}<' in row
        likes = next(state["counters"]["likes"] for state in states if state["_id"] == tweet)
        assert f'data-label="Likes">{likes:,}<' in row
    for action in ("reply", "retweet"):
        assert f'<option value="{action}" data-count="{number_of(action)}">' in sections["all"]
    assert figures["counted"] == f"{sum(state['counters'][kind] for state in states for kind in LISTS):,}"
    assert figures["collected-quote"] == f"{number_of('quote'):,}"
    assert figures["requests"] == f"{round(sum(row['requests'] for row in spent)):,}"
    assert f"{round(sum(row['cost'] for row in spent)):,} credits" in sections["operations"]


@pytest.mark.parametrize("tweets", [0, 2])
def test_a_campaign_that_was_never_read_or_is_empty_has_no_figure(
    lab: Callable[..., Lab], tweets: int
) -> None:
    one = lab(tweets=tweets)
    page = read_page(campaign_page(report_of(one, Edition.CLIENT), BRAND, UTC))
    assert ("No data yet." in page.text) == (tweets > 0)
    assert page.figures == {}


def test_what_is_kept_as_columns_is_what_is_stored_whatever_happens_between(lab: Callable[..., Lab]) -> None:
    one = lab(tweets=3, engagements=10.0)
    for step in range(5):
        one.cycle(verify=step == 3)
        one.advance(minutes=40)
        one.engage(RETWEETS, 2, tweet=step % 3)
        columns = page_sums.read(one.db, one.tweet_ids, now=one.now())
        one.db.engagement_columns.find_one({"_id": f"{one.tweet_ids[0]}:retweet"})
        found = {columns.engagement_id(row) for row in range(len(columns))}
        assert found == {":".join(key) for key in one.stored()}


def test_a_page_is_made_again_when_something_was_read_and_only_then(
    lab: Callable[..., Lab], tmp_path: Path
) -> None:
    one = lab(tweets=2, engagements=8.0)
    one.cycle()

    def again() -> int:
        found = campaigns.listed(one.db)
        return publish(one.db, found, Site(tmp_path, options(), BRAND), now=one.now()).unchanged

    assert [again(), again()] == [0, 2]
    one.advance(minutes=30)
    one.cycle()
    assert [again(), again()] == [0, 2]


def parts_of(mail: Message) -> dict[str, Message]:
    return {part.get_content_type(): part for part in mail.walk()}


def content(part: Message) -> bytes:
    found = part.get_payload(decode=True)
    assert isinstance(found, bytes)
    return found


def test_the_mail_edition_is_small_has_a_title_and_carries_its_chart(lab: Callable[..., Lab]) -> None:
    one = lab(tweets=4, engagements=12.0)
    one.db.following_index.insert_many([dict(row) for row in one.world.following_index])
    many(one)
    report = report_of(one, Edition.CLIENT)
    edition = compose(
        report,
        BRAND,
        UTC,
        url="https://reports.example/x/launch.html",
        attachments=(as_zip("launch", b"<page>"),),
    )
    mail = message_from_bytes(edition.body().as_bytes())
    parts = parts_of(mail)
    assert set(parts) >= {"text/plain", "text/html", "image/png", "application/zip"}
    html = content(parts["text/html"]).decode()
    assert len(html) < 90_000
    assert html.lstrip().startswith("<!doctype html>")
    for expected in (
        'lang="en"',
        "<title>Launch",
        "https://reports.example/x/launch.html",
        f"cid:{parts['image/png']['Content-ID'][1:-1]}",
    ):
        assert expected in html
    assert html.count("Important people") == 2
    assert "New engagements per hour since " in html
    for needed in ("prefers-color-scheme:dark", "Open full report", "<bdi>", 'dir="ltr"', "display:none"):
        assert needed in html
    assert "<script" not in html
    assert 'width="600" style' not in html
    text = content(parts["text/plain"]).decode()
    assert re.search(rf"Engagements +{report.collected:,} \(", text)
    assert "https://reports.example/x/launch.html" in text
    archive = zipfile.ZipFile(io.BytesIO(content(parts["application/zip"])))
    assert archive.read("launch.html") == b"<page>"


def test_a_campaign_without_anything_has_a_mail_too(lab: Callable[..., Lab]) -> None:
    one = lab(tweets=1)
    edition = compose(report_of(one, Edition.CLIENT), BRAND, UTC)
    assert edition.chart == b""
    assert "No data yet." in edition.text


@pytest.fixture
def reported(lab: Callable[..., Lab], cli: Cli, monkeypatch: pytest.MonkeyPatch, mailbox: Mailbox) -> Lab:
    one = lab(tweets=3, engagements=9.0)
    many(one)
    monkeypatch.setenv("SOCAP_ALERT_EMAIL_SMTP", mailbox.url)
    monkeypatch.setenv("SOCAP_ALERTS__EMAIL_FROM", "Reports <reports@agency.example>")
    return one


def test_report_send_mails_the_client_edition(reported: Lab, cli: Cli, mailbox: Mailbox) -> None:
    assert cli("report", "send", SLUG, "--to", "a@x.example", "--to", "b@x.example", "--attach", "zip")["result"] == {
        "sent": 2, "failed": 0, "dry_run": False,
    }  # fmt: skip
    assert len(mailbox.messages) == 2
    for kind in ("zip", "html", "none"):
        cli("report", "send", SLUG, "--to", "a@x.example", "--attach", kind)
    assert len({message["Message-ID"] for message in mailbox.messages}) == 4
    cli("report", "send", SLUG, code=2)
    cli("report", "send", code=2)
    cli("report", "send", SLUG, "--to", "nobody", code=2)


def test_a_completed_campaigns_final_report_is_sent_once(reported: Lab, cli: Cli, mailbox: Mailbox) -> None:
    change(reported.db, SLUG, client_email="client@x.example")
    assert cli("report", "send", "--final")["result"]["sent"] == 0
    change(reported.db, SLUG, status=CampaignStatus.COMPLETED, completed_at=START)
    assert [cli("report", "send", "--final")["result"]["sent"] for _ in range(2)] == [1, 0]
    change(reported.db, SLUG, completed_at=START + timedelta(days=1))
    assert cli("report", "send", "--final")["result"]["sent"] == 1
    assert len(mailbox.messages) == 2


def test_a_final_report_that_could_not_be_sent_is_sent_by_the_next_run(
    reported: Lab, cli: Cli, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    change(reported.db, SLUG, client_email="c@x.example", status=CampaignStatus.COMPLETED, completed_at=START)
    with monkeypatch.context() as elsewhere:
        elsewhere.setenv("SOCAP_ALERT_EMAIL_SMTP", "smtp://127.0.0.1:9")
        cli("report", "send", "--final", code=1)
    assert cli("report", "send", "--final")["result"]["sent"] == 1


def test_metrics_series_tells_all_categories_in_one_output(reported: Lab, cli: Cli, tmp_path: Path) -> None:
    result = cli("metrics", "series", SLUG, "--granularity", "hour")["result"]
    assert set(result["categories"]) == {t.category.short for t in reported.world.tweets.values()}
    last = result["intervals"][-1]["totals"]
    assert last["views"] == sum(part[-1]["totals"]["views"] for part in result["categories"].values())
    out, _ = cli.text("metrics", "series", SLUG, "--granularity", "hour", "--png", str(tmp_path / "x.png"))
    assert "█" in out
    assert all(len(line) <= 80 for line in out.splitlines())
    assert (tmp_path / "x.png").read_bytes().startswith(b"\x89PNG")
    rows = list(csv.DictReader(io.StringIO(cli.text("metrics", "series", SLUG, "--format", "csv")[0])))
    assert {row["tweets"] for row in rows} == {"all", *result["categories"]}
    assert int(rows[0]["views"]) == last["views"]


def test_a_counter_that_nobody_gave_is_unknown_everywhere(reported: Lab, cli: Cli) -> None:
    reported.db.metric_snapshots.update_many({}, {"$unset": {"views": ""}})
    reported.db.worker_state.update_many({}, {"$unset": {"counters.views": ""}})
    words = ("metrics", "series", SLUG)
    last = cli(*words)["result"]["intervals"][-1]
    assert (last["totals"]["views"], last["growth"]["views"]) == (None, None)
    assert last["totals"]["likes"] > 0
    header, *rows = (line.split() for line in cli.text(*words)[0].splitlines()[1:3])
    assert [row[-2] for row in rows] == ["–"] * len(rows)
    assert header[-2] == "views"
    for row in csv.DictReader(io.StringIO(cli.text(*words, "--format", "csv")[0])):
        assert (row["views"], row["views_growth"]) == ("", "")
    assert page_of(reported).figures["all-views"] == "–"


def test_metrics_series_of_a_time_has_the_intervals_that_share_a_moment_with_it(
    reported: Lab, cli: Cli
) -> None:
    since = (START + timedelta(minutes=10)).isoformat()
    until = (START + timedelta(minutes=50)).isoformat()
    words = ("metrics", "series", SLUG, "--from", since)
    assert len(cli(*words, "--granularity", "day")["result"]["intervals"]) == 1
    assert len(cli(*words, "--to", until, "--granularity", "hour")["result"]["intervals"]) == 1
    cli(*words, "--to", since, code=2)


def test_report_compare_sets_campaigns_beside_each_other_at_the_same_age(reported: Lab, cli: Cli) -> None:
    reported.add_campaign(campaign("later", at=reported.now() - timedelta(minutes=60)))
    result = cli("report", "compare", SLUG, "later")["result"]["campaigns"]
    assert [row["slug"] for row in result] == [SLUG, "later"]
    ages = [[at["age_hours"] for at in row["at"]] for row in result]
    assert ages[0] == ages[1]
    assert any(at["growth"] for at in result[0]["at"])
    out, _ = cli.text("report", "compare", SLUG, "later")
    assert "30 min" in out
    cli("report", "compare", SLUG, code=2)
    cli("report", "compare", SLUG, "nope", code=1)


def test_report_render_writes_the_edition_that_is_asked_for(
    reported: Lab, cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = str(tmp_path / "pages")
    cli("report", "render", "--out", out)
    client = tmp_path / "pages" / f"{SLUG}_" / f"{SLUG}.html"
    assert "Operations" not in client.read_text()
    page = tmp_path / "pages" / f"{SLUG}.html"
    cli("report", "render", SLUG, "--out", out, "--edition", "operator")
    assert "Operations" in page.read_text()
    assert json.loads((tmp_path / "pages" / f"{SLUG}.json").read_text())["edition"] == "operator"
    assert "+00:00" not in (tmp_path / "pages" / f"{SLUG}.json").read_text()
    monkeypatch.setenv("SOCAP_REPORT__EDITION", "operator")
    assert cli("report", "render", SLUG, "--out", out)["result"]["unchanged"] == 1
    cli("report", "render", "--edition", "nobody", code=2)
