"""The report in a sentence, made of its own figures. Pure."""

from __future__ import annotations

from datetime import timedelta

from socap_cli.model.campaign import CampaignStatus
from socap_cli.report.analytics import DAY
from socap_cli.report.values import CampaignReport


def count(number: int, one: str, many: str = "") -> str:
    """`1 tweet`, `2 tweets`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def duration(span: timedelta) -> str:
    """A time span in its two largest units: `2 d 3 h`, `5 min`."""
    seconds = int(span.total_seconds())
    days, hours, minutes = seconds // 86_400, seconds // 3600 % 24, seconds // 60 % 60
    if days:
        return f"{days} d {hours} h" if hours else f"{days} d"
    if hours:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    return f"{minutes} min" if minutes else f"{seconds} s"


def step_name(step: timedelta) -> str:
    """What a column of a chart spans: `day`, `hour`, or `5 min`."""
    return {DAY: "day", timedelta(hours=1): "hour"}.get(step, duration(step))


def window(report: CampaignReport) -> str:
    """What a change spans: `in 24 h`, or less on the first day."""
    return f"in {_lately(report)}"


def _lately(report: CampaignReport) -> str:
    return "24 h" if report.window == DAY else duration(report.window)


def story(report: CampaignReport) -> str:
    """What is true of a campaign, whatever its state, and nothing else."""
    if not report.tweets:
        return "There are no tweets in this campaign yet."
    if report.as_of is None:
        return "Nothing has been read yet: the figures begin with the first reading."
    sentences = [_who(report)]
    if report.readings < 2:
        sentences.append("This is the first reading; changes and curves begin with the second.")
    if report.campaign.status is CampaignStatus.PAUSED:
        sentences.append("Monitoring is paused.")
    return " ".join(sentences)


def _who(report: CampaignReport) -> str:
    important, people = report.figures["important"], report.figures["people"]
    if not report.collected:
        return "Nobody has engaged yet, as far as was read."
    known, what = (
        (important, ("important person", "important people"))
        if important.value
        else (people, ("person", "people"))
    )
    said = f"{count(known.value or 0, *what)} engaged"
    if known.change:
        lately = known.change.absolute
        new = f"{lately:,} of them for the first time" if lately else "nobody new"
        said += f", {new} in the last {_lately(report)}"
    leader = report.tweets[0]
    if leader.engagements and len(report.tweets) > 1:
        whose = f"@{leader.tweet.author_username}’s tweet" if leader.tweet.author_username else "one tweet"
        said += f"; {whose} leads with {count(leader.engagements, 'engagement')}"
    return f"{said}."


def day_of(report: CampaignReport) -> str:
    """`day 2 of 7`, as of the data; empty when it has not begun."""
    campaign = report.campaign
    if report.as_of is None or report.as_of < campaign.starts_at:
        return ""
    day = (report.as_of - campaign.starts_at) // timedelta(days=1) + 1
    if campaign.ends_at is None:
        return f"day {day}"
    days = max(-(-(campaign.ends_at - campaign.starts_at) // timedelta(days=1)), 1)
    return f"day {min(day, days)} of {days}" if report.as_of <= campaign.ends_at else f"{count(days, 'day')}"
