"""socap db …: the embedded database, and backups of any."""

from __future__ import annotations

import sys
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any

import typer

from socap_cli.bootstrap import Bootstrap
from socap_cli.campaigns.settings import read_days, read_hours
from socap_cli.cli import tables
from socap_cli.cli.options import DryRun, Yes, number
from socap_cli.cli.run import Run, bootstrap
from socap_cli.errors import UsageError
from socap_cli.files import STDOUT, display_name, writing
from socap_cli.retention import Pruned
from socap_cli.retention import prune as prune_old
from socap_cli.settings import secret
from socap_cli.store import backup as backups
from socap_cli.store import open_database
from socap_cli.store.backup import Manifest
from socap_cli.store.backup import restore as restore_backup
from socap_cli.store.connect import database_size
from socap_cli.text import counted

app = typer.Typer(help="The embedded database, and backups of any.", no_args_is_help=True)

Source = Annotated[str, typer.Argument(metavar="FILE|-", help="What `socap db backup` wrote; - is stdin.")]


def _own(run: Run) -> Bootstrap:
    """Raise UsageError unless the database is the embedded one."""
    built = bootstrap(run)
    if built.settings.database.uri:
        raise UsageError(
            "MONGODB_URI is set: socap does not run that database", hint="unset it for the embedded one"
        )
    return built


@app.command("start")
def start(ctx: typer.Context) -> None:
    """Start the embedded database unless it is running.

    Example: socap db start
    """
    run: Run = ctx.obj
    embedded = _own(run).embedded()
    started = embedded.start()
    run.done(
        {"started": started, "pid": embedded.pid(), "uri": embedded.uri},
        text=f"{'started' if started else 'already running'}, pid {embedded.pid()}: {embedded.uri}",
    )


@app.command("stop")
def stop(ctx: typer.Context) -> None:
    """Shut the embedded database down cleanly.

    Example: socap db stop
    """
    run: Run = ctx.obj
    stopped = _own(run).embedded().stop()
    run.done({"stopped": stopped}, text="stopped" if stopped else "not running")


@app.command("status")
def status(ctx: typer.Context) -> None:
    """Show whether the database is running and how large it is. Starts nothing.

    Example: socap db status
    """
    run: Run = ctx.obj
    built = bootstrap(run)
    uri, embedded = secret(built.settings.database.uri), built.embedded()
    pid = None if uri else embedded.pid()
    running = bool(uri) or pid is not None
    result: dict[str, Any] = {"embedded": not uri, "running": running, "pid": pid}
    shown: list[tuple[str, Any]] = [
        ("database", "at MONGODB_URI" if uri else "embedded"),
        (
            "running",
            ("yes" if pid is None else f"yes, pid {pid}") if running else "no; start it: socap db start",
        ),
    ]
    if running:
        with open_database(uri or embedded.uri, built.settings.database.name) as db:
            size = database_size(db)
        result |= size
        shown += [("documents", size["documents"]), ("size", f"{size['bytes'] / 1_000_000:,.1f} MB")]
    if not uri:
        result |= {"data_dir": str(embedded.data_dir), "socket": str(embedded.socket_path)}
        shown += [("folder", result["data_dir"]), ("socket", result["socket"])]
    run.done(result, text=lambda: tables.pairs(shown))


@app.command("backup")
def backup(
    ctx: typer.Context,
    file: Annotated[str, typer.Argument(metavar="FILE|-", help="A .tar.gz of BSON files; - is stdout.")],
) -> None:
    """Write every collection into one file, in the layout that mongorestore reads.

    Example: socap db backup socap.tar.gz
    """
    run: Run = ctx.obj
    to_stdout = file == STDOUT
    if to_stdout and (run.json or sys.stdout.isatty()):
        raise UsageError(
            f"{'--json' if run.json else 'a backup'} needs a file", hint="name a FILE, or a pipe"
        )
    with bootstrap(run).database() as db, writing(file, mode=0o600) as stream:
        manifest = backups.write(db, stream, now=run.now())
    name = display_name(file)
    line = f"{manifest.documents:,} documents in {'stdout' if to_stdout else name}"
    if to_stdout:
        run.info(line)
    else:
        run.done({"file": file, **_counts(manifest)}, text=line)


@app.command("check")
def check(ctx: typer.Context, file: Source) -> None:
    """Read a backup to its end and verify every document. Uses no database.

    Example: socap db check socap.tar.gz
    """
    run: Run = ctx.obj
    manifest = backups.check(file)
    run.done(
        {"file": file, "created_at": manifest.created_at, "program": manifest.program, **_counts(manifest)},
        text=f"complete: {manifest.documents:,} documents of {_written(manifest)}",
    )


@app.command("restore")
def restore(ctx: typer.Context, file: Source, yes: Yes = False, dry_run: DryRun = False) -> None:
    """Replace the database by a backup: all of it or nothing. No worker may be running.

    Example: socap db restore socap.tar.gz --yes
    """
    run: Run = ctx.obj
    if dry_run:
        manifest = backups.check(file)
        text = (
            f"would replace the database by {counted(manifest.documents, 'document')} of {_written(manifest)}"
        )
        run.done({**_counts(manifest), "dry_run": True}, text=text)
        return
    if not yes:
        raise UsageError(
            "this replaces everything in the database",
            hint="add --yes to do it, or --dry-run to verify the backup",
        )
    with bootstrap(run).database(may_be_new=True) as db:
        restored = restore_backup(db, file)
    left = ", ".join(restored.left)
    run.done(
        {**_counts(restored.manifest), "left": list(restored.left)},
        text=f"{restored.manifest.documents:,} documents restored",
        warnings=[f"collections left alone, which are not in the backup: {left}"] if left else [],
    )


@app.command("prune")
def prune(
    ctx: typer.Context,
    older_than: Annotated[
        float | None,
        number(
            "DAYS",
            "Also delete campaigns that were completed so long ago, and data of tweets that no campaign holds.",
        ),
    ] = None,
    taken_back_for: Annotated[
        float, number("HOURS", "Delete what has been gone from X for so long.", min=0)
    ] = 24,
    yes: Yes = False,
    dry_run: DryRun = False,
) -> None:
    """Delete what its author or X deleted or protected, and, when asked to, what is old. What was spent stays.

    What is gone from X is known from the full readings of a list: socap enqueue --verify asks for one.

    Example: socap db prune --older-than 365 --dry-run
    """
    run: Run = ctx.obj
    old = None if older_than is None else read_days(older_than, "--older-than")
    gone = read_hours(taken_back_for, "--taken-back-for")
    if not yes and not dry_run:
        raise UsageError("this deletes data permanently", hint="add --yes to do it, or --dry-run to see what")
    with bootstrap(run).database() as db:
        done = prune_old(db, now=run.now(), taken_back_for=gone, older_than=old, dry_run=dry_run)
    run.done({**asdict(done), "dry_run": dry_run}, text=_pruned_line(done, dry_run=dry_run))


def _pruned_line(done: Pruned, *, dry_run: bool) -> str:
    parts = [f"{counted(done.taken_back, 'engagement')} removed from X"]
    if done.campaigns:
        parts.append(f"{counted(len(done.campaigns), 'campaign')} ({', '.join(done.campaigns)})")
    if done.tweets:
        kept = (
            f"{counted(done.engagements, 'engagement')} and {counted(done.snapshots, 'reading')} of counters"
        )
        parts.append(f"{counted(done.tweets, 'tweet')} with {kept}")
    return f"{'would delete' if dry_run else 'deleted'} {', '.join(parts)}"


def _written(manifest: Manifest) -> str:
    try:
        return tables.cell_text(datetime.fromisoformat(manifest.created_at))
    except ValueError:
        return manifest.created_at


def _counts(manifest: Manifest) -> dict[str, Any]:
    collections = {name: entry.documents for name, entry in manifest.collections.items()}
    return {"documents": manifest.documents, "collections": collections}
