"""socap importance …"""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from socap_cli.cli.run import Run
from socap_cli.cli.start import bootstrap
from socap_cli.errors import SocapError, UsageError
from socap_cli.store import importance

app = typer.Typer(help="Who is important, and why.", no_args_is_help=True)


@app.command("import")
def import_(
    ctx: typer.Context,
    file: Annotated[
        str, typer.Argument(metavar="FILE|-", help="JSON, or CSV with username,weight; - is JSON on stdin.")
    ],
) -> None:
    """Fill important_people (CSV or JSON) or following_index (JSON)."""

    run: Run = ctx.obj
    tree = _read(file)
    people, index = tree.get("important_people", []), tree.get("following_index", [])
    _check(people, ("username",), f"{file}: important_people")
    _check(index, ("followed_username", "followed_user_id", "followed_by"), f"{file}: following_index")
    if not people and not index:
        raise UsageError(
            f"{file} holds nobody", hint='use {"important_people": […]}, {"following_index": […]} or CSV'
        )
    built = bootstrap(run)
    with built.database() as db:
        counts = {
            "important_people": importance.put_people(db, built.firm(), people, now=run.now()),
            "following_index": importance.put_index(db, built.firm(), index, now=run.now()),
        }
    run.done(counts, text=", ".join(f"{count} in {name}" for name, count in counts.items() if count))


@app.command("build")
def build(
    ctx: typer.Context,
    most: Annotated[int, typer.Option(min=1, help="Followings read of each person at most.")] = 5000,
) -> None:
    """Fill following_index: read whom each important person follows. Costs requests."""

    run: Run = ctx.obj
    built = bootstrap(run)
    with built.database() as db, built.provider() as provider:
        people = importance.people(db, built.firm())
        if not people:
            raise SocapError("there are no important people yet", hint="socap importance import FILE")
        client = built.client(db, provider, now=run.now)
        followed: dict[str, dict[str, Any]] = {}
        try:
            for person in people:
                for profile in client.followings(person["username"], limit=most):
                    entry = followed.setdefault(
                        profile.user_id,
                        {
                            "followed_username": profile.username,
                            "followed_user_id": profile.user_id,
                            "followed_by": [],
                        },
                    )
                    entry["followed_by"].append(
                        {k: person.get(k) for k in ("username", "user_id", "name")}
                        | {"weight": person.get("weight", 1)}
                    )
        finally:
            client.meter.write()
        count = importance.put_index(db, built.firm(), followed.values(), now=run.now())
    result = {"important_people": len(people), "following_index": count, "requests": client.counts.requests}
    run.done(
        result, text=f"{count} accounts followed by {len(people)} people, {client.counts.requests} requests"
    )


@app.command("show")
def show(ctx: typer.Context, name: Annotated[str, typer.Argument(metavar="@NAME")]) -> None:
    """Show an account's importance and its reasons."""

    run: Run = ctx.obj
    built = bootstrap(run)
    username = name.removeprefix("@")
    with built.database() as db:
        found = importance.find_by_username(db, built.firm(), username)
    score = found.score if found else 0.0
    reasons = [{"username": who, "weight": weight} for who, weight in (found.reasons if found else ())]
    why = ", ".join(f"@{r['username']} ({r['weight']:g})" for r in reasons) or "followed by nobody important"
    run.done(
        {"username": username, "importance_score": score, "reasons": reasons},
        text=f"@{username}: {score:g} – {why}",
    )


def _read(file: str) -> dict[str, list[dict[str, Any]]]:
    try:
        text = sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read {file}: {getattr(error, 'strerror', None) or 'not UTF-8'}") from error
    if file.lower().endswith(".csv"):
        rows = list(csv.DictReader(text.splitlines()))
        return {
            "important_people": [
                {**row, "username": (row.get("username") or "").strip().removeprefix("@")} for row in rows
            ]
        }
    try:
        tree = json.loads(text)
    except json.JSONDecodeError as error:
        raise UsageError(f"{file}: line {error.lineno}: not JSON: {error.msg}") from error
    if isinstance(tree, list):
        name = (
            "following_index"
            if tree and isinstance(tree[0], dict) and "followed_by" in tree[0]
            else "important_people"
        )
        return {name: tree}
    if not isinstance(tree, dict):
        raise UsageError(f"{file}: neither a list nor an object")
    return tree


def _check(rows: Any, needed: tuple[str, ...], place: str) -> None:
    if not isinstance(rows, list):
        raise UsageError(f"{place} is not a list")
    for number, row in enumerate(rows, start=1):
        missing = next((name for name in needed if not isinstance(row, dict) or not row.get(name)), None)
        if missing:
            raise UsageError(f"{place}: entry {number} has no {missing}")
        for entry in (row, *(row.get("followed_by") or () if "followed_by" in needed else ())):
            try:
                float(entry.get("weight") or 1)
            except (AttributeError, TypeError, ValueError):
                raise UsageError(f"{place}: entry {number}: weight is no number") from None
