"""Options that several commands share, named once, and what their texts mean."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Annotated

import typer

from socap_cli.campaigns.categories import category_of, is_category
from socap_cli.errors import UsageError
from socap_cli.files.pasted import NotAHandle, handle
from socap_cli.model.campaign import TweetCategory
from socap_cli.model.labels import OTHERS, LabelRules

Slug = Annotated[str, typer.Argument(metavar="SLUG", help="The campaign.")]
OptionalSlug = Annotated[str, typer.Argument(metavar="[SLUG]", help="Only this campaign.")]
OnlyCampaign = Annotated[str, typer.Option("--campaign", metavar="SLUG", help="Only this campaign.")]
MinImportance = Annotated[
    float | None, typer.Option(metavar="NUMBER", help="At least this important.", show_default=False)
]
Limit = Annotated[int, typer.Option(min=1, metavar="NUMBER", help="Rows at most.")]
Yes = Annotated[bool, typer.Option("--yes", help="Really do it.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what would change.")]


def moment(text: str, option: str) -> datetime:
    """An ISO 8601 time; without an offset it is UTC. Raises UsageError, at the calendar's edge too."""
    try:
        value = datetime.fromisoformat(text)
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise UsageError(
            f"{option}: {text!r} is no ISO time", hint="write it like 2026-01-31T09:00Z"
        ) from None


def account(text: str, option: str) -> str:
    """The account that a text names: @name, name or a link. Raises UsageError."""
    try:
        return handle(text)
    except NotAHandle as reason:
        raise UsageError(f"{option}: {reason}") from None


def one_of(text: str, known: Iterable[str], what: str) -> str:
    """The one of these words that the text is, in letters of any case. Raises UsageError that lists them."""
    words = [str(word) for word in known]
    for word in words:
        if word.lower() == text.lower():
            return word
    raise UsageError(f"no {what} {text!r}", hint=f"there are {', '.join(words)}")


def category_named(text: str, rules: LabelRules) -> str:
    """A category of tweets or of accounts, as alerts and engagements name it. Raises UsageError that lists them."""
    if is_category(text):
        return category_of(text).short
    accounts = [rule.label for rule in rules.categories]
    return one_of(text, [*(known.short for known in TweetCategory), *accounts, OTHERS], "category")
