"""Collection over real HTTP into a real database, compared with the simulator's truth."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta

import pytest
from support.lab import SLUG, Lab, campaign, change

from socap_cli.logs import Logs
from socap_cli.model.account import TweetsAnswer
from socap_cli.model.campaign import CampaignStatus
from socap_cli.model.kinds import LISTS, QUOTES, REPLIES, RETWEETS, Kind, kinds
from socap_cli.model.list_state import coverage_of
from socap_cli.store import campaigns, jobs, usage, worker_state
from socap_cli.work import metrics

MakeLab = Callable[..., Lab]


def requests(lab: Lab) -> int:
    return sum(lab.simulator.ledger.requests.values())


def test_everything_visible_is_stored_once_over_a_day(lab: MakeLab) -> None:
    one = lab(tweets=12, engagements=40.0, removed=0.0)
    for _ in range(12):
        result = one.cycle()
        one.assert_exact()
        assert (result.requeued, result.failed) == (0, 0)
        one.advance(minutes=120)


def test_with_people_changing_their_minds_a_full_reading_makes_it_exact(lab: MakeLab) -> None:
    one = lab(tweets=12, engagements=40.0, removed=0.1)
    for _ in range(6):
        one.cycle()
        one.advance(minutes=120)
    one.cycle(verify=True)
    one.assert_exact()
    assert one.stored(present=False)


def test_a_quiet_cycle_of_300_tweets_is_6_requests_and_4500_credits(lab: MakeLab) -> None:
    one = lab(tweets=300, engagements=4.0)
    one.cycle(threads=50)
    before, cost = requests(one), one.simulator.ledger.credits
    result = one.cycle(threads=50)
    assert requests(one) - before == result.requests == 6
    assert one.simulator.ledger.credits - cost == 4500
    assert (result.completed, result.unchanged, result.engagements_new) == (300, 900, 0)


def test_working_twice_collects_nothing_twice(lab: MakeLab) -> None:
    one = lab(tweets=6, engagements=20.0)
    one.cycle()
    before = requests(one)
    again = one.work()
    assert requests(one) == before
    assert (again.completed, again.unchanged, again.requests) == (0, 0, 0)
    one.assert_exact()


def test_metering_agrees_with_the_provider_to_the_credit(lab: MakeLab) -> None:
    one = lab(tweets=20, engagements=30.0)
    for _ in range(3):
        one.cycle()
        one.advance(minutes=90)
    (row,) = usage.summed(one.db)
    ledger = one.simulator.ledger
    assert (row.requests, row.items, row.cost) == (requests(one), ledger.items, ledger.credits)


def test_five_thousand_new_retweeters_between_two_cycles_are_all_stored(lab: MakeLab) -> None:
    one = lab(tweets=1, accounts=6000, page=100)
    one.engage(RETWEETS, 30)
    one.cycle()
    one.advance(minutes=30)
    tweet = one.world.tweets[one.tweet_ids[0]]
    taken = {item.account.user_id for item in tweet.lists[RETWEETS].items}
    fresh = [account for account in one.world.accounts if account.user_id not in taken][:5000]
    for number, account in enumerate(fresh):
        moment = one.now() - timedelta(milliseconds=200 * number)
        one.world.engage(tweet.tweet_id, RETWEETS, moment, account=account)
    result = one.cycle()
    assert result.engagements_new == 5000
    one.assert_exact()


def test_a_busy_cycle_costs_at_most_a_tenth_more_than_it_must(lab: MakeLab) -> None:
    """The least: whole retweeter pages down to the first known one, new posts only, the metrics batches."""
    one = lab(tweets=60, engagements=60.0, accounts=3000, removed=0.0)
    one.cycle()
    one.advance(hours=4)
    before = {tweet: {k: set(s) for k, s in lists.items()} for tweet, lists in _stored_by_list(one).items()}
    cost = one.simulator.ledger.credits
    one.cycle()
    spent = one.simulator.ledger.credits - cost
    one.assert_exact()
    least = _least_cost(one, before)
    assert spent / least <= 1.1, (spent, least)


def _stored_by_list(lab: Lab) -> dict[str, dict[Kind, set[str]]]:
    found: dict[str, dict[Kind, set[str]]] = {t: {k: set() for k in LISTS} for t in lab.tweet_ids}
    kinds = {LISTS[kind].action_type: kind for kind in LISTS}
    for tweet, action, source in lab.stored():
        found[tweet][kinds[action]].add(source)
    return found


def _least_cost(lab: Lab, before: dict[str, dict[Kind, set[str]]]) -> float:
    total = 0.0
    moment = lab.now().timestamp()
    total += len(lab.tweet_ids) * 15
    for tweet_id, lists in before.items():
        for kind, known in lists.items():
            row = list(lab.world.tweets[tweet_id].lists[kind].newest_first(moment))
            new = [item for item in row if item.source_id not in known and not item.nested]
            if not new:
                continue
            if kind is not RETWEETS:
                total += max(15, 15 * len(new))
                continue
            first_known = next((n for n, item in enumerate(row) if item.source_id in known), len(row) - 1)
            pages = first_known // 20 + 1
            total += sum(18 * len(row[20 * page : 20 * (page + 1)]) for page in range(pages))
    return total


def test_a_second_reply_of_one_person_is_kept(lab: MakeLab) -> None:
    one = lab()
    who = one.world.accounts[0]
    for second in (10, 20):
        one.world.engage(one.tweet_ids[0], REPLIES, one.now() - timedelta(seconds=second), account=who)
    one.cycle()
    assert len(one.stored()) == 2


def test_replies_to_replies_are_no_engagements_with_the_tweet(lab: MakeLab) -> None:
    one = lab()
    item = one.world.engage(one.tweet_ids[0], REPLIES, one.now())
    item.nested = True
    one.engage(REPLIES, 2)
    one.cycle()
    assert len(one.stored()) == 2
    one.assert_exact()


def test_what_is_taken_back_is_marked_and_what_comes_again_is_unmarked(lab: MakeLab) -> None:
    one = lab()
    sources = one.engage(RETWEETS, 30)
    one.cycle()
    one.advance(hours=25)
    one.withdraw(RETWEETS, sources[3])
    one.cycle()  # the counter fell, and the last full reading is a day old
    assert [key[2] for key in one.stored(present=False)] == [sources[3]]
    one.assert_exact()
    one.advance(minutes=30)
    account = next(a for a in one.world.accounts if a.user_id == sources[3])
    one.world.engage(one.tweet_ids[0], RETWEETS, one.now(), account=account)
    one.cycle()
    assert one.stored(present=False) == []
    one.assert_exact()


def test_an_engagement_that_shows_late_and_below_known_ones_is_found(lab: MakeLab) -> None:
    """A search index lags: what turns up is older than what was stored in the meantime."""
    one = lab()
    one.engage(REPLIES, 30)
    one.cycle()
    one.advance(minutes=10)
    one.engage(REPLIES, 1, lag=1200)
    one.advance(minutes=10)
    one.engage(REPLIES, 4)
    one.cycle()
    one.advance(minutes=30)
    one.cycle()
    one.assert_exact()


def test_two_replies_of_one_second_are_both_found_though_only_newer_ones_are_asked_for(lab: MakeLab) -> None:
    one = lab()
    one.engage(REPLIES, 3)
    one.cycle()
    one.world.engage(one.tweet_ids[0], REPLIES, one.now())
    one.advance(minutes=30)
    one.engage(REPLIES, 2)
    one.cycle()
    one.assert_exact()


def test_protected_accounts_are_counted_but_cause_no_endless_reading(lab: MakeLab) -> None:
    one = lab()
    one.engage(REPLIES, 5)
    hidden = one.world.engage(one.tweet_ids[0], REPLIES, one.now())
    hidden.hidden = True
    one.cycle()
    one.advance(minutes=30)
    before = requests(one)
    one.cycle()
    assert requests(one) - before == 1
    one.assert_exact()


@pytest.mark.parametrize(
    "faults",
    [
        {"errors": 0.2},
        {"garbled": 0.1},
        {"dropped": 0.1},
        {"expired": 0.2},
        {"repeats": 5},
        {"blanks": 0.2},
        {"errors": 0.1, "garbled": 0.05, "dropped": 0.05, "expired": 0.1, "repeats": 2, "blanks": 0.1},
    ],
    ids=lambda faults: "+".join(faults),
)
def test_nothing_is_lost_or_doubled_on_a_bad_day(lab: MakeLab, faults: dict[str, float]) -> None:
    one = lab(tweets=5, engagements=60.0)
    one.simulator.faults.update(dict(faults))
    for _ in range(4):
        one.enqueue()
        one.work_by_hand()
        one.advance(minutes=60)
    one.simulator.faults.update(dict.fromkeys(faults, 0))
    one.enqueue(verify=True)
    one.work_by_hand()
    one.assert_exact()


def test_a_provider_that_fails_a_fifth_of_its_requests_costs_no_attempt(lab: MakeLab) -> None:
    one = lab(tweets=10, engagements=25.0)
    one.simulator.faults.update({"errors": 0.2})
    one.enqueue()
    one.work_by_hand()
    assert not one.truth() - set(one.stored())
    assert one.db.jobs.count_documents({"attempts": {"$gt": 0}}) == 0
    assert one.db.jobs.count_documents({"status": {"$ne": "completed"}}) == 0


def test_a_limited_account_uses_up_no_attempt_and_is_waited_for(lab: MakeLab) -> None:
    one = lab(tweets=4, engagements=20.0)
    one.enqueue()
    one.simulator.faults.update({"script": ["ok", "limit"], "retry_after": 1.0})
    result = one.work(threads=1)
    assert (result.failed, result.requeued) == (0, 1)
    assert one.db.jobs.count_documents({"attempts": {"$gt": 0}}) == 0
    one.assert_exact()


def test_a_looping_cursor_ends_and_the_list_is_complete_afterwards(lab: MakeLab) -> None:
    one = lab()
    one.engage(QUOTES, 70)
    one.simulator.faults.update({"looping": True})
    one.enqueue()
    one.work_by_hand()
    one.simulator.faults.update({"looping": False})
    one.enqueue(verify=True)
    one.work_by_hand()
    one.assert_exact()


def test_a_first_counter_of_zero_costs_no_list_request_and_what_comes_then_is_new(lab: MakeLab) -> None:
    one = lab(tweets=2)
    one.cycle()
    assert dict(one.simulator.ledger.requests) == {"/twitter/tweets": 1}
    one.advance(minutes=30)
    one.engage(RETWEETS, 1)
    one.cycle()
    assert [row["backfill"] for row in one.db.engagements.find()] == [False]


def test_what_was_there_before_is_backfill(lab: MakeLab) -> None:
    one = lab()
    one.engage(RETWEETS, 2)
    one.cycle()
    one.advance(minutes=30)
    one.engage(RETWEETS, 1)
    one.cycle()
    assert sorted(row["backfill"] for row in one.db.engagements.find()) == [False, True, True]


def test_a_tweet_in_two_campaigns_is_collected_once_and_ends_both_jobs(lab: MakeLab) -> None:
    one = lab(tweets=3, engagements=20.0)
    one.add_campaign(campaign("other", at=one.now()), one.tweet_ids)
    alone = one.cycle()
    assert one.db.jobs.count_documents({"status": "completed"}) == 2 * 3 * len(kinds())
    assert one.simulator.ledger.requests["/twitter/tweets"] == 1
    shares = {row.of: row.cost for row in usage.summed(one.db, "campaign")}
    assert shares[SLUG] == shares["other"] == pytest.approx(alone.cost / 2)
    one.assert_exact()


def test_a_vanished_tweet_is_told_after_two_looks_and_comes_back(lab: MakeLab) -> None:
    one = lab(tweets=2)
    tweet = one.world.tweets[one.tweet_ids[0]]
    one.cycle()
    tweet.gone_from = one.now().timestamp()
    misses = []
    for _ in range(2):
        one.cycle()
        misses.append(worker_state.load(one.db, [tweet.tweet_id])[tweet.tweet_id].misses)
    assert misses == [1, 2]
    tweet.gone_until = one.now().timestamp()
    one.cycle()
    assert worker_state.load(one.db, [tweet.tweet_id])[tweet.tweet_id].misses == 0


def test_a_campaign_past_its_window_gets_one_last_cycle_and_is_completed(lab: MakeLab) -> None:
    one = lab(tweets=1)
    one.engage(RETWEETS, 3)
    change(one.db, SLUG, ends_at=one.now() + timedelta(hours=1))
    one.cycle()
    one.advance(hours=2)
    before = requests(one)
    last = one.enqueue()
    one.work()
    assert (last.jobs_armed, last.campaigns_completed) == (len(kinds()), 0)
    assert requests(one) - before == 4  # every list from the top, whatever its counter says
    assert one.enqueue().campaigns_completed == 1
    assert campaigns.find(one.db, SLUG) == replace(
        campaigns.find(one.db, SLUG),
        status=CampaignStatus.COMPLETED,  # type: ignore[type-var]
    )
    assert one.enqueue().jobs_armed == 0


def test_a_tweet_that_is_absent_once_in_the_last_cycle_is_asked_for_again(
    lab: MakeLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No later cycle makes good what the last one does not read."""
    one = lab(tweets=2)
    tweet = one.world.tweets[one.tweet_ids[0]]
    change(one.db, SLUG, ends_at=one.now() + timedelta(hours=1))
    one.cycle()
    one.advance(hours=2)
    one.engage(RETWEETS, 3)
    ask, asked = one.provider.tweets, []

    def absent_once(tweet_ids: Sequence[str], **_: object) -> TweetsAnswer:
        answer = ask(tweet_ids)
        asked.append(tweet_ids)
        found = {
            key: value for key, value in answer.tweets.items() if len(asked) > 1 or key != tweet.tweet_id
        }
        return replace(answer, tweets=found)

    monkeypatch.setattr(one.provider, "tweets", absent_once)
    monkeypatch.setattr(metrics, "ASK_AGAIN", 0.1)
    one.enqueue()
    one.work()
    one.assert_exact()
    assert one.enqueue().campaigns_completed == 1
    assert len(asked) == 2


def test_coverage_tells_counter_collected_and_removed(lab: MakeLab) -> None:
    one = lab()
    sources = one.engage(REPLIES, 4)
    one.cycle()
    one.advance(minutes=5)
    one.withdraw(REPLIES, sources[0])
    one.cycle(verify=True)
    row = coverage_of(worker_state.load(one.db, one.tweet_ids).values())[REPLIES]
    assert (row.counter, row.collected, row.removed, row.unread) == (3, 3, 1, 0)


def test_a_pass_that_was_interrupted_goes_on_where_it_stood(lab: MakeLab) -> None:
    """Fifty pages: the run is stopped after a few of them, and the next one reads only the rest."""
    one = lab(tweets=1, accounts=1200)
    one.engage(RETWEETS, 1000)
    one.policy = one.policy.model_copy(update={"pages_per_job": 7})
    one.cycle()
    one.assert_exact()
    assert one.simulator.ledger.requests["/twitter/tweet/retweeters"] == 50


def test_a_dead_key_stops_the_run_and_gives_every_job_back(lab: MakeLab) -> None:
    from socap_cli.errors import KeyRefused

    one = lab(tweets=3, key="the-right-one")
    one.simulator.key = "another"
    one.enqueue()
    with pytest.raises(KeyRefused, match="Invalid API key"):
        one.work()
    assert jobs.count_by_status(one.db)["metrics"] == {"pending": 3}
    assert one.db.jobs.count_documents({"attempts": {"$gt": 0}}) == 0


def test_no_credits_stop_the_run(lab: MakeLab) -> None:
    from socap_cli.errors import CreditsExhausted

    one = lab(tweets=3)
    one.simulator.faults.update({"credits": 10})
    one.enqueue()
    with pytest.raises(CreditsExhausted, match="recharge"):
        one.work()


def test_what_an_interrupted_reading_saw_counts_as_gone_when_the_next_one_does_not_see_it(
    lab: Callable[..., Lab],
) -> None:
    one = lab(tweets=1, page=5)
    sources = one.engage(RETWEETS, 12)
    one.simulator.faults.update({"script": ["ok", "ok", "error", "error", "error"]})
    one.enqueue()
    one.work_by_hand(rounds=2)
    assert len(one.stored()) == 5
    one.withdraw(RETWEETS, sources[-1])
    one.enqueue(verify=True)
    one.work_by_hand()
    one.assert_exact()
    assert [source for _, _, source in one.stored(present=False)] == [sources[-1]]


def test_what_is_logged_of_a_page_that_is_read_ahead_names_its_job(
    lab: MakeLab, capsys: pytest.CaptureFixture[str]
) -> None:
    one = lab(tweets=2, engagements=200.0)
    Logs("run", verbose=2, form="json")
    one.cycle()
    Logs("after")
    rows = [row for line in capsys.readouterr().err.splitlines() if "logger" in (row := json.loads(line))]
    assert [row for row in rows if row["logger"].startswith("socap.") and row["job_id"] is None] == []
    assert len([row for row in rows if row["logger"] == "socap.client"]) > 4
    logging.root.handlers[:] = [h for h in logging.root.handlers if type(h).__module__ != "socap_cli.logs"]
