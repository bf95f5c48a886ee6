"""What `socap campaign` says to a person and to a program."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from socap_cli.campaigns.adding import Accepted, AddResult
from socap_cli.campaigns.applying import ApplyResult, Plan
from socap_cli.campaigns.document import Difference
from socap_cli.campaigns.removal import Deletion
from socap_cli.campaigns.source import Rejected
from socap_cli.cli import tables
from socap_cli.cli.run import PARTLY_DONE, Run, one_line
from socap_cli.cli.wording import counted
from socap_cli.model.campaign import Campaign, CampaignTweet, public_campaign

TEXT_SHOWN = 60


def without_end(campaign: Campaign) -> list[str]:
    """A warning for a campaign that nobody ends."""
    if campaign.ends_at is not None or campaign.stop_when_cold:
        return []
    return [
        f"{campaign.slug} has no end: it is collected, and paid for, until you end it "
        f"(socap campaign edit {campaign.slug} --days N, or --stop-when-cold)"
    ]


def already_over(campaign: Campaign, now: datetime) -> list[str]:
    """A warning for a window that lies in the past."""
    if campaign.ends_at is None or campaign.ends_at > now:
        return []
    return [
        f"the window of {campaign.slug} ended at {campaign.ends_at:%Y-%m-%d %H:%M}: one last cycle is due"
    ]


def added_row(result: AddResult) -> dict[str, Any]:
    """What became of every line, for a program."""
    return {
        "slug": result.slug,
        "tweets_added": result.tweets_added,
        "tweets_already_there": result.tweets_already_there,
        "accepted": [accepted_row(one) for one in result.accepted],
        "rejected": [asdict(one) for one in result.rejected],
    }


def accepted_row(one: Accepted) -> dict[str, Any]:
    """A tweet that was taken, for a program."""
    return {"line": one.line, "new": one.is_new, **tweet_row(one.tweet)}


def tweet_row(tweet: CampaignTweet) -> dict[str, Any]:
    """A tweet of a campaign, for a program."""
    return {**asdict(tweet), "category": tweet.category.short}


def tell_lines(run: Run, accepted: Sequence[Accepted], rejected: Sequence[Rejected]) -> None:
    """A line for each line of the input."""
    told = [(one.line, _accepted_line(one)) for one in accepted]
    told += [(one.line, f"rejected: line {one.line}: {one.text}: {one.reason}") for one in rejected]
    for _, line in sorted(told, key=lambda pair: pair[0]):
        run.info(one_line(line))


def _accepted_line(one: Accepted) -> str:
    tweet = one.tweet
    who = f" @{tweet.author_username}" if tweet.author_username else ""
    when = f" {tweet.posted_at:%Y-%m-%d %H:%M}" if tweet.posted_at else ""
    said = f" {shortened(tweet.text)!r}" if tweet.text else ""
    what = "accepted" if one.is_new else "already there"
    return f"{what}: line {one.line}: {tweet.tweet_id} {tweet.category.short}{who}{when}{said}"


def shortened(text: str) -> str:
    """The beginning of what a stranger wrote, as one line."""
    plain = one_line(text)
    return plain if len(plain) <= TEXT_SHOWN else f"{plain[: TEXT_SHOWN - 1]}…"


def added_line(result: AddResult, *, dry_run: bool = False) -> str:
    """How many tweets were taken, or would be."""
    tweets = counted(result.tweets_added, "tweet")
    parts = [f"would add {tweets}" if dry_run else f"{tweets} added"]
    if result.tweets_already_there:
        parts.append(f"{result.tweets_already_there:,} already there")
    if result.rejected:
        parts.append(f"{len(result.rejected):,} rejected")
    return f"{result.slug}: {', '.join(parts)}"


def changes_row(changes: Sequence[Difference]) -> list[dict[str, Any]]:
    """Changed settings, for a program."""
    return [{"field": one.name, "before": one.before, "after": one.after} for one in changes]


def change_lines(changes: Sequence[Difference]) -> list[str]:
    """A line for each changed setting."""
    return [
        f"{one.name.replace('_', ' ')}: {value_text(one.before)} → {value_text(one.after)}" for one in changes
    ]


def value_text(value: Any) -> str:
    """A setting's value on a line."""
    if isinstance(value, (list, tuple)):
        return ", ".join(map(str, value)) or "–"
    return tables.cell_text(value)


def edited_row(
    campaign: Campaign, changes: Sequence[Difference], added: AddResult, *, dry_run: bool
) -> dict[str, Any]:
    """What `edit` did, for a program."""
    tweets = {name: value for name, value in added_row(added).items() if name != "slug"}
    return {
        "campaign": public_campaign(campaign),
        "changed": [one.name for one in changes],
        "changes": changes_row(changes),
        **tweets,
        "dry_run": dry_run,
    }


def show_changes(run: Run, changes: Sequence[Difference], added: AddResult, *, dry_run: bool) -> None:
    """A line for each setting that is another now."""
    would = "would change " if dry_run else ""
    lines = [f"{would}{line}" for line in change_lines(changes)]
    if added.accepted or added.rejected:
        lines.append(added_line(added, dry_run=dry_run))
    for line in lines or ["nothing changed: it was so before"]:
        run.print(line)


def show_plan(run: Run, planned: Plan, *, dry_run: bool) -> None:
    """What applying a file did or would do."""
    for line in plan_lines(planned):
        run.print(line)
    slug = planned.after.slug
    if planned.is_empty:
        run.print(f"{slug}: nothing to change")
    elif planned.before is None:
        run.print(f"{slug}: {'would be created' if dry_run else 'created'}")
    else:
        run.print(f"{slug}: {'would be changed' if dry_run else 'changed'}")


def deletion_line(slug: str, done: Deletion, *, dry_run: bool) -> str:
    """What a deletion took away and left."""
    return (
        f"{'would delete' if dry_run else 'deleted'} {slug} with {counted(done.tweets, 'tweet')}; "
        f"{counted(done.engagements_left, 'engagement')} stay, and so do the counters over time"
    )


def plan_lines(planned: Plan) -> list[str]:
    """What applying a file does, a line each."""
    lines = [f"~ {line}" for line in change_lines(planned.changes)] if planned.before else []
    lines += [f"+ tweet {entry.tweet_id} ({entry.category.short})" for entry in planned.new]
    lines += [
        f"~ tweet {one.tweet_id}: {one.before.short} → {one.after.short}" for one in planned.recategorized
    ]
    lines += [f"- tweet {tweet.tweet_id} ({tweet.category.short})" for tweet in planned.removed]
    return lines


def plan_row(planned: Plan, done: ApplyResult | None) -> dict[str, Any]:
    """What applying a file did or would do, for a program."""
    return {
        "slug": planned.after.slug,
        "created": planned.before is None,
        "changed": not planned.is_empty,
        "changes": changes_row(planned.changes),
        "tweets_added": sum(one.is_new for one in done.accepted) if done else len(planned.new),
        "tweets_removed": [tweet.tweet_id for tweet in planned.removed],
        "tweets_recategorized": [
            {"tweet_id": one.tweet_id, "before": one.before.short, "after": one.after.short}
            for one in planned.recategorized
        ],
        "rejected": [asdict(one) for one in (done.rejected if done else planned.rejected)],
        "dry_run": done is None,
    }


def tell_added(run: Run, result: AddResult, warnings: list[str], *, dry_run: bool) -> None:
    """A line for each line of the input, then how many."""
    tell_lines(run, result.accepted, result.rejected)
    run.done(
        {**added_row(result), "dry_run": dry_run},
        text=added_line(result, dry_run=dry_run),
        warnings=[*warnings, *result.warnings],
        exit_code=PARTLY_DONE if result.rejected else 0,
    )
