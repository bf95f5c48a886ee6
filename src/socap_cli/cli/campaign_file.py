"""socap campaign apply and export."""

from __future__ import annotations

from typing import Annotated

import typer

from socap_cli.campaigns import applying, document, register
from socap_cli.cli import campaign_text as text
from socap_cli.cli.campaign_input import checked, public_values, verifying
from socap_cli.cli.campaign_options import NoVerify
from socap_cli.cli.exporting import write_out
from socap_cli.cli.options import DryRun, Slug
from socap_cli.cli.run import PARTLY_DONE, Run
from socap_cli.cli.start import bootstrap
from socap_cli.files.reading import display_name, read_text
from socap_cli.store import campaigns

app = typer.Typer()


@app.command("apply")
def apply(
    ctx: typer.Context,
    file: Annotated[str, typer.Argument(metavar="FILE|-", help="A campaign as TOML; - is stdin.")],
    no_verify: NoVerify = False,
    dry_run: DryRun = False,
) -> None:
    """Make a campaign what its file says: create it, or change what differs. The same file twice changes nothing.

    Settings that the file does not name stay. When it lists tweets, these are the campaign's: others are taken out,
    and what was collected of them stays. `socap campaign export` writes such a file.

    Example: socap campaign apply launch.toml --dry-run
    """
    run: Run = ctx.obj
    built = bootstrap(run)
    now = run.now().replace(microsecond=0)
    said = document.read_document(read_text(file), display_name(file))
    with built.database() as db:
        planned = applying.plan(db, said, built.settings.alerts, now=now)
        checked(built, public_values(planned.after))
        verify = bool(planned.new) and not no_verify and not dry_run
        done = None
        if not dry_run:
            with verifying(run, built, db, wanted=verify) as verifier:
                done = applying.carry_out(db, planned, verifier=verifier, now=now)
    rejected = done.rejected if done else planned.rejected
    text.tell_lines(run, (), rejected)
    run.done(
        text.plan_row(planned, done),
        text=lambda: text.show_plan(run, planned, dry_run=dry_run),
        warnings=[*planned.warnings, *text.without_end(planned.after)],
        exit_code=PARTLY_DONE if rejected else 0,
    )


@app.command("export")
def export(
    ctx: typer.Context,
    slug: Slug,
    out: Annotated[str, typer.Option(metavar="FILE", help="Write here instead of stdout.")] = "",
) -> None:
    """Write a campaign as the TOML file that `socap campaign apply` reads. A webhook is a secret and left out.

    Example: socap campaign export launch --out launch.toml
    """
    run: Run = ctx.obj
    with bootstrap(run).database() as db:
        campaign = register.find(db, slug)
        tweets = campaigns.tweets_of(db, slug)
    write_out(run, document.write_document(campaign, tweets), out, len(tweets), what="tweet")
