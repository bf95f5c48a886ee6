"""socap engagements …"""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from socap_cli.cli.options import Limit, Slug
from socap_cli.cli.run import Run, plain
from socap_cli.errors import SocapError, UsageError

if TYPE_CHECKING:
    from socap_cli.store import Db

app = typer.Typer(help="Who engaged.", no_args_is_help=True)

Category = Annotated[
    str, typer.Option(metavar="C", help="An engager's category (founders, vcs, …) or a tweet's (client, …).")
]
ActionTypeOption = Annotated[str, typer.Option("--action-type", metavar="retweet|reply|quote")]
MinImportance = Annotated[float, typer.Option(help="At least this important.")]
COLUMNS = (
    "tweet_id", "action_type", "source_id", "user_id", "username", "name", "importance_score", "categories",
    "followers", "verified", "engaged_at", "first_seen_at", "removed_at", "backfill", "text",
)  # fmt: skip
DANGEROUS = ("=", "+", "-", "@", "\t", "\r")


@app.command("list")
def list_(
    ctx: typer.Context,
    slug: Slug,
    limit: Limit = 50,
    offset: Annotated[int, typer.Option(min=0)] = 0,
    sort: Annotated[str, typer.Option(metavar="importance_score|timestamp")] = "importance_score",
    category: Category = "",
    action_type: ActionTypeOption = "",
    min_importance: MinImportance = -1.0,
) -> None:
    """List a campaign's engagements, the most important first."""
    from socap_cli.cli.shop import Shop

    run: Run = ctx.obj
    if sort not in ("importance_score", "timestamp"):
        raise UsageError(f"no order {sort!r}", hint="there are importance_score, timestamp")
    with Shop(run).database() as db:
        rows = [
            _public(row)
            for row in _selected(
                db,
                slug,
                category=category,
                action_type=action_type,
                min_importance=min_importance,
                sort=sort,
                limit=limit,
                offset=offset,
            )
        ]

    def show() -> None:
        from socap_cli.cli import tables

        tables.show(
            ("importance", "who", "name", "action", "tweet", "followers", "first seen"),
            (
                [
                    r["importance_score"],
                    f"@{r['username']}",
                    r["name"],
                    r["action_type"],
                    r["tweet_id"],
                    r["followers"],
                    r["first_seen_at"],
                ]
                for r in rows
            ),
            numbers=("importance", "followers"),
        )

    run.done({"engagements": rows, "offset": offset, "limit": limit}, text=show)


@app.command("export")
def export(
    ctx: typer.Context,
    slug: Slug,
    form: Annotated[str, typer.Option("--format", metavar="csv|jsonl|xlsx")] = "csv",
    out: Annotated[str, typer.Option(metavar="FILE", help="Write here instead of stdout.")] = "",
    category: Category = "",
    action_type: ActionTypeOption = "",
    min_importance: MinImportance = -1.0,
) -> None:
    """Write all engagements of a campaign. Cells that a spreadsheet would run are made harmless."""
    from socap_cli.cli.shop import Shop

    run: Run = ctx.obj
    if form not in ("csv", "jsonl", "xlsx"):
        raise UsageError(f"no format {form!r}", hint="there are csv, jsonl, xlsx")
    if not out and (run.json or form == "xlsx"):
        raise UsageError(f"{'--json' if run.json else form} needs a file", hint="give --out FILE")
    with Shop(run).database() as db:
        rows = map(
            _public,
            _selected(db, slug, category=category, action_type=action_type, min_importance=min_importance),
        )
        content, count = {"csv": _csv, "jsonl": _jsonl, "xlsx": _xlsx}[form](rows)
    if out:
        try:
            Path(out).write_bytes(content)
        except OSError as error:
            raise SocapError(f"cannot write {out}: {error.strerror}") from error
        run.done({"file": out, "rows": count}, text=f"{count} rows in {out}")
    else:
        sys.stdout.buffer.write(content)


def _selected(
    db: Db, slug: str, *, category: str, action_type: str, min_importance: float,
    sort: str = "importance_score", limit: int | None = None, offset: int = 0,
) -> Iterator[dict[str, Any]]:  # fmt: skip
    from socap_cli.campaigns import register
    from socap_cli.campaigns.categories import category_of, is_category
    from socap_cli.model import ActionType
    from socap_cli.store import campaigns, engagements

    register.find(db, slug)
    tweets = campaigns.tweets_of(db, slug)
    filters: dict[str, Any] = {}
    if is_category(category):
        tweets = [t for t in tweets if t.category is category_of(category)]
    elif category:
        filters["categories"] = category.lower()
    if action_type:
        if action_type not in set(ActionType):
            raise UsageError(f"no action type {action_type!r}", hint=f"there are {', '.join(ActionType)}")
        filters["action_type"] = action_type
    if min_importance >= 0:
        filters["importance_score"] = {"$gte": min_importance}
    yield from engagements.listed(
        db, [t.tweet_id for t in tweets], sort=sort, limit=limit, offset=offset, filters=filters
    )


def _public(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: row.get(name) for name in COLUMNS}


def _cells(row: Mapping[str, Any]) -> list[str]:
    return [harmless(row[name]) for name in COLUMNS]


def harmless(value: Any) -> str:
    """A cell that no spreadsheet runs: text that begins like a formula gets an apostrophe in front."""
    if value is None:
        return ""
    if isinstance(value, (list, tuple)):
        value = " ".join(value)
    text = str(plain(value)) if not isinstance(value, (bool, int, float, str)) else str(value)
    return f"'{text}" if isinstance(value, str) and text.startswith(DANGEROUS) else text


def _csv(rows: Iterable[Mapping[str, Any]]) -> tuple[bytes, int]:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    count = 0
    for count, row in enumerate(rows, start=1):  # noqa: B007
        writer.writerow(_cells(row))
    return out.getvalue().encode("utf-8-sig"), count


def _jsonl(rows: Iterable[Mapping[str, Any]]) -> tuple[bytes, int]:
    lines = [json.dumps(row, default=plain, ensure_ascii=False) for row in rows]
    return "".join(f"{line}\n" for line in lines).encode(), len(lines)


def _xlsx(rows: Iterable[Mapping[str, Any]]) -> tuple[bytes, int]:
    try:
        from openpyxl import Workbook
    except ImportError as error:
        raise SocapError("xlsx needs openpyxl", hint="pip install 'socap[xlsx]', or export csv") from error
    book = Workbook(write_only=True)
    sheet = book.create_sheet("engagements")
    sheet.append(COLUMNS)
    count = 0
    for count, row in enumerate(rows, start=1):  # noqa: B007
        sheet.append(
            [
                row[n] if isinstance(row[n], (int, float)) else cell
                for n, cell in zip(COLUMNS, _cells(row), strict=True)
            ]
        )
    out = io.BytesIO()
    book.save(out)
    return out.getvalue(), count
