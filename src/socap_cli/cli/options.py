"""Options that several commands share, named once, and what their texts mean."""

from __future__ import annotations

import math
import os
import shlex
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from socap_cli.cli.run import Run, print_line
from socap_cli.errors import UsageError
from socap_cli.files import write_file
from socap_cli.text import counted

if TYPE_CHECKING:
    from socap_cli.model.engagement import LabelRules

ASKED = "_SOCAP_COMPLETE"
"""The shell sets it when it asks for completions."""
TYPED = ("COMP_WORDS", "_TYPER_COMPLETE_ARGS")
"""Where shells put what was typed."""
MOST_ROWS = 2**31 - 1
"""More than any collection has, and what the database takes as a limit."""


def channels(incomplete: str) -> list[str]:
    from socap_cli.channels import CHANNELS

    return [name for name in CHANNELS if name.startswith(incomplete)]


def choice(words: str, *names: str, **attributes: Any) -> Any:
    """An option whose value is one of `words`, written as in `hour|day`; the shell completes it."""

    def complete(incomplete: str) -> list[str]:
        return [word for word in words.split("|") if word.startswith(incomplete)]

    return typer.Option(*names, metavar=words, autocompletion=complete, **attributes)


def finite(value: float | None) -> float | None:
    """A callback of options: refuses nan and inf."""
    if value is not None and not math.isfinite(value):
        raise typer.BadParameter(f"{value} is not a finite number.")
    return value


def number(metavar: str, text: str, *names: str, **more: Any) -> Any:
    """An option whose value is a finite number; `text` is its help."""
    return typer.Option(*names, callback=finite, metavar=metavar, help=text, **more)


def capped(value: int) -> int:
    """A callback of options: the database takes no larger limit. Refuses what no integer of 64 bits can hold."""
    if value >= 2**63:
        raise typer.BadParameter(f"{value} is too large.")
    return min(value, MOST_ROWS)


Slug = Annotated[str, typer.Argument(metavar="SLUG", help="The campaign.")]
OptionalSlug = Annotated[str, typer.Argument(metavar="[SLUG]", help="Only this campaign.")]
OnlyCampaign = Annotated[str, typer.Option("--campaign", metavar="SLUG", help="Only this campaign.")]
MinImportance = Annotated[
    float | None,
    number("NUMBER", "At least this important.", show_default=False),
]
Limit = Annotated[int, typer.Option(min=1, callback=capped, metavar="NUMBER", help="Rows at most.")]
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
    from socap_cli.model.links import NotAHandle, handle

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
    from socap_cli.campaigns.source import category_of, is_category
    from socap_cli.model.campaign import TweetCategory
    from socap_cli.model.engagement import OTHERS

    if is_category(text):
        return category_of(text).short
    accounts = [rule.label for rule in rules.categories]
    return one_of(text, [*(known.short for known in TweetCategory), *accounts, OTHERS], "category")


def typed() -> list[str]:
    """The words that the shell wants completed, without the program's own; none when it did not ask."""
    if not os.environ.get(ASKED):
        return []
    line = next((os.environ[name] for name in TYPED if os.environ.get(name)), "")
    try:
        return shlex.split(line)[1:]
    except ValueError:  # a quote that is still open
        return line.split()[1:]


def write_out(run: Run, content: str, out: str, count: int, *, what: str = "row") -> None:
    """Print an export, or write it to a file.

    Raises SocapError when it cannot be written, UsageError when stdout is to hold the result as JSON too.
    """
    if not out and run.json:
        raise UsageError("--json needs a file", hint="give --out FILE")
    if not out:
        print_line(content.rstrip("\n"))
        run.result = {f"{what}s": count}
        return
    write_file(out, content.encode("utf-8", "replace"))
    run.done({"file": out, f"{what}s": count}, text=f"{counted(count, what)} in {out}")
