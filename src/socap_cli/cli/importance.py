"""socap importance …, socap categories …"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from itertools import islice
from typing import Annotated, Any

import typer

from socap_cli.bootstrap import open_client, open_provider
from socap_cli.campaigns import adding
from socap_cli.cli import tables
from socap_cli.cli.options import DryRun, Limit, OnlyCampaign, account, choice, one_of, write_out
from socap_cli.cli.run import PARTLY_DONE, Run, bootstrap
from socap_cli.errors import SocapError, UsageError
from socap_cli.files import display_name, read_text
from socap_cli.importance import accounts, building, default_text, importing
from socap_cli.importance.accounts import Account, entry_row, person_row
from socap_cli.importance.building import USUAL_FOLLOWINGS, BuildEstimate, BuildResult, Terms
from socap_cli.importance.importing import MergeResult
from socap_cli.model.engagement import OTHERS, Match, matches
from socap_cli.model.important import Change, ImportantPerson, IndexEntry
from socap_cli.store import campaigns, connect
from socap_cli.store import importance as store
from socap_cli.store.importance import ImportanceCollections
from socap_cli.text import counted, escape_formulas, json_text

app = typer.Typer(help="Who is important, and why.", no_args_is_help=True)
categories_app = typer.Typer(help="What kind of account engaged: the rules.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(metavar="@NAME", help="An account: @name, name or its link.")]
Out = Annotated[str, typer.Option(metavar="FILE", help="Write here instead of stdout.")]

CSV_COLUMNS = ("username", "weight", "user_id", "name", "organisation", "tags", "is_active")
SHOWN_CHANGES = 30
SHOWN_REASONS = 4
FIELD_WORDS = {"user_id": "id", "is_active": "active", "importance_score": "importance"}


@app.command("import")
def import_(
    ctx: typer.Context,
    file: Annotated[
        str,
        typer.Argument(
            metavar="FILE|-", help="A table with username,weight, JSON, or a handle per line; - is stdin."
        ),
    ],
    column: Annotated[
        str, typer.Option(metavar="NAME", help="The column with the accounts, if its name is unusual.")
    ] = "",
    dry_run: DryRun = False,
) -> None:
    """Merge a list into important_people, or into following_index. Fields that it does not name stay.

    Example: socap importance import people.csv --dry-run
    """
    run: Run = ctx.obj
    imported = importing.read(read_text(file), name=display_name(file), column=column)
    built = bootstrap(run)
    names = built.importance()
    with built.database() as db:
        merged = importing.import_list(db, names, imported, now=run.second(), dry_run=dry_run)
    for row in imported.rejected:
        run.info(f"rejected: {row.place}: {row.text}: {row.reason}")
    for name in merged.refused:
        run.info(f"rejected: {name}: another document has its name or id")
    run.done(
        {
            "important_people": merged.count(names.important_people),
            "following_index": merged.count(names.following_index),
            "unchanged": merged.unchanged,
            "changes": [_change_row(change) for change in merged.changes],
            "rejected": [asdict(row) for row in imported.rejected],
            "refused": list(merged.refused),
            "dry_run": dry_run,
        },
        text=lambda: show_changes(run, merged, dry_run=dry_run),
        warnings=[*imported.notes, *_changed_weights(names, merged)],
        exit_code=PARTLY_DONE if imported.rejected or merged.refused else 0,
    )


def _change_row(change: Change) -> dict[str, Any]:
    differences = [
        {"field": field, "before": before, "after": after} for field, before, after in change.differences
    ]
    return {
        "collection": change.collection,
        "username": change.username,
        "new": change.is_new,
        "differences": differences,
    }


def show_changes(run: Run, merged: MergeResult, *, dry_run: bool) -> None:
    """Each change on a line, then the totals."""
    for change in merged.changes[:SHOWN_CHANGES]:
        parts = [
            f"{FIELD_WORDS.get(field, field)} {'' if before is None else f'{_value(before)} → '}{_value(after)}"
            for field, before, after in change.differences
        ]
        run.info(f"{'+' if change.is_new else '~'} @{change.username}: {', '.join(parts) or 'new'}")
    if len(merged.changes) > SHOWN_CHANGES:
        run.info(f"… and {len(merged.changes) - SHOWN_CHANGES:,} more")
    counts = {name: merged.count(name) for name in dict.fromkeys(c.collection for c in merged.changes)}
    done = ", ".join(f"{count:,} in {name}" for name, count in counts.items()) or "no changes"
    run.print(f"{'would change ' if dry_run and counts else ''}{done}, {merged.unchanged:,} unchanged")


def _value(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else tables.cell_text(value)


def _changed_weights(names: ImportanceCollections, merged: MergeResult) -> list[str]:
    changes = [one for one in merged.changes if one.collection == names.important_people and not one.is_new]
    if any(field == "weight" for change in changes for field, _, _ in change.differences):
        return ["changed weights count in scores from the next build on: socap importance build"]
    return []


@app.command("build")
def build(
    ctx: typer.Context,
    dry_run: DryRun = False,
) -> None:
    """Read whom each important person follows, into following_index. Costs requests; prints the estimate first.

    An interrupted build continues where it stopped. What others wrote stays; what a build wrote expires when no
    later build confirms it.

    Example: socap importance build --dry-run
    """
    run: Run = ctx.obj
    built = bootstrap(run)
    configured = built.settings.importance
    terms = Terms(
        configured.followings_limit,
        timedelta(days=configured.refresh_after_days),
        timedelta(days=configured.expire_after_days),
    )
    with built.database() as db, open_provider(built) as provider:
        due, fresh = building.due_people(db, built.importance(), terms, now=run.second())
        if not due and not fresh:
            raise SocapError("no important people configured", hint="socap importance import FILE")
        estimate = building.estimate(due, fresh, provider, terms)
        line = _estimate_line(estimate, built.settings.provider.usd_per_credit)
        done = BuildResult()
        client = open_client(built, db, provider, now=run.now)
        if not dry_run:
            run.info(line)
            with connect.held(db, "importance build"):
                done = building.Builder(db, built.importance(), client, terms, inform=run.info).run(due)
    for name, problem in done.problems.items():
        run.info(f"not read: @{name}: {problem}")
    requests = client.counts.requests
    summary = (
        f"{counted(done.people, 'person', 'people')} read, {done.accounts:,} followings: "
        f"{counted(done.entries_changed, 'entry', 'entries')} changed, {done.followers_expired:,} expired, "
        f"{done.entries_removed:,} removed; {counted(requests, 'request')}"
    )
    run.done(
        {**asdict(done), "requests": requests, "cost": client.counts.cost, "estimate": asdict(estimate)},
        text=line if dry_run else summary,
        exit_code=PARTLY_DONE if done.problems else 0,
    )


def _estimate_line(estimate: BuildEstimate, usd_per_credit: float) -> str:
    unknown = f"; {USUAL_FOLLOWINGS:,} followings assumed for {estimate.assumed}" if estimate.assumed else ""
    return (
        f"{counted(estimate.people, 'person', 'people')} to read ({estimate.up_to_date} up to date): about "
        f"{counted(estimate.requests, 'request')}, {estimate.cost:,.0f} credits "
        f"(${estimate.cost * usd_per_credit:.2f}){unknown}"
    )


@app.command("list")
def list_(
    ctx: typer.Context,
    by_score: Annotated[
        bool, typer.Option("--index", help="List the accounts that they follow, by score, instead.")
    ] = False,
    limit: Limit = 50,
) -> None:
    """List the important people, or the accounts that they follow.

    Example: socap importance list --index
    """
    run: Run = ctx.obj
    built = bootstrap(run)
    names = built.importance()
    with built.database() as db:
        total = db[names.following_index if by_score else names.important_people].count_documents({})
        entries = store.highest(db, names, limit=limit) if by_score else []
        people = [] if by_score else list(islice(store.listed(db, names), limit))
    if by_score:
        rows = [entry_row(entry) for entry in entries]
        run.done({"following_index": rows, "total": total}, text=lambda: show_entries(run, entries))
    else:
        rows = [person_row(person) for person in people]
        run.done({"important_people": rows, "total": total}, text=lambda: show_people(run, people))


def show_people(run: Run, people: Sequence[ImportantPerson]) -> None:
    """A row per important person."""
    if not people:
        run.info("no important people configured: socap importance import FILE")
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
    """A row per account in the index."""
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
        ([entry.score, entry.display_name, _followers(entry)] for entry in entries),
    )


def _followers(entry: IndexEntry) -> str:
    named = ", ".join(f"@{f.username} ({f.weight:g})" for f in entry.heaviest[:SHOWN_REASONS])
    more = len(entry.followers) - SHOWN_REASONS
    return f"{named} and {more} more" if more > 0 else named


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


def show_account(run: Run, found: Account, *, now: datetime) -> None:
    """An account's score, and a row per reason."""
    count = len(found.reasons)
    people = counted(count, "important person", "important people") if count else "no important people"
    run.print(f"@{found.username}: {found.score:g} – followed by {people}")
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
    for problem in accounts.account_row(found)["problems"]:
        run.info(f"unreadable: {problem}")


@app.command("remove")
def remove(ctx: typer.Context, name: Name, dry_run: DryRun = False) -> None:
    """Remove an account: as an important person, from the reasons of those it follows, and its own score.

    Example: socap importance remove @ada --dry-run
    """
    run: Run = ctx.obj
    built = bootstrap(run)
    with built.database() as db:
        found = accounts.find_account(db, built.importance(), account(name, "@NAME"))
        done = accounts.remove_account(db, built.importance(), found, now=run.second(), dry_run=True)
        if done == accounts.Removal(0, 0, 0):
            raise SocapError(f"@{found.username} not found", hint="socap importance list")
        if not dry_run:
            done = accounts.remove_account(db, built.importance(), found, now=run.second())
    run.done(
        {"username": found.username, **asdict(done), "dry_run": dry_run},
        text=f"{'would remove' if dry_run else 'removed'} @{found.username}: {done.people} in important_people, "
        f"{done.entries} in following_index, one reason less for {counted(done.entries_changed, 'account')}",
    )


@app.command("export")
def export(
    ctx: typer.Context,
    form: Annotated[str, choice("json|csv", "--format", help="csv holds the people only.")] = "json",
    out: Out = "",
) -> None:
    """Write both collections in the form that `importance import` reads.

    Example: socap importance export --out importance.json
    """
    run: Run = ctx.obj
    is_csv = one_of(form, ("json", "csv"), "format") == "csv"
    lists: dict[str, list[dict[str, Any]]] = {"important_people": [], "following_index": []}
    built = bootstrap(run)
    with built.database() as db:
        for name, row in accounts.exported(db, built.importance()):
            lists[name].append(row)
    if not is_csv:
        write_out(run, json_text(lists, indent=1) + "\n", out, sum(map(len, lists.values())))
        return
    stream = io.StringIO(newline="")
    writer = csv.writer(stream)
    writer.writerow(CSV_COLUMNS)
    for row in lists["important_people"]:
        cells = {**row, "tags": "; ".join(row.get("tags", ()))}
        writer.writerow([escape_formulas(str(cells.get(column, ""))) for column in CSV_COLUMNS])
    write_out(run, stream.getvalue(), out, len(lists["important_people"]))


@app.command("rescore")
def rescore(ctx: typer.Context, campaign: OnlyCampaign = "", dry_run: DryRun = False) -> None:
    """Score and categorize what is collected again, by the index and the rules of today.

    Example: socap importance rescore --campaign launch
    """
    run: Run = ctx.obj
    built = bootstrap(run)
    rules = built.rules()
    with built.database() as db:
        tweet_ids = None
        if campaign:
            adding.find(db, campaign)
            tweet_ids = campaigns.tweet_ids_of(db, campaign)
        done = accounts.rescore(db, built.importance(), rules, tweet_ids=tweet_ids, dry_run=dry_run)
    run.done(
        {**asdict(done), "dry_run": dry_run},
        text=f"{'would change' if dry_run else 'changed'} {done.changed:,} of "
        f"{counted(done.engagements, 'engagement')}: {done.higher:,} score higher, "
        f"{done.recategorized:,} have other categories",
    )


@categories_app.command("test")
def test(ctx: typer.Context, text: Annotated[str, typer.Argument(metavar="TEXT", help="A bio.")]) -> None:
    """Show which categories and organisations match a text, and by which words.

    Example: socap categories test "Partner at Fund Z, once a founder"
    """
    run: Run = ctx.obj
    if not text.strip():
        raise UsageError("no text", hint='socap categories test "Founder of Example"')
    built = bootstrap(run)
    rules = built.rules()
    categories, organisations = matches(text, rules.categories), matches(text, rules.organisations)
    labels = [match.label for match in categories if match.overruled_by is None] or [OTHERS]
    run.done(
        {
            "categories": labels,
            "organisations": [match.label for match in organisations],
            "matches": [asdict(match) for match in (*categories, *organisations)],
            "rules": str(built.settings.importance.categories or "default"),
        },
        text="\n".join([", ".join(labels), *(_match_line(match) for match in (*categories, *organisations))]),
    )


def _match_line(match: Match) -> str:
    overruled = f", but not beside {match.overruled_by}" if match.overruled_by else ""
    return f"  {match.label}: {match.found!r}{overruled}"


@categories_app.command("export")
def export_rules(ctx: typer.Context, out: Out = "") -> None:
    """Write the rules as TOML, to be edited and named as [importance] categories in the configuration.

    Example: socap categories export --out categories.toml
    """
    run: Run = ctx.obj
    path = bootstrap(run).rules_file()
    rules = read_text(str(path)) if path else default_text()
    write_out(run, rules, out, rules.count("\n"), what="line")
