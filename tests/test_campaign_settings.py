"""What can be set of a campaign: read, cleared, windows opened and closed, files written and read. No server."""

from __future__ import annotations

import string
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from socap_cli.campaigns import settings
from socap_cli.campaigns.settings import (
    DAYS,
    FIELDS,
    NOT_CLEARABLE,
    SINGULAR,
    check_slug,
    cleared,
    differences,
    over_file,
    read_document,
    read_settings,
    write_document,
)
from socap_cli.campaigns.source import identify
from socap_cli.errors import SocapError, UsageError
from socap_cli.model.campaign import Campaign, CampaignStatus, CampaignTweet, TweetCategory
from socap_cli.settings import AlertSettings

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
DAY = timedelta(days=1)
ALERTS = AlertSettings()


def campaign(**values: Any) -> Campaign:
    return settings.new_campaign("launch", values, ALERTS, now=NOW)


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("days", 0, "--days 0: must be greater than 0"),
        ("days", -1, "must be greater than 0"),
        ("days", 1e9, "--days 1000000000.0: must be less than or equal to 36500"),
        ("days", float("nan"), "--days nan: must be"),
        ("days", float("inf"), "must be"),
        ("days", 10**400, "must be a valid number"),
        ("days", True, "not a number"),
        ("threshold", float("nan"), "--threshold nan: must be"),
        ("threshold", -0.1, "must be greater than or equal to 0"),
        ("threshold", 1e300, "must be less than or equal to"),
        ("spacing", -1, "must be greater than or equal to 0"),
        ("spacing", 1.5, "must be a valid integer"),
        ("spacing", 10**9, "must be less than or equal to 525600"),
        ("frequency_window", "often", "--frequency-window 'often': not a number"),
        ("start", "soon", "--start 'soon': not an ISO time"),
        ("start", "", "not an ISO time"),
        ("start", 5, "not an ISO time"),
        ("end", "0001-01-01T00:00+14:00", "not an ISO time"),
        ("end", "9999-12-31T23:59-14:00", "not an ISO time"),
        ("end", "0001-01-01", "out of range"),
        ("end", "9999-12-31", "out of range"),
        ("name", "", "--name '': must not be empty"),
        ("name", "a\nb", "cannot be printed"),
        ("name", "a\udcff", "cannot be printed"),
        ("name", "x" * 500, "longer than 200 characters"),
        ("name", 5, "must be a valid string"),
        ("client_email", "\x1b[2J", "cannot be printed"),
        ("vips", [""], "--vip: empty"),
        ("vips", ["Ada Example"], "a name, not a handle"),
        ("vips", ["ada", "https://x.com/ada/status/101"], "a tweet's address"),
        ("ignores", ["a\udcff"], "no handle"),
        ("ignores", [5], "not a list of texts"),
        ("channels", {"a": 1}, "not a list of texts"),
        ("cadence", "often", "must be 'fixed' or 'adaptive'"),
        ("stop_when_cold", "yes", "must be a valid boolean"),
    ],
)
def test_a_value_that_cannot_be_one_is_a_usage_error_with_its_place(
    name: str, value: Any, reason: str
) -> None:
    with pytest.raises(UsageError, match=reason) as refused:
        read_settings({name: value}, start=NOW)
    assert refused.value.exit_code == 2
    refused.value.message.encode()


values = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(st.characters(), max_size=30), st.datetimes(),
    st.lists(st.text(st.characters(), max_size=20), max_size=3),
)  # fmt: skip


@given(st.dictionaries(st.sampled_from([*FIELDS, DAYS]), values))
def test_any_values_make_a_campaign_or_a_usage_error(given_values: dict[str, Any]) -> None:
    try:
        made = campaign(**read_settings(given_values, start=NOW))
    except UsageError as error:
        error.message.encode()
        return
    assert made.ends_at is None or made.starts_at < made.ends_at
    assert all(name == name.lower() for name in (*made.vips, *made.ignores))
    made.name.encode()


@pytest.mark.parametrize(
    "slug",
    [
        "",
        "A",
        "a b",
        "a/b",
        "../a",
        "a.html",
        "-a",
        "x" * 64,
        "index",
        "con",
        "nul",
        "com1",
        "lpt9",
        "prn",
        "aux",
        "é",
        "\udcff",
    ],
)
def test_a_slug_that_no_page_could_have_is_refused(slug: str) -> None:
    with pytest.raises(UsageError):
        check_slug(slug)


@pytest.mark.parametrize("slug", ["a", "launch-2026", "a_b", "0", "console", "com10", "indexes", "x" * 63])
def test_any_other_slug_is_taken(slug: str) -> None:
    assert check_slug(slug) == slug


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-03-02", datetime(2026, 3, 2, tzinfo=UTC)),
        ("2026-03-02T09:00", datetime(2026, 3, 2, 9, tzinfo=UTC)),
        ("2026-03-02T09:00Z", datetime(2026, 3, 2, 9, tzinfo=UTC)),
        (" 2026-03-02 09:00+02:00 ", datetime(2026, 3, 2, 7, tzinfo=UTC)),
        ("20260302T090000.5Z", datetime(2026, 3, 2, 9, tzinfo=UTC)),
        (date(2026, 3, 2), datetime(2026, 3, 2, tzinfo=UTC)),
        (datetime(2026, 3, 2, 9, tzinfo=UTC).replace(tzinfo=None), datetime(2026, 3, 2, 9, tzinfo=UTC)),
    ],
)
def test_a_moment_is_utc_however_it_is_written(text: Any, moment: datetime) -> None:
    assert read_settings({"start": text}, start=NOW) == {"starts_at": moment}


def test_an_end_and_a_number_of_days_cannot_be_combined() -> None:
    with pytest.raises(UsageError, match="--end and --days cannot be combined"):
        read_settings({"end": "2026-04-01", "days": 3}, start=NOW)


def test_options_win_over_a_file_and_an_end_over_its_days() -> None:
    file = {"threshold": 5, "days": 3, "name": "File"}
    assert over_file({"end": "2026-04-01", "threshold": 7}, file) == {
        "threshold": 7, "end": "2026-04-01", "name": "File",
    }  # fmt: skip


def test_everything_that_can_be_set_can_be_cleared() -> None:
    names = [SINGULAR.get(key, key) for key in FIELDS if key != NOT_CLEARABLE]
    plain = campaign()
    full = replace(
        plain, name="Launch", ends_at=NOW + DAY, threshold=1.0, channels=("slack",), slack_webhook="https://x",
        client_name="Acme", client_email="a@b.example", vips=("ada",), ignores=("bob",), spacing_minutes=1,
        frequency_window_minutes=1,
    )  # fmt: skip
    assert replace(full, **cleared(names, "launch", ALERTS)) == plain


@pytest.mark.parametrize("name", ["start", "slug", "", "nonsense", "\udcff"])
def test_what_cannot_be_cleared_is_refused_with_what_can(name: str) -> None:
    with pytest.raises(UsageError, match="cannot be cleared") as refused:
        cleared([name], "launch", ALERTS)
    assert "client-email" in (refused.value.hint or "")


def completed(**values: Any) -> Campaign:
    base = campaign(starts_at=NOW - 9 * DAY, ends_at=NOW - DAY)
    return replace(
        base, status=CampaignStatus.COMPLETED, completed_at=NOW - DAY, last_cycle_at=NOW - DAY, **values
    )


@pytest.mark.parametrize("end", [NOW + DAY, None])
def test_a_later_end_opens_a_completed_campaign_again(end: datetime | None) -> None:
    after = settings.changed(completed(), {"ends_at": end}, now=NOW)
    assert (after.status, after.completed_at, after.last_cycle_at) == (CampaignStatus.ACTIVE, None, None)


def test_another_past_end_leaves_it_completed() -> None:
    after = settings.changed(completed(), {"ends_at": NOW - timedelta(hours=1)}, now=NOW)
    assert after.status is CampaignStatus.COMPLETED


def test_other_settings_leave_it_completed() -> None:
    after = settings.changed(completed(), {"threshold": 3.0}, now=NOW)
    assert (after.status, after.last_cycle_at) == (CampaignStatus.COMPLETED, NOW - DAY)


def test_a_paused_campaign_stays_paused_with_a_later_end() -> None:
    paused = replace(campaign(), status=CampaignStatus.PAUSED)
    assert settings.changed(paused, {"ends_at": NOW + DAY}, now=NOW).status is CampaignStatus.PAUSED


def test_resume_opens_for_days_from_now_or_to_the_end_that_is_left() -> None:
    again = settings.resumed(completed(), 2 * DAY, now=NOW)
    assert (again.status, again.ends_at, again.completed_at) == (CampaignStatus.ACTIVE, NOW + 2 * DAY, None)
    early = replace(completed(), ends_at=NOW + DAY)
    assert settings.resumed(early, None, now=NOW).status is CampaignStatus.ACTIVE
    with pytest.raises(UsageError, match="ended at") as refused:
        settings.resumed(completed(), None, now=NOW)
    assert "socap campaign resume launch --days N" in (refused.value.hint or "")


def test_a_completed_campaign_cannot_be_paused() -> None:
    with pytest.raises(SocapError, match="is completed"):
        settings.with_status(completed(), CampaignStatus.PAUSED, now=NOW)


words = (
    st.text(string.ascii_letters + "äß☃ '\"\\#=[]{}🚀", min_size=1, max_size=20)
    .filter(str.strip)
    .map(str.strip)
)
handles = st.lists(st.from_regex(r"[a-z0-9_]{1,15}", fullmatch=True), max_size=3, unique=True).map(tuple)
campaigns = st.builds(
    Campaign,
    slug=st.just("launch"),
    name=words,
    status=st.just(CampaignStatus.ACTIVE),
    starts_at=st.just(NOW),
    ends_at=st.none() | st.just(NOW + 5 * DAY),
    threshold=st.floats(0, 1e6),
    channels=st.sampled_from([(), ("slack",), ("slack", "email")]),
    spacing_minutes=st.integers(0, 600),
    frequency_window_minutes=st.integers(0, 600),
    created_at=st.just(NOW),
    client_name=st.none() | words,
    client_email=st.none() | st.just("ops@acme.example"),
    vips=handles,
    ignores=handles,
)
tweets = st.lists(
    st.builds(
        CampaignTweet,
        campaign_id=st.just("launch"),
        tweet_id=st.integers(1, 2**63 - 1).map(str),
        category=st.sampled_from(TweetCategory),
        url=st.just(""),
        added_at=st.just(NOW),
    ),
    max_size=4,
    unique_by=lambda tweet: tweet.tweet_id,
)


@given(campaigns, tweets)
def test_a_file_that_is_written_says_the_same_when_it_is_read(
    wanted: Campaign, listed: list[CampaignTweet]
) -> None:
    listed = [replace(tweet, url=f"https://x.com/i/status/{tweet.tweet_id}") for tweet in listed]
    said = read_document(write_document(wanted, listed), "launch.toml")
    made = settings.new_campaign(
        "launch", read_settings(said.given, start=NOW, of_file=said.given), ALERTS, now=NOW
    )
    assert (said.slug, differences(made, wanted)) == ("launch", [])
    found, rejected = identify(said.lines)
    assert rejected == []
    assert [(w.tweet_id, w.category) for w in found] == [(t.tweet_id, t.category) for t in listed]


def test_a_webhook_is_never_written_nor_told() -> None:
    secret = "https://hooks.slack.com/services/T/B/secret"
    wanted = replace(campaign(), slack_webhook=secret)
    assert "secret" not in write_document(wanted, [])
    assert "secret" not in str(differences(campaign(), wanted))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ('slug = "a"\nthresold = 5\n', "unknown setting 'thresold'"),
        ('slug = "a"\n[client]\nphone = "1"\n', "client: unknown setting 'phone'"),
        ("slug = 5\n", "slug must be a text"),
        ("slug = \n", "line 1"),
        ("a = " + "[" * 5000, "nested too deeply"),
    ],
)
def test_a_wrong_file_is_told_with_the_key(content: str, reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        read_document(content, "launch.toml")
