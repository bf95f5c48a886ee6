"""Erased people are gone, stay away and cost no other engagement; what X deleted and what is old goes when asked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from support.lab import SLUG, START, Lab, campaign
from support.terminal import Cli

from socap_cli.model.alert import Silence
from socap_cli.model.campaign import CampaignStatus
from socap_cli.model.kinds import Kind
from socap_cli.retention import Pruned, erase, prune
from socap_cli.store import Db, alert_queue, campaigns, forgetting, page_sums
from socap_cli.store.importance import ImportanceCollections

FIRM = ImportanceCollections()
RETWEETS, REPLIES = Kind("retweets"), Kind("replies")
MakeLab = Callable[..., Lab]


def somebody(db: Db) -> tuple[str, str]:
    """(id, handle) of one who is stored."""
    row = db.engagements.find_one({}, sort=[("_id", 1)])
    assert row
    return row["user_id"], row["username"]


def traces(db: Db, *words: str) -> list[str]:
    """The collections in which one of these words stands anywhere."""
    return [
        name
        for name in sorted(db.list_collection_names())
        if any(word in repr(row) for word in words for row in db[name].find())
    ]


def test_nothing_of_an_erased_person_is_left_and_nobody_else_loses_anything(
    cli: Cli, db: Db, lab: MakeLab
) -> None:
    one = lab(tweets=3, engagements=20.0)
    db.alert_plans.delete_many({})
    one.cycle()
    user_id, name = somebody(db)
    cli("campaign", "edit", SLUG, "--threshold", "0")
    cli("alerts", "send")
    page_sums.read(db, one.tweet_ids, now=one.now())
    until = one.now() + timedelta(days=1)
    alert_queue.put_silence(db, Silence("s", until, one.now(), "ops", username=name.upper()))
    others = db.engagements.count_documents({"user_id": {"$ne": user_id}})
    theirs = db.engagements.count_documents({"user_id": user_id})
    assert traces(db, user_id, name)

    dry = cli("engagements", "erase", f"@{name.upper()}", "--dry-run")["result"]
    done = cli("engagements", "erase", f"@{name.upper()}", "--yes")["result"]

    assert {**dry, "dry_run": False} == done
    assert (done["accounts"], done["engagements"], done["silences"]) == (1, theirs, 1)
    assert done["alerts"] >= theirs
    assert traces(db, f"'{user_id}'", f":{user_id}'", f"'{name}'") == []
    assert db.engagements.count_documents({}) == others


def test_an_erased_person_is_not_collected_again_by_any_pass(lab: MakeLab) -> None:
    one = lab(tweets=2)
    one.engage(RETWEETS, 30)
    one.engage(REPLIES, 5)
    one.cycle()
    user_id, name = somebody(one.db)
    rows = one.db.engagements.find({"user_id": user_id})
    theirs = {(row["tweet_id"], row["action_type"], row["source_id"]) for row in rows}
    erase(one.db, FIRM, name, now=one.now())
    for hours in (1, 30):
        one.engage(RETWEETS, 3)
        one.advance(hours=hours)
        one.cycle(verify=True)
    assert one.truth() - set(one.stored()) == theirs


def test_a_quiet_list_with_an_erased_person_is_not_read_for_ever(lab: MakeLab) -> None:
    one = lab(tweets=1)
    one.engage(RETWEETS, 25)
    one.cycle()
    erase(one.db, FIRM, somebody(one.db)[1], now=one.now())
    spent = []
    for _ in range(6):
        one.advance(hours=13)
        spent.append(one.cycle().requests)
    assert spent[-1] <= 2, spent


def test_a_page_that_is_made_again_does_not_show_who_was_erased(cli: Cli, db: Db, lab: MakeLab) -> None:
    one = lab(tweets=1)
    one.engage(REPLIES, 4)
    one.cycle()
    _, name = somebody(db)
    page = Path(cli("report", "render", "--out", "pages")["result"]["pages"][0])
    assert name in page.read_text("utf-8")
    cli("engagements", "erase", name, "--yes")
    cli("report", "render", "--out", "pages")
    assert name not in page.read_text("utf-8")
    assert [path.name for path in page.parent.glob("*.json") if name in path.read_text("utf-8")] == []


def test_erasing_again_is_no_error_and_somebody_unknown_is_told(cli: Cli, db: Db, lab: MakeLab) -> None:
    one = lab(tweets=1)
    one.engage(RETWEETS, 3)
    one.cycle()
    _, name = somebody(db)
    cli("engagements", "erase", name, "--yes")
    assert cli("engagements", "erase", name, "--yes")["result"]["engagements"] == 0
    assert cli("engagements", "erase", "@nobody_at_all", "--yes", code=1)["error"]["message"] == (
        "nothing of @nobody_at_all is stored"
    )
    assert cli("engagements", "erase", name, code=2)["error"]["hint"].startswith("say --yes")


def test_where_a_name_still_stands_is_told_with_the_command_for_it(cli: Cli, db: Db, lab: MakeLab) -> None:
    one = lab(tweets=1)
    one.engage(RETWEETS, 3)
    one.cycle()
    _, name = somebody(db)
    cli("campaign", "edit", SLUG, "--add-vip", name, "--add-ignore", name)
    db.important_people.insert_one({"username": name, "weight": 1})
    assert cli("engagements", "erase", name, "--yes")["result"]["left"] == [
        f"the important people: socap importance remove @{name}",
        f"the vips of launch: socap campaign edit launch --remove-vip @{name}",
        f"the ignores of launch: socap campaign edit launch --remove-ignore @{name}",
    ]


def test_nobody_can_read_who_was_erased(lab: MakeLab) -> None:
    one = lab(tweets=1)
    one.engage(RETWEETS, 1)
    one.cycle()
    user_id, name = somebody(one.db)
    erase(one.db, FIRM, name, now=one.now())
    (row,) = one.db.erased_people.find()
    assert (user_id in repr(row), name.lower() in repr(row).lower()) == (False, False)
    assert forgetting.among(one.db, [user_id, "1"]) == {user_id}


@pytest.fixture
def two_campaigns(lab: MakeLab) -> Lab:
    """An old completed campaign, one that shares its first tweet and goes on, and a tweet of nobody."""
    one = lab(tweets=4)
    for tweet in range(4):
        one.engage(RETWEETS, 4, tweet=tweet)
    one.cycle()
    one.add_campaign(campaign("other", at=one.now()), one.tweet_ids[:1])
    before = campaigns.find(one.db, SLUG)
    assert before
    done = replace(before, status=CampaignStatus.COMPLETED, completed_at=START)
    campaigns.update(one.db, before, done)
    campaigns.remove_tweet(one.db, SLUG, one.tweet_ids[3])
    return one


@pytest.mark.parametrize(
    ("days", "wanted"),
    [
        (None, Pruned(0)),
        (50, Pruned(0)),
        (30, Pruned(0, (SLUG,), 3, 12, 3)),
    ],
)
def test_what_is_old_goes_and_what_another_campaign_holds_stays(
    two_campaigns: Lab, days: int | None, wanted: Pruned
) -> None:
    one = two_campaigns
    terms = {
        "now": START + timedelta(days=40),
        "taken_back_for": timedelta(hours=24),
        "older_than": None if days is None else timedelta(days=days),
    }
    assert prune(one.db, **terms, dry_run=True) == wanted  # type: ignore[arg-type]
    assert len(one.stored()) == 16
    assert prune(one.db, **terms) == wanted  # type: ignore[arg-type]
    left = {key[0] for key in one.stored()}
    assert left == (set(one.tweet_ids[:1]) if wanted.campaigns else set(one.tweet_ids))
    assert prune(one.db, **terms) == Pruned(0)  # type: ignore[arg-type]


def test_nothing_of_a_pruned_campaign_is_left_but_what_it_spent(two_campaigns: Lab) -> None:
    one = two_campaigns
    month = timedelta(days=30)
    prune(one.db, now=START + 2 * month, taken_back_for=month, older_than=month)
    assert set(traces(one.db, f"'{SLUG}'", f"'{SLUG}:")) <= {"api_usage", "runs"}
    assert not set(traces(one.db, *one.tweet_ids[1:])) - {"runs"}


@pytest.mark.parametrize(("hours", "gone"), [(0, 2), (23, 2), (25, 0)])
def test_what_was_taken_back_on_x_goes_after_so_many_hours(
    cli: Cli, lab: MakeLab, hours: int, gone: int
) -> None:
    one = lab(tweets=1)
    sources = one.engage(RETWEETS, 6)
    one.cycle()
    for source in sources[:2]:
        one.withdraw(RETWEETS, source)
    one.advance(hours=13)
    one.cycle(verify=True)
    terms = {
        "now": one.now() + timedelta(hours=24),
        "taken_back_for": timedelta(hours=hours),
        "older_than": None,
    }
    assert prune(one.db, **terms) == Pruned(gone)  # type: ignore[arg-type]
    assert (one.db.engagements.count_documents({}), len(one.stored())) == (6 - gone, 4)


@pytest.mark.parametrize(
    "words", [("--older-than", "0"), ("--older-than", "x"), ("--taken-back-for", "-1"), ()]
)
def test_prune_says_what_is_wrong_with_its_options(cli: Cli, words: tuple[str, ...]) -> None:
    cli("db", "prune", *words, code=2)
