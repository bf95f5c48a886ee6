"""init and doctor."""

from __future__ import annotations

from importlib.resources import files
from typing import Annotated, Any

import typer

from socap_cli.cli.checks import run_checks
from socap_cli.cli.output import print_line
from socap_cli.cli.run import Run
from socap_cli.cli.start import bootstrap
from socap_cli.config import find_file, missing_file
from socap_cli.files.writing import write_file
from socap_cli.store import indexes


def init(ctx: typer.Context) -> None:
    """Write a commented socap.toml if there is none, create the indexes, say what was found.

    Example: socap init
    """

    run: Run = ctx.obj
    path = missing_file(run.config)
    written = path is not None
    if path is not None:
        write_file(path, (files("socap_cli") / "config.example.toml").read_bytes(), mode=0o600)
        run.config = path
    found = find_file(run.config)
    place = found.path if found else None
    built = bootstrap(run)
    with built.database(may_be_new=True) as db:
        names = built.settings.database
        count = indexes.ensure(db)
        server = db.client.server_info()["version"]
    lines = [
        f"{'wrote' if written else 'found'} {place}",
        f"MongoDB {server} at {'MONGODB_URI' if names.uri else built.embedded().db_path}, {count} indexes",
        "provider key: "
        + ("set" if built.settings.provider.api_key else "not set; export TWITTER_API_KEY=…"),
    ]
    result = {"config": str(place), "written": written, "indexes": count, "mongodb": server}
    run.done(result, text="\n".join(lines))


def doctor(
    ctx: typer.Context,
    offline: Annotated[bool, typer.Option("--offline", help="Ask nobody outside this machine.")] = False,
) -> None:
    """Check configuration, database, provider, channels, clock and disk: a line each, exit 1 if one fails.

    Example: socap doctor --offline
    """

    run: Run = ctx.obj
    checks = run_checks(bootstrap(run), offline=offline)
    rows: list[dict[str, Any]] = [
        {"check": c.name, "state": c.state, "message": c.message, "hint": c.hint} for c in checks
    ]
    failed = any(c.state == "fail" for c in checks)

    def show() -> None:

        if run.quiet and not failed:
            return
        for c in checks:
            hint = f" – {c.hint}" if c.hint else ""
            print_line(f"{c.state:<5} {c.name}: {c.message}{hint}")

    run.done({"checks": rows}, text=show, exit_code=1 if failed else 0)
