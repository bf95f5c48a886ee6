"""The texts of pages and mails that are made of numbers."""

from __future__ import annotations

from datetime import datetime, timedelta, tzinfo

from socap_cli.model.campaign import CampaignStatus, TweetCategory
from socap_cli.model.engagement import OTHERS
from socap_cli.model.kinds import LISTS
from socap_cli.report import analytics
from socap_cli.report.analytics import DAY, HOUR, GapSpan, Pace
from socap_cli.report.values import CampaignReport, EngagementRow, Figure
from socap_cli.text import counted

LABELS = {
    "yc_alumni": "YC alumni", "c_level": "C-level", "vcs": "Investors & VCs", "ai_creators": "AI creators",
    OTHERS: "No label",
}  # fmt: skip
"""Labels whose words alone would not read well."""

GROUPS = {
    TweetCategory.MAIN.short: "Client",
    TweetCategory.INFLUENCER.short: "Influencers",
    TweetCategory.INVESTOR.short: "Investors",
}

SAME = 0.05
"""A pace that differs by less than this is the same."""


def shortened(text: str, most: int) -> str:
    """The beginning of a text, with an ellipsis when that is not all of it; white space becomes one space."""
    plain = " ".join(text.split())
    return plain if len(plain) <= most else f"{plain[: most - 1].rstrip()}…"


def duration(span: timedelta) -> str:
    """A time span in its two largest units: `2 days 3 h`, `24 h`, `5 min`."""
    seconds = int(span.total_seconds())
    if span == DAY:
        return "24 h"
    days, hours, minutes = seconds // 86_400, seconds // 3600 % 24, seconds // 60 % 60
    if days:
        return counted(days, "day") + (f" {hours} h" if hours else "")
    if hours:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    return f"{minutes} min" if minutes else f"{seconds} s"


def short_number(value: float) -> str:
    """1234567 as 1.2M: at most three digits and a letter."""
    for limit, letter in ((1e9, "B"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= limit:
            scaled = value / limit
            digits = 0 if abs(scaled) >= 99.95 or scaled == int(scaled) else 1
            return f"{scaled:.{digits}f}{letter}"
    return f"{value:.0f}"


def percent(value: float | None, digits: int = 1) -> str:
    """A part of one as a percentage, 100% only of all; a dash when it is not known."""
    if value is None or value == 1:
        return "–" if value is None else "100%"
    nearly_all = 100 - 10**-digits
    return f"{min(100 * value, nearly_all) if value < 1 else 100 * value:.{digits}f}%"


def moment(value: datetime, zone: tzinfo) -> str:
    """`1 Dec 2026, 01:00 UTC`."""
    local = value.astimezone(zone)
    return f"{local.day} {local:%b %Y, %H:%M} {local.tzname() or 'UTC'}"


def day(value: datetime, zone: tzinfo) -> str:
    """`1 Dec 01:00`, where the time zone stands above."""
    local = value.astimezone(zone)
    return f"{local.day} {local:%b %H:%M}"


def label(name: str) -> str:
    """A label of accounts as people read it."""
    plain = name.replace("_", " ")
    return LABELS.get(name, plain[:1].upper() + plain[1:])


def period(span: timedelta) -> str:
    """What stands before another period: `the day before`, `the 6 h before`."""
    return "the day before" if span == DAY else f"the {duration(span)} before"


def compared(pace: Pace) -> str:
    """`91% fewer than the day before`; empty without a period to compare with."""
    if pace.before is None:
        return ""
    earlier, change = period(pace.before_span), pace.change
    within = earlier if pace.before_span == DAY else f"in {earlier}"
    if change is None and pace.before:  # a counter fell
        return f"{pace.before:,} {within}"
    if change is None:
        return f"none {within}" if pace.new else f"none {within} either"
    if not pace.new:
        return f"down from {pace.before:,} {within}"
    if abs(change) < SAME:
        return f"about as many as {earlier}" if pace.span == pace.before_span else f"as fast as {earlier}"
    less, more = ("fewer", "more") if pace.span == pace.before_span else ("slower", "faster")
    if change >= 1:
        times = short_number(1 + change) if change >= 9 else f"{1 + change:.1f}".removesuffix(".0")
        return f"{times} times {'as many as' if more == 'more' else 'the pace of'} {earlier}"
    part = "over 99%" if -1 < change < -0.995 else f"{abs(change):.0%}"
    return f"{part} {more if change > 0 else less} than {earlier}"


def trend(pace: Pace | None) -> str:
    """`up`, `down`, or nothing."""
    change = pace.change if pace else None
    return "" if change is None or abs(change) < SAME else "up" if change > 0 else "down"


def state(status: str, *, has_started: bool) -> str:
    """A campaign's status; `scheduled` until it starts."""
    return "scheduled" if status == CampaignStatus.ACTIVE and not has_started else status


def headline(report: CampaignReport, zone: tzinfo) -> str:
    """The result and the pace in a sentence or two."""
    if not report.tweets:
        return "No tweets in this campaign yet."
    is_final = report.campaign.status is CampaignStatus.COMPLETED
    if is_final and not report.collected:
        return "No data was collected." if report.as_of is None else "No engagements."
    if report.as_of is None:
        begin = moment(report.campaign.starts_at, zone)
        return "No data yet." if report.has_started else f"No data yet. First check: {begin}."
    if not report.collected:
        return f"No engagements yet (checked {moment(report.as_of, zone)})."
    important = report.figures["important"].value or 0
    who = f"from {counted(report.figures['people'].value or 0, 'person', 'people')}"
    matter = f"{important:,} of them important" if important else "none of them important"
    pace = report.figures["engagements"].pace
    if is_final:
        lasted = duration(_days(report))
        return f"{counted(report.collected, 'engagement')} {who} in {lasted}, {matter}."
    if pace is None:
        result = f"{counted(report.collected, 'engagement')} {who} so far, {matter}."
        return f"{result} New ones count from the second reading."
    if report.is_stale:
        by_then = f"{counted(report.collected, 'engagement')} {who} by then, {matter}"
        return f"Not read since {moment(report.as_of, zone)}: {by_then}."
    new = counted(pace.new, "new engagement") if pace.new else "No new engagements"
    beside = f", {compared(pace)}" if pace.before is not None else ""
    return f"{new} in the last {duration(pace.span)}{beside}; {report.collected:,} in all {who}, {matter}."


def details(report: CampaignReport) -> str:
    """The leading tweet and how fast it went."""
    if not report.collected:
        return ""
    parts, leader = [], report.tweets[0]
    if len(report.tweets) > 1 and leader.engagements:
        whose = f"@{leader.author}’s" if leader.author else "one"
        parts.append(f"Best: {whose} tweet with {counted(leader.engagements, 'engagement')}.")
    is_final, half = report.campaign.status is CampaignStatus.COMPLETED, report.half_life
    if is_final and half:
        most = "at most " if half.at_most else ""
        parts.append(f"Half of the new engagements came within {most}{duration(half.value)} of the start.")
    if report.campaign.status is CampaignStatus.PAUSED:
        parts.append("Monitoring is paused.")
    return " ".join(parts)


def completeness(report: CampaignReport) -> str:
    """`98.8% of what X counts is collected, no gaps`."""
    if report.as_of is None:
        return ""
    gaps = [gap for gap in report.gaps if gap.every is None]
    covered = report.covered
    kept = "nothing to collect" if covered is None else f"{percent(covered)} of what X counts is collected"
    if report.is_stale:
        return f"{kept}, not read recently"
    return f"{kept}, {counted(len(gaps), 'gap') if gaps else 'no gaps'}"


def _days(report: CampaignReport) -> timedelta:
    campaign = report.campaign
    ended = campaign.ends_at or campaign.completed_at or report.as_of or campaign.starts_at
    whole = -(-(ended - campaign.starts_at) // DAY)
    return max(timedelta(days=1), whole * DAY) if whole > 1 else max(ended - campaign.starts_at, HOUR)


def day_of(report: CampaignReport) -> str:
    """`day 2 of 7`, as of the data; empty before the start and after the end."""
    campaign = report.campaign
    is_final = campaign.status is CampaignStatus.COMPLETED
    if report.as_of is None or report.as_of < campaign.starts_at or is_final:
        return ""
    today = (report.as_of - campaign.starts_at) // DAY + 1
    if campaign.ends_at is None:
        return f"day {today}"
    days = max(-(-(campaign.ends_at - campaign.starts_at) // DAY), 1)
    return f"day {min(today, days)} of {days}" if report.as_of <= campaign.ends_at else ""


def peak(report: CampaignReport, figure: Figure, zone: tzinfo) -> str:
    """When most came: `most in an hour: 340, 29 Nov 20:00`."""
    if not any(bar > 0 for bar in figure.bars):
        return ""
    place = max(range(len(figure.bars)), key=figure.bars.__getitem__)
    height = figure.bars[place] * (report.unit / HOUR)
    unit = "a day" if report.unit == DAY else "an hour"
    return f"peak {short_number(height)} {unit}, {day(report.edges[place], zone)}"


def gap_text(gap: GapSpan, zone: tzinfo, *, with_reason: bool) -> str:
    """What was not read, or how often it was."""
    what = f"{'counters' if gap.kind == 'metrics' else gap.kind} of {counted(gap.tweets, 'tweet')}"
    how = f"read about every {duration(gap.every)}" if gap.every else "not read"
    end = day(gap.ends_at, zone) if gap.ends_at else "now"
    reason = f" ({gap.reason})" if with_reason and gap.reason != "not read" else ""
    return f"{day(gap.begins_at, zone)} to {end}: {what} {how}{reason}"


def followed_by(row: EngagementRow) -> str:
    """`12 on your list: @a, @b, @c and 9 more`."""
    names = [f"@{who}" for who, _ in row.reasons[:3]]
    total = max(row.important_followers, len(row.reasons))
    more = f" and {total - len(names):,} more" if total > len(names) else ""
    return f"{total:,} on your list: {', '.join(names)}{more}" if names else ""


def list_names() -> str:
    """`retweets, replies and quotes`: the lists that are read."""
    return _and(list(LISTS))


def interacting() -> str:
    """`likes + retweets + …`: what the engagement rate counts."""
    return " + ".join(analytics.interacting())


def one_engagement() -> str:
    """`One retweet, one reply or one quote`."""
    return _and([f"one {kind.action_type}" for kind in LISTS.values()], "or").capitalize()


def _and(names: list[str], word: str = "and") -> str:
    return f" {word} ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))
