"""What kind of account engaged, and of which organisation: whole-word rules over bio, name and handle, as data."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

from socap_cli.model.account import Profile

OTHERS = "others"


@dataclass(frozen=True)
class Rule:
    """A label with what gives it. What is looked for is worked out once."""

    label: str
    words: tuple[str, ...] = ()
    """Words and phrases that must stand as whole words, whatever their case: not "cto" in "director"."""
    patterns: tuple[str, ...] = ()
    """Regular expressions that must match as whole words."""
    unless: tuple[str, ...] = ()
    """Labels beside which this one is not given."""

    @cached_property
    def expression(self) -> re.Pattern[str]:
        """The whole rule as one expression. Raises re.error for a pattern that is none."""
        words = (r"\s+".join(map(re.escape, word.split())) for word in self.words)
        parts = [*words, *(f"(?:{pattern})" for pattern in self.patterns)]
        return re.compile(rf"(?<!\w)(?:{'|'.join(parts)})(?!\w)" if parts else r"(?!)", re.IGNORECASE)

    @cached_property
    def plain_words(self) -> tuple[str, ...]:
        """The words as `_plain` writes a text."""
        return tuple(map(_plain, self.words))


@dataclass(frozen=True, slots=True)
class LabelRules:
    """The categories of accounts, in order, and the organisations that bios name."""

    categories: tuple[Rule, ...] = ()
    organisations: tuple[Rule, ...] = ()


@dataclass(frozen=True, slots=True)
class Match:
    """A rule that holds for a text, and the part of it that says so."""

    label: str
    found: str
    overruled_by: str | None = None
    """Another label beside which this one is not given."""


def categorize(profile: Profile, rules: LabelRules) -> tuple[str, ...]:
    """The categories of an account, in the rules' order; `others` when none holds."""
    found = matches(text_of(profile), rules.categories)
    return tuple(match.label for match in found if match.overruled_by is None) or (OTHERS,)


def organisations_of(profile: Profile, rules: LabelRules) -> tuple[str, ...]:
    """The organisations that an account names in its bio, name or handle."""
    return tuple(match.label for match in matches(text_of(profile), rules.organisations))


def text_of(profile: Profile) -> str:
    """What of an account the rules look at."""
    return f"{profile.bio} \n {profile.name} \n {profile.username}"


def matches(text: str, rules: Iterable[Rule]) -> tuple[Match, ...]:
    """Every rule that holds for a text, with what it found and what overrules it."""
    found = [(rule, match.group()) for rule, match in _searched(text, rules)]
    labels = {rule.label for rule, _ in found}
    return tuple(
        Match(rule.label, part, next((other for other in rule.unless if other in labels), None))
        for rule, part in found
    )


def _searched(text: str, rules: Iterable[Rule]) -> Iterator[tuple[Rule, re.Match[str]]]:
    plain = _plain(text)
    for rule in rules:
        # Most rules hold for nobody: a plain search tells so much faster than an expression.
        may_hold = rule.patterns or any(word in plain for word in rule.plain_words)
        if may_hold and (match := rule.expression.search(text)):
            yield rule, match


def _plain(text: str) -> str:
    return " ".join(text.lower().split())
