"""socap importance …"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from itertools import islice
from typing import Annotated, Any

import typer

from socap_cli.bootstrap import Bootstrap, open_client, open_provider
from socap_cli.campaigns import adding
from socap_cli.cli import tables
from socap_cli.cli.options import DryRun, Limit, OnlyCampaign, account, one_of, write_out
from socap_cli.cli.run import PARTLY_DONE, Run, bootstrap
from socap_cli.errors import SocapError, UsageError
from socap_cli.files import display_name, read_text
from socap_cli.importance import accounts, building, importing
from socap_cli.importance.accounts import Account, Removal, RescoreResult, change_row, default_text, entry_row
from socap_cli.importance.building import USUAL_FOLLOWINGS, BuildEstimate, BuildResult, Terms
from socap_cli.importance.importing import Listed, MergeResult
from socap_cli.model.engagement import OTHERS, Match, matches
from socap_cli.model.important import Change, Follower, ImportantPerson, IndexEntry
from socap_cli.store import campaigns, connect, importance
from socap_cli.store import importance as index
from socap_cli.store.importance import ImportanceCollections, Scope
from socap_cli.text import escape_formulas, json_text

app = typer.Typer(help="Who is important, and why.", no_args_is_help=True)


Name = Annotated[str, typer.Argument(metavar="@NAME", help="An account: @name, name or its link.")]


File = Annotated[
    str,
    typer.Argument(
        metavar="FILE|-", help="A table with username,weight, JSON, or a handle a line; - is stdin."
    ),
]


MostFollowings = Annotated[
    int | None, typer.Option("--limit", min=1, help="Followings read of each person at most.")
]


RefreshAfter = Annotated[
    float | None,
    typer.Option(min=0, max=3650, metavar="DAYS", help="Who was read within this time is left out."),
]


Exported = Iterable[tuple[str, dict[str, Any]]]


def as_csv(rows: Exported) -> tuple[str, int]:
    """The important people as a table."""
    columns = ("username", "weight", "user_id", "name", "organisation", "tags", "is_active")
    stream = io.StringIO(newline="")
    writer = csv.writer(stream)
    writer.writerow(columns)
    count = 0
    for name, row in rows:
        if name == "important_people":
            cells = {**row, "tags": "; ".join(row.get("tags", ()))}
            writer.writerow([escape_formulas(str(cells.get(column, ""))) for column in columns])
            count += 1
    return stream.getvalue(), count


def as_json(rows: Exported) -> tuple[str, int]:
    """Both lists as one JSON object."""
    tree: dict[str, list[dict[str, Any]]] = {"important_people": [], "following_index": []}
    for name, row in rows:
        tree[name].append(row)
    text = json_text(tree, indent=1)
    return text + "\n", sum(map(len, tree.values()))


FORMATS: dict[str, Callable[[Exported], tuple[str, int]]] = {"json": as_json, "csv": as_csv}


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


categories_app = typer.Typer(help="What kind of account engaged: the rules.", no_args_is_help=True)


@app.command("import")
def import_(ctx: typer.Context, file: File, dry_run: DryRun = False) -> None:
    """Merge a list into important_people, or into following_index. What others wrote stays.

    Example: socap importance import people.csv --dry-run
    """
    run: Run = ctx.obj
    listed = importing.read(read_text(file), name=display_name(file))
    built = bootstrap(run)
    with built.database() as db:
        merged = importing.import_list(db, built.importance(), listed, now=_now(run), dry_run=dry_run)
    left_out(run, listed, merged)
    run.done(
        merge_result(built.importance(), listed, merged, dry_run=dry_run),
        text=lambda: show_changes(run, merged, dry_run=dry_run),
        warnings=[*listed.notes, *weights_changed(built.importance(), merged)],
        exit_code=PARTLY_DONE if listed.rejected or merged.refused else 0,
    )


@app.command("build")
def build(
    ctx: typer.Context,
    limit: MostFollowings = None,
    refresh_after: RefreshAfter = None,
    dry_run: DryRun = False,
) -> None:
    """Read whom each important person follows, into following_index. Costs requests, and says before how many.

    Stopped anywhere, it goes on where it was. What others wrote stays; what a build wrote and no build confirms
    expires.

    Example: socap importance build --dry-run
    """
    run: Run = ctx.obj
    built = bootstrap(run)
    terms = _terms(built, limit, refresh_after)
    with built.database() as db, open_provider(built) as provider:
        due, fresh = building.due_people(db, built.importance(), terms, now=_now(run))
        if not due and not fresh:
            raise SocapError("there are no important people yet", hint="socap importance import FILE")
        expected = building.estimate(due, fresh, provider, terms)
        line = estimate_line(expected, built.settings.provider.usd_per_credit)
        done = BuildResult()
        client = open_client(built, db, provider, now=run.now)
        if not dry_run:
            run.info(line)
            with connect.held(db, "importance build"):
                done = building.Builder(db, built.importance(), client, terms, inform=run.info).run(due)
    not_read(run, done)
    run.done(
        {
            **asdict(done),
            "requests": client.counts.requests,
            "cost": client.counts.cost,
            "estimate": asdict(expected),
        },
        text=line if dry_run else build_line(done, client.counts.requests),
        exit_code=PARTLY_DONE if done.problems else 0,
    )


@app.command("list")
def list_(
    ctx: typer.Context,
    by_score: Annotated[
        bool, typer.Option("--index", help="The accounts that they follow, by score, instead of the people.")
    ] = False,
    limit: Limit = 50,
) -> None:
    """List the important people, or the accounts that they follow.

    Example: socap importance list --index
    """
    run: Run = ctx.obj
    built = bootstrap(run)
    with built.database() as db:
        entries = index.highest(db, built.importance(), limit=limit) if by_score else []
        people = [] if by_score else list(islice(importance.listed(db, built.importance()), limit))
    if by_score:
        run.done(
            {"following_index": [entry_row(entry) for entry in entries]},
            text=lambda: show_entries(run, entries),
        )
    else:
        run.done(
            {"important_people": [accounts.person_row(person) for person in people]},
            text=lambda: show_people(run, people),
        )


@app.command("show")
def show(ctx: typer.Context, name: Name) -> None:
    """Show an account's importance with all its reasons.

    Example: socap importance show @ada
    """
    run: Run = ctx.obj
    built = bootstrap(run)
    with built.database() as db:
        found = accounts.find_account(db, built.importance(), account(name, "@NAME"))
    run.done(accounts.account_row(found), text=lambda: show_account(run, found, now=run.now()))


@app.command("remove")
def remove(ctx: typer.Context, name: Name, dry_run: DryRun = False) -> None:
    """Forget an account: as an important person, in the reasons of those it follows, and its own score.

    Example: socap importance remove @ada --dry-run
    """
    run: Run = ctx.obj
    built = bootstrap(run)
    with built.database() as db:
        found = accounts.find_account(db, built.importance(), account(name, "@NAME"))
        would = accounts.remove_account(db, built.importance(), found, now=_now(run), dry_run=True)
        if would == accounts.Removal(0, 0, 0):
            raise SocapError(f"@{found.username} is nowhere", hint="socap importance list")
        done = would if dry_run else accounts.remove_account(db, built.importance(), found, now=_now(run))
    run.done(
        {"username": found.username, **asdict(done), "dry_run": dry_run},
        text=removal_line(found.username, done, dry_run=dry_run),
    )


@app.command("export")
def export(
    ctx: typer.Context,
    form: Annotated[
        str, typer.Option("--format", metavar="json|csv", help="csv holds the people only.")
    ] = "json",
    out: Annotated[str, typer.Option(metavar="FILE", help="Write here instead of stdout.")] = "",
) -> None:
    """Write both collections in the form that `importance import` reads.

    Example: socap importance export --out importance.json
    """
    run: Run = ctx.obj
    write = FORMATS[one_of(form, FORMATS, "format")]
    built = bootstrap(run)
    with built.database() as db:
        content, count = write(accounts.exported(db, built.importance()))
    write_out(run, content, out, count)


@app.command("rescore")
def rescore(ctx: typer.Context, campaign: OnlyCampaign = "", dry_run: DryRun = False) -> None:
    """Score and categorize what is collected anew, by the index and the rules of today.

    Example: socap importance rescore --campaign launch
    """
    run: Run = ctx.obj
    built = bootstrap(run)
    rules = built.rules()
    with built.database() as db:
        scope = Scope()
        if campaign:
            adding.find(db, campaign)
            scope = Scope(tweet_ids=campaigns.tweet_ids_of(db, campaign))
        progress = rescoring_progress(run)
        done = accounts.rescore(
            db, built.importance(), rules, scope=scope, dry_run=dry_run, progress=progress
        )
    run.done({**asdict(done), "dry_run": dry_run}, text=rescore_line(done, dry_run=dry_run))


@app.command("init")
def init(ctx: typer.Context, dry_run: DryRun = False) -> None:
    """Make indexes in the firm's own collections, so that look-ups are fast. Nothing else ever does.

    Example: socap importance init --dry-run
    """
    run: Run = ctx.obj
    built = bootstrap(run)
    with built.database() as db:
        made = importance.create_indexes(db, built.importance(), dry_run=dry_run)
    would = "would make" if dry_run else "made"
    run.done(
        {"indexes": made, "dry_run": dry_run},
        text=f"{would} {', '.join(made)}" if made else "every index that helps is there",
    )


def _terms(built: Bootstrap, limit: int | None, refresh_after: float | None) -> Terms:
    wanted = built.settings.importance
    return Terms(
        limit or wanted.followings_limit,
        timedelta(days=wanted.refresh_after_days if refresh_after is None else refresh_after),
        timedelta(days=wanted.expire_after_days),
    )


def _now(run: Run) -> datetime:
    return run.now().replace(microsecond=0)


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


@categories_app.command("test")
def test(ctx: typer.Context, text: Annotated[str, typer.Argument(metavar="TEXT", help="A bio.")]) -> None:
    """Show which categories and organisations the rules find in a text, and by which words.

    Example: socap categories test "Partner at Fund Z, once a founder"
    """
    run: Run = ctx.obj
    if not text.strip():
        raise UsageError("no text", hint='socap categories test "Founder of Example"')
    built = bootstrap(run)
    rules = built.rules()
    categories, organisations = matches(text, rules.categories), matches(text, rules.organisations)
    held = [match.label for match in categories if match.overruled_by is None] or [OTHERS]
    run.done(
        {
            "categories": held,
            "organisations": [match.label for match in organisations],
            "matches": [asdict(match) for match in (*categories, *organisations)],
            "rules": str(built.settings.importance.categories or "default"),
        },
        text="\n".join([", ".join(held), *(_line(match) for match in (*categories, *organisations))]),
    )


def _line(match: Match) -> str:
    overruled = f", but not beside {match.overruled_by}" if match.overruled_by else ""
    return f"  {match.label}: {match.found!r}{overruled}"


@categories_app.command("export")
def export_rules(
    ctx: typer.Context,
    out: Annotated[str, typer.Option(metavar="FILE", help="Write here instead of stdout.")] = "",
) -> None:
    """Write the rules as TOML, to be edited and named as [importance] categories in the configuration.

    Example: socap categories export --out categories.toml
    """
    run: Run = ctx.obj
    path = bootstrap(run).rules_file()
    rules = read_text(str(path)) if path else default_text()
    write_out(run, rules, out, rules.count("\n"), what="line")
