"""socap categories …"""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from socap_cli.cli.exporting import write_out
from socap_cli.cli.run import Run
from socap_cli.cli.start import bootstrap
from socap_cli.errors import UsageError
from socap_cli.files.category_rules import default_text
from socap_cli.files.reading import read_text
from socap_cli.model.labels import OTHERS, Match, matches

app = typer.Typer(help="What kind of account engaged: the rules.", no_args_is_help=True)


@app.command("test")
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


@app.command("export")
def export(
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
