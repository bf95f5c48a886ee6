"""Options that several commands share, named once."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from socap_cli.errors import UsageError

Slug = Annotated[str, typer.Argument(metavar="SLUG", help="The campaign.")]
OptionalSlug = Annotated[str, typer.Argument(metavar="[SLUG]", help="Only this campaign.")]
Limit = Annotated[int, typer.Option(min=1, help="Rows at most.")]
Yes = Annotated[bool, typer.Option("--yes", help="Really do it.")]


def moment(text: str, option: str) -> datetime:
    """An ISO 8601 time; without an offset it is UTC. Raises UsageError."""
    try:
        value = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(
            f"{option}: {text!r} is no ISO time", hint="write it like 2026-01-31T09:00Z"
        ) from None
    return (value if value.tzinfo else value.replace(tzinfo=UTC)).astimezone(UTC)
