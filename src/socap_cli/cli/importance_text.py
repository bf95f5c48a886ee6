"""What `socap importance` and `socap categories` say to a person."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from socap_cli.cli import tables
from socap_cli.cli.run import Run
from socap_cli.importance.accounts import Account, Removal, change_row
from socap_cli.importance.building import USUAL_FOLLOWINGS, BuildEstimate, BuildResult
from socap_cli.importance.importing import MergeResult
from socap_cli.importance.rescoring import RescoreResult
from socap_cli.importance.rows import Listed
from socap_cli.model.important import Change, Follower, ImportantPerson, IndexEntry
from socap_cli.store.importance import ImportanceCollections

SHOWN = 30
"""Changes that are printed one by one."""
REASONS = 4
BATCH = 1000
WORDS = {
    "user_id": "id",
    "is_active": "active",
    "followed_by": "followed by",
    "importance_score": "importance",
}
"""Fields of the collections as people say them."""


def merge_result(
    names: ImportanceCollections, listed: Listed, merged: MergeResult, *, dry_run: bool
) -> dict[str, Any]:
    """What an import did, for a machine."""
    return {
        "important_people": merged.count(names.important_people),
        "following_index": merged.count(names.following_index),
        "unchanged": merged.unchanged,
        "changes": [change_row(change) for change in merged.changes],
        "rejected": [{"place": row.place, "text": row.text, "reason": row.reason} for row in listed.rejected],
        "refused": list(merged.refused),
        "dry_run": dry_run,
    }


def left_out(run: Run, listed: Listed, merged: MergeResult) -> None:
    """Name every row that was not taken."""
    for row in listed.rejected:
        run.info(f"left out: {row.place}: {row.text}: {row.reason}")
    for name in merged.refused:
        run.info(f"left out: {name}: another document stands under its name or id")


def show_changes(run: Run, merged: MergeResult, *, dry_run: bool) -> None:
    """Each change on a line, then how many."""
    for change in merged.changes[:SHOWN]:
        run.info(_change_line(change))
    if len(merged.changes) > SHOWN:
        run.info(f"… and {len(merged.changes) - SHOWN:,} more")
    counts = {name: merged.count(name) for name in dict.fromkeys(c.collection for c in merged.changes)}
    done = ", ".join(f"{count:,} in {name}" for name, count in counts.items()) or "nothing new"
    run.print(f"{'would change ' if dry_run and counts else ''}{done}, {merged.unchanged:,} unchanged")


def weights_changed(names: ImportanceCollections, merged: MergeResult) -> list[str]:
    """That another weight of somebody who is known reaches the scores by the next build only."""
    people = (
        change
        for change in merged.changes
        if change.collection == names.important_people and not change.is_new
    )
    if not any(name == "weight" for change in people for name, _, _ in change.differences):
        return []
    return ["changed weights count in scores from the next build on: socap importance build"]


def _change_line(change: Change) -> str:
    mark = "+" if change.is_new else "~"
    said = [
        f"{WORDS.get(field, field)} {_value(after) if before is None else f'{_value(before)} → {_value(after)}'}"
        for field, before, after in change.differences
    ]
    return f"{mark} @{change.username}: {', '.join(said) or 'new'}"


def _value(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else tables.cell_text(value)


def show_people(run: Run, people: Sequence[ImportantPerson]) -> None:
    """A row for each important person."""
    if not people:
        run.info("there are no important people yet: socap importance import FILE")
        return
    tables.show(
        tables.Columns(
            ("who", "weight", "name", "organisation", "tags", "active"),
            numbers=("weight",),
            cut=("name", "organisation", "tags"),
            drop=("active", "tags", "organisation", "name", "weight"),
        ),
        (
            [
                f"@{p.username}" if p.username else "(unreadable)",
                p.effective_weight,
                p.name,
                p.organisation,
                ", ".join(p.tags) or None,
                p.is_active is not False,
            ]
            for p in people
        ),
    )


def show_entries(run: Run, entries: Sequence[IndexEntry]) -> None:
    """A row for each account in the index."""
    if not entries:
        run.info("the index is empty: socap importance build, or import")
        return
    tables.show(
        tables.Columns(
            ("importance", "who", "followed by"),
            numbers=("importance",),
            cut=("followed by",),
            drop=("followed by", "importance"),
        ),
        ([entry.score, entry.display_name, _why(entry.followers)] for entry in entries),
    )


def _why(followers: Sequence[Follower]) -> str:
    heaviest = sorted(followers, key=lambda f: -f.weight)
    named = ", ".join(f"@{f.username} ({f.weight:g})" for f in heaviest[:REASONS])
    return f"{named} and {len(heaviest) - REASONS} more" if len(heaviest) > REASONS else named


def show_account(run: Run, found: Account, *, now: datetime) -> None:
    """An account's score, and a row for each reason."""
    who = (
        "followed by nobody important" if not found.reasons else f"followed by {len(found.reasons)} important"
    )
    run.print(f"@{found.username}: {found.score:g} – {who}")
    if found.person:
        of = f" ({found.person.organisation})" if found.person.organisation else ""
        run.print(f"an important person{of}, weight {found.person.effective_weight:g}")
    if found.reasons:
        tables.show(
            tables.Columns(
                ("weight", "follower", "name", "source", "since"),
                numbers=("weight",),
                cut=("name",),
                drop=("since", "source", "name", "weight"),
            ),
            ([f.weight, f"@{f.username}", f.name, f.source, f.seen_at] for f in found.reasons),
            now=now,
        )
    for document in (found.entry, found.person):
        for problem in document.problems if document else ():
            run.info(f"cannot be read: {problem}")


def removal_line(username: str, done: Removal, *, dry_run: bool) -> str:
    """What a removal did."""
    parts = [
        f"{done.people} in important_people",
        f"{done.entries} in following_index",
        f"a reason less for {done.entries_changed:,}",
    ]
    return f"{'would remove' if dry_run else 'removed'} @{username}: {', '.join(parts)}"


def estimate_line(expected: BuildEstimate, usd_per_credit: float) -> str:
    """What a build will cost."""
    unknown = f"; {USUAL_FOLLOWINGS:,} followings assumed of {expected.assumed}" if expected.assumed else ""
    return (
        f"{_count(expected.people, 'person', 'people')} to read ({expected.up_to_date} up to date): about "
        f"{_count(expected.requests, 'request', 'requests')}, {expected.cost:,.0f} credits "
        f"(${expected.cost * usd_per_credit:.2f}){unknown}"
    )


def build_line(done: BuildResult, requests: int) -> str:
    """What a build did."""
    return (
        f"{_count(done.people, 'person', 'people')} read, {done.accounts:,} followings: "
        f"{_count(done.entries_changed, 'entry', 'entries')} changed, {done.followers_expired:,} expired, "
        f"{done.entries_removed:,} removed; {_count(requests, 'request', 'requests')}"
    )


def not_read(run: Run, done: BuildResult) -> None:
    """Name everybody whose followings could not be read."""
    for name, problem in done.problems.items():
        run.info(f"not read: @{name}: {problem}")


def rescoring_progress(run: Run) -> Callable[[int], None]:
    """A line every ten thousand engagements."""

    def tell(engagements: int) -> None:
        if engagements % 10_000 < BATCH <= engagements:
            run.info(f"{engagements:,} engagements looked at")

    return tell


def rescore_line(done: RescoreResult, *, dry_run: bool) -> str:
    """What a rescoring did."""
    return (
        f"{'would change' if dry_run else 'changed'} {done.changed:,} of "
        f"{_count(done.engagements, 'engagement', 'engagements')}: {done.higher:,} score higher, "
        f"{done.recategorized:,} have other categories"
    )


def _count(number: int, one: str, many: str) -> str:
    return f"{number:,} {one if number == 1 else many}"
