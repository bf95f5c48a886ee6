"""The `socap` program: its commands, and the one place where errors become words and exit codes."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from typing import Annotated, Any

import typer

from socap_cli import __version__
from socap_cli.cli import output
from socap_cli.cli.run import BUG, INTERRUPTED, MissingValue, Run, hoist, write_bug_report
from socap_cli.errors import SocapError, UsageError

# None is used, and looking for them reads the metadata of every installed package at every start.
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")

COMMANDS = {
    "init": "setup:init",
    "doctor": "setup:doctor",
    "enqueue": "queue:enqueue",
    "work": "queue:work",
    "status": "queue:status",
    "demo": "demo:demo",
    "simulate": "simulate:simulate",
    "usage": "usage:usage",
}
GROUPS = {
    "campaign": "campaign:app",
    "jobs": "jobs:app",
    "alerts": "alerts:app",
    "report": "report:app",
    "metrics": "report:metrics_app",
    "engagements": "engagements:app",
    "importance": "importance:app",
    "db": "db:app",
}
"""Each word with its module and what it names there. A module is imported when its word is typed, or for help."""


def program(*words: str) -> typer.Typer:
    """The program with these commands, or with all when none of them is one."""
    app = typer.Typer(
        name="socap",
        help="Monitor engagement campaigns on X/Twitter: collect, score, alert, report.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(everywhere)
    known = [word for word in words[:1] if word in COMMANDS or word in GROUPS]
    if "--version" in words[:1]:
        return app
    for word in known or COMMANDS:
        if word in COMMANDS:
            app.command(word)(_named(COMMANDS[word]))
    for word in known or GROUPS:
        if word in GROUPS:
            app.add_typer(_named(GROUPS[word]), name=word)
    return app


def _named(place: str) -> Any:
    module, _, name = place.partition(":")
    return getattr(import_module(f"socap_cli.cli.{module}"), name)


def _version(wanted: bool) -> None:
    if wanted:
        output.print_line(f"socap {__version__}")
        raise typer.Exit


def everywhere(
    config: Annotated[
        str,
        typer.Option(metavar="FILE", help="Configuration file (default: ./socap.toml, then the user's own)."),
    ] = "",
    data_dir: Annotated[str, typer.Option(metavar="DIR", help="Embedded database and logs.")] = "",
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing on success.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Tell more on stderr.")] = False,
    exit_zero: Annotated[bool, typer.Option("--exit-zero", help="Exit 0 whatever happened.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """These options may stand before or after the command. Their values are taken out before parsing."""


def main(arguments: list[str] | None = None) -> None:
    """Run the program and exit with its code, at once.

    Everything is closed by now; an orderly exit of the interpreter would wait half a second for the database
    driver's monitor threads to wake up, at each command.
    """
    output.install()
    os._exit(execute(sys.argv[1:] if arguments is None else arguments))


def execute(arguments: list[str]) -> int:
    """Run one command line; return the exit code. Nothing escapes from here."""
    try:
        run, rest = hoist(arguments)
    except MissingValue as error:
        return error.run.finish(error)
    try:
        code = program(*rest)(rest, prog_name="socap", standalone_mode=False, obj=run)
        output.flush()
        run.exit_code = run.exit_code or (code if isinstance(code, int) else 0)
        return run.finish() if run.result or run.exit_code else 0
    except SocapError as error:
        return run.finish(error)
    except typer.exceptions.TyperException as error:
        return run.finish(_usage_error(error, rest))
    except (KeyboardInterrupt, typer.Abort):
        return _interrupted(run)
    except Exception as error:  # the boundary: whatever is left is a bug, and its report is kept
        path = write_bug_report(run, error)
        bug = SocapError(f"a bug in socap: {type(error).__name__}", hint=f"please report it with {path}")
        bug.exit_code = BUG
        return run.finish(bug)


def _usage_error(error: typer.exceptions.TyperException, arguments: list[str]) -> UsageError:
    said = error.format_message() if hasattr(error, "format_message") else str(error)
    words = [word for word in arguments[:2] if not word.startswith("-")]
    place = " ".join(["socap", *words]) if not said.startswith("No such command") else "socap"
    return UsageError(said.rstrip(".") or "a command is needed", hint=f"see: {place} --help")


def _interrupted(run: Run) -> int:
    stopped = SocapError("interrupted", hint="run it again; what was written stays")
    stopped.exit_code = INTERRUPTED
    return run.finish(stopped)
