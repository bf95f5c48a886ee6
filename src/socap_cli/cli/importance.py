"""socap importance …"""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime, timedelta
from itertools import islice
from typing import Annotated

import typer

from socap_cli.bootstrap import Bootstrap
from socap_cli.bootstrap.collecting import open_client, open_provider
from socap_cli.campaigns import register
from socap_cli.cli import importance_text as text
from socap_cli.cli.exporting import write_out
from socap_cli.cli.importance_files import FORMATS
from socap_cli.cli.options import DryRun, Limit, OnlyCampaign, account, one_of
from socap_cli.cli.run import PARTLY_DONE, Run
from socap_cli.cli.start import bootstrap
from socap_cli.errors import SocapError
from socap_cli.files.reading import display_name, read_text
from socap_cli.importance import accounts, building, importing, reading, rescoring
from socap_cli.importance.accounts import entry_row
from socap_cli.importance.building import BuildResult, Terms
from socap_cli.store import campaigns, firm_check, important_people, locks
from socap_cli.store import importance as index
from socap_cli.store.rescoring import Scope

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


@app.command("import")
def import_(ctx: typer.Context, file: File, dry_run: DryRun = False) -> None:
    """Merge a list into important_people, or into following_index. What others wrote stays.

    Example: socap importance import people.csv --dry-run
    """
    run: Run = ctx.obj
    listed = reading.read(read_text(file), name=display_name(file))
    built = bootstrap(run)
    with built.database() as db:
        merged = importing.import_list(db, built.importance(), listed, now=_now(run), dry_run=dry_run)
    text.left_out(run, listed, merged)
    run.done(
        text.merge_result(built.importance(), listed, merged, dry_run=dry_run),
        text=lambda: text.show_changes(run, merged, dry_run=dry_run),
        warnings=[*listed.notes, *text.weights_changed(built.importance(), merged)],
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
        line = text.estimate_line(expected, built.settings.provider.usd_per_credit)
        done = BuildResult()
        client = open_client(built, db, provider, now=run.now)
        if not dry_run:
            run.info(line)
            with locks.held(db, "importance build"):
                done = building.Builder(db, built.importance(), client, terms, inform=run.info).run(due)
    text.not_read(run, done)
    run.done(
        {
            **asdict(done),
            "requests": client.counts.requests,
            "cost": client.counts.cost,
            "estimate": asdict(expected),
        },
        text=line if dry_run else text.build_line(done, client.counts.requests),
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
        people = [] if by_score else list(islice(important_people.listed(db, built.importance()), limit))
    if by_score:
        run.done(
            {"following_index": [entry_row(entry) for entry in entries]},
            text=lambda: text.show_entries(run, entries),
        )
    else:
        run.done(
            {"important_people": [accounts.person_row(person) for person in people]},
            text=lambda: text.show_people(run, people),
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
    run.done(accounts.account_row(found), text=lambda: text.show_account(run, found, now=run.now()))


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
        text=text.removal_line(found.username, done, dry_run=dry_run),
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
            register.find(db, campaign)
            scope = Scope(tweet_ids=campaigns.tweet_ids_of(db, campaign))
        progress = text.rescoring_progress(run)
        done = rescoring.rescore(
            db, built.importance(), rules, scope=scope, dry_run=dry_run, progress=progress
        )
    run.done({**asdict(done), "dry_run": dry_run}, text=text.rescore_line(done, dry_run=dry_run))


@app.command("init")
def init(ctx: typer.Context, dry_run: DryRun = False) -> None:
    """Make indexes in the firm's own collections, so that look-ups are fast. Nothing else ever does.

    Example: socap importance init --dry-run
    """
    run: Run = ctx.obj
    built = bootstrap(run)
    with built.database() as db:
        made = firm_check.create_indexes(db, built.importance(), dry_run=dry_run)
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
