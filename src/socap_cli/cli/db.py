"""socap db …: the embedded database."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from socap_cli.bootstrap import Bootstrap
from socap_cli.cli import tables
from socap_cli.cli.options import Yes
from socap_cli.cli.run import Run
from socap_cli.cli.start import bootstrap
from socap_cli.errors import UsageError
from socap_cli.store import backup as stage
from socap_cli.store import indexes, open_database

app = typer.Typer(help="The embedded database, and backups of any.", no_args_is_help=True)


def _own(run: Run) -> Bootstrap:
    """The built of a run whose database is the embedded one."""

    built = bootstrap(run)
    if built.settings.database.uri:
        raise UsageError(
            "MONGODB_URI is set: that database is not run by socap", hint="unset it for the embedded one"
        )
    return built


@app.command("start")
def start(ctx: typer.Context) -> None:
    """Start it, unless it runs."""
    run: Run = ctx.obj
    embedded = _own(run).embedded()
    started = embedded.start()
    said = "started" if started else "already runs"
    run.done(
        {"started": started, "pid": embedded.pid(), "uri": embedded.uri},
        text=f"{said}, pid {embedded.pid()}: {embedded.uri}",
    )


@app.command("stop")
def stop(ctx: typer.Context) -> None:
    """Shut it down cleanly."""
    run: Run = ctx.obj
    stopped = _own(run).embedded().stop()
    run.done({"stopped": stopped}, text="stopped" if stopped else "it did not run")


@app.command("status")
def status(ctx: typer.Context) -> None:
    """Tell whether it runs and how large it is. Starts nothing."""

    run: Run = ctx.obj
    built = bootstrap(run)
    uri = built.settings.database.uri
    embedded = built.embedded()
    running = bool(uri) or embedded.pid() is not None
    result: dict[str, Any] = {"embedded": not uri, "running": running, "pid": None if uri else embedded.pid()}
    if running:
        with open_database(
            uri.get_secret_value() if uri else embedded.uri, built.settings.database.name
        ) as db:
            stats = db.command("dbStats")
            result |= {
                "documents": int(stats["objects"]),
                "bytes": int(stats["dataSize"] + stats["indexSize"]),
            }
    if not uri:
        result |= {"data_dir": str(embedded.data_dir), "socket": str(embedded.socket_path)}

    def show() -> None:

        tables.pairs(result.items())

    run.done(result, text=show)


@app.command("backup")
def backup(
    ctx: typer.Context, file: Annotated[str, typer.Argument(metavar="FILE", help="A .tar.gz of BSON files.")]
) -> None:
    """Write every collection into one file, in the layout that mongorestore reads."""

    run: Run = ctx.obj
    with bootstrap(run).database() as db:
        count = stage.write(db, Path(file))
    run.done({"file": file, "documents": count}, text=f"{count:,} documents in {file}")


@app.command("restore")
def restore(
    ctx: typer.Context, file: Annotated[str, typer.Argument(metavar="FILE")], yes: Yes = False
) -> None:
    """Replace the database by a backup."""

    run: Run = ctx.obj
    if not yes:
        raise UsageError("this replaces everything in the database", hint="say --yes to do it")
    with bootstrap(run).database() as db:
        count = stage.read(db, Path(file))
        indexes.ensure(db)
    run.done({"documents": count}, text=f"{count:,} documents restored")
