"""The `socap` program: its commands, and the one place where errors become words and exit codes."""

from __future__ import annotations

import os
import sys
import traceback
from contextlib import suppress
from datetime import UTC, datetime
from importlib import import_module
from typing import Annotated, Any

import typer

from socap_cli import __version__
from socap_cli.cli import options
from socap_cli.cli.options import choice
from socap_cli.cli.run import (
    BUG,
    INTERRUPTED,
    Run,
    flush,
    install_streams,
    print_line,
    say,
    split_global_options,
)
from socap_cli.errors import SocapError, UsageError
from socap_cli.files import write_file

# None is used, and looking for them reads the metadata of every installed package at every start.
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")

COMMANDS = {
    "run": ("cycle:run_cycle", "Run one cycle: enqueue, work, alerts send, report render."),
    "init": ("setup:init", "Write a commented configuration, create the indexes, say what was found."),
    "doctor": ("setup:doctor", "Check configuration, database, provider, channels, clock and disk."),
    "enqueue": ("jobs:enqueue", "Arm the jobs of all active campaigns."),
    "work": ("work:work", "Work the queue until it is empty."),
    "status": ("status:status", "The queue, last runs, coverage, closed endpoints."),
    "demo": ("demo:demo", "Run a simulated launch, everything included."),
    "simulate": ("demo:simulate", "Serve a made-up world in a provider's wire format."),
    "usage": ("status:usage", "Requests, items and money."),
}
GROUPS = {
    "config": ("setup:config_app", "Effective settings, and where each comes from."),
    "campaign": ("campaign:app", "Register campaigns and their tweets."),
    "jobs": ("jobs:app", "Look into the queue."),
    "alerts": ("alerts:app", "Send alerts about important engagements."),
    "report": ("report:app", "Static pages, the mail edition, campaigns compared."),
    "metrics": ("metrics:app", "Counters over time."),
    "engagements": ("engagements:app", "Who engaged."),
    "importance": ("importance:app", "Who is important, and why."),
    "categories": ("importance:categories_app", "What kind of account engaged: the rules."),
    "db": ("db:app", "The embedded database, and backups of any."),
}
"""Each word with its module, what it names there, and its line in the help. Typing a word imports its module."""


def program(*words: str) -> typer.Typer:
    """The program with the command that the first word names, or with a line for each when it names none."""
    app = typer.Typer(
        name="socap",
        help="Monitor engagement campaigns on X/Twitter: collect, score, alert, report.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,  # boxes neither wrap well nor can be searched
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(everywhere)
    word = words[0] if words else ""
    if word in COMMANDS:
        app.command(word)(_named(COMMANDS[word][0]))
    elif word in GROUPS:
        app.add_typer(_named(GROUPS[word][0]), name=word)
    else:
        for name, (_, line) in (*COMMANDS.items(), *GROUPS.items()):
            app.command(name, help=line, short_help=line)(_only_named)
    return app


def _only_named() -> None:
    """Stands for a command in the help."""


def whole_program() -> typer.Typer:
    """The program with every command imported: for tests and documentation."""
    app = typer.Typer(name="socap")
    for word, (place, _) in COMMANDS.items():
        app.command(word)(_named(place))
    for word, (place, _) in GROUPS.items():
        app.add_typer(_named(place), name=word)
    return app


def _named(place: str) -> Any:
    module, _, name = place.partition(":")
    return getattr(import_module(f"socap_cli.cli.{module}"), name)


def _version(wanted: bool) -> None:
    if wanted:
        print_line(f"socap {__version__}")
        raise typer.Exit


def everywhere(
    config: Annotated[
        str,
        typer.Option(metavar="FILE", help="Configuration file (default: ./socap.toml, then the user's own)."),
    ] = "",
    data_dir: Annotated[str, typer.Option(metavar="DIR", help="Embedded database and logs.")] = "",
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")] = False,
    quiet: Annotated[
        bool,
        typer.Option(
            "--quiet", "-q", help="Print nothing on success; -qq repeats an ongoing warning once a day."
        ),
    ] = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Print more on stderr; -vv everything, with tracebacks.")
    ] = False,
    log_format: Annotated[str, choice("text|json", help="How lines of the log are written.")] = "text",
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
    install_streams()
    os._exit(execute(sys.argv[1:] if arguments is None else arguments))


def execute(arguments: list[str]) -> int:
    """Run one command line; return the exit code. Nothing escapes from here."""
    run, rest = Run(), list(arguments)
    try:
        rest = split_global_options(run, options.typed() or arguments)
        _check_encoding(arguments)
        run.log()
        parse = typer.main.get_command(program(*rest))
        code = parse(rest, prog_name="socap", standalone_mode=False, obj=run)
        flush()
        if code == INTERRUPTED:  # the parser's word for Ctrl-C
            return _interrupted(run)
        run.exit_code = run.exit_code or (code if isinstance(code, int) else 0)
        return run.finish() if run.result or run.exit_code else 0
    except SocapError as error:
        return run.finish(error)
    except SystemExit as ended:  # the parser's own way out, of completion
        flush()
        return int(ended.code or 0)
    except typer.exceptions.TyperException as error:
        return run.finish(_usage_error(run, error, rest))
    except (KeyboardInterrupt, typer.Abort):
        return _interrupted(run)
    except Exception as error:  # the boundary: whatever is left is a bug, and its report is kept
        bug = SocapError(f"a bug in socap: {type(error).__name__}", hint=write_bug_report(run, error))
        bug.exit_code = BUG
        return run.finish(bug)


def _check_encoding(arguments: list[str]) -> None:
    """Refuse an argument that was given as bytes which are no UTF-8: no database can hold it. Raises UsageError."""
    for argument in arguments:
        try:
            argument.encode()
        except UnicodeEncodeError:
            raise UsageError(
                f"{argument[:60]!r} is no UTF-8 text", hint="type it again, or check the locale"
            ) from None


def _usage_error(run: Run, error: typer.exceptions.TyperException, arguments: list[str]) -> UsageError:
    """What the parser complains of, as ours, with the help that says what is right."""
    said = error.format_message() if hasattr(error, "format_message") else str(error)
    if said.startswith("Usage: "):  # nothing was typed: it brings the help
        run.print(said)
        said = ""
    words = [word for word in arguments[:2] if not word.startswith("-")]
    if said.startswith("No such command"):
        words = [word for word in words[:1] if word in GROUPS]
    hint = f"see: {' '.join(['socap', *words])} --help"
    return UsageError(said.rstrip(".") or "a command is needed", hint=hint)


def _interrupted(run: Run) -> int:
    stopped = SocapError("interrupted", hint="run it again; what was written stays")
    stopped.exit_code = INTERRUPTED
    return run.finish(stopped)


def write_bug_report(run: Run, error: BaseException) -> str:
    """Keep a traceback, without secrets, where a person can find it; return what to do with it.

    Raises nothing: where no file can be written, stderr gets the traceback.
    """
    text = (
        f"socap {__version__}, Python {sys.version.split()[0]}, {sys.platform}\ncommand: {run.command}\n"
        f"at: {datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}\n\n" + "".join(traceback.format_exception(error))
    )
    text = run.logs.mask(text) if run.logs else text
    folder = run.folder()
    with suppress(SocapError, OSError):
        if folder is not None:
            path = folder / "logs" / f"bug-{run.run_id[:12]}.log"
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_file(path, text.encode("utf-8", "backslashreplace"), mode=0o600)
            return f"please report it with {path}"
    say(text)
    return "please report it with the lines above"
