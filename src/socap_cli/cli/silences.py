"""socap alerts silence."""

from __future__ import annotations

import getpass
import uuid
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Annotated

import typer

from socap_cli.bootstrap.telling import alert_context
from socap_cli.campaigns import register
from socap_cli.cli import tables
from socap_cli.cli.options import DryRun, account, category_named, one_of
from socap_cli.cli.run import Run
from socap_cli.cli.start import bootstrap
from socap_cli.model.alert import LONG_SILENCE, Silence
from socap_cli.model.kinds import action_types
from socap_cli.store import silences

MOST_MINUTES = LONG_SILENCE.total_seconds() / 60


def silence(
    ctx: typer.Context,
    slug: Annotated[str, typer.Argument(metavar="[SLUG]", help="Only this campaign's alerts.")] = "",
    minutes: Annotated[
        float | None,
        typer.Option(
            min=0, max=MOST_MINUTES, metavar="N", help="For how long (default: 60); 0 ends it at once."
        ),
    ] = None,
    person: Annotated[str, typer.Option(metavar="@NAME", help="Only alerts about this account.")] = "",
    category: Annotated[
        str, typer.Option(metavar="C", help="Only a category of tweets (client …) or accounts (founders …).")
    ] = "",
    action_type: Annotated[str, typer.Option(metavar="A", help="Only retweet, reply or quote.")] = "",
    comment: Annotated[str, typer.Option(metavar="TEXT", help="Why.")] = "",
    author: Annotated[str, typer.Option(metavar="NAME", help="Who says so (default: the user here).")] = "",
    dry_run: DryRun = False,
) -> None:
    """Hold alerts back for a while. They are not lost: they go out together afterwards.

    Without anything it lists the silences.

    Example: socap alerts silence launch --minutes 90 --comment "the party"
    """
    run: Run = ctx.obj
    built = bootstrap(run)
    with built.database() as db:
        now = alert_context(built, db).now()
        if not any((slug, person, category, action_type)) and minutes is None:
            active = silences.active(db, now=now)
            run.done(
                {"silences": [asdict(one) for one in active]},
                text=lambda: show_silences(run, active, now=now),
            )
            return
        wanted = Silence(
            silence_id=uuid.uuid4().hex,
            until=now + timedelta(minutes=60 if minutes is None else minutes),
            created_at=now,
            author=author or _user(),
            comment=comment,
            campaign_id=register.find(db, slug).slug if slug else None,
            username=account(person, "--person") if person else None,
            category=category_named(category, built.rules()) if category else None,
            action_type=one_of(action_type, action_types(), "action") if action_type else None,
        )
        ended = 0
        if minutes == 0:
            ended = silences.count_like(db, wanted) if dry_run else silences.end(db, wanted)
        elif not dry_run:
            silences.put(db, wanted)
    until = None if minutes == 0 else wanted.until
    result = {"slug": slug or None, "silenced_until": until, "scope": wanted.scope, "ended": ended}
    run.done({**result, "dry_run": dry_run}, text=_said(wanted.scope, until, ended, dry_run=dry_run))


def _said(scope: str, until: datetime | None, ended: int, *, dry_run: bool) -> str:
    if until:
        return f"{'would be silent' if dry_run else 'silent'} until {until:%Y-%m-%d %H:%M} UTC: {scope}"
    if not ended:
        return f"there is no silence of {scope}"
    return f"{'would end the silence' if dry_run else 'silence ended'}: {scope}"


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return "somebody"


def show_silences(run: Run, active: Sequence[Silence], *, now: datetime) -> None:
    """A row for each silence."""
    if not active:
        run.info("no silence")
        return
    rows = ([one.scope, one.until, one.author, one.comment] for one in active)
    tables.show(
        tables.Columns(("silenced", "until", "by", "comment"), cut=("comment",), drop=("by", "comment")),
        rows,
        now=now,
    )
