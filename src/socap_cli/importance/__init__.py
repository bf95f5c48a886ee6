"""Who is important, and what kind of account engages.

This module holds the rules for categories and organisations: one TOML file, the default one or the operator's.
`importing` merges lists into the customer's collections, `building` reads followings from the provider, `accounts`
shows, removes, exports and rescores.
"""

from __future__ import annotations

import re
import tomllib
from functools import lru_cache
from importlib.resources import files
from typing import Annotated

from pydantic import AfterValidator, BaseModel, StringConstraints, ValidationError

from socap_cli.errors import ConfigError
from socap_cli.files import display_name, read_text
from socap_cli.model.engagement import OTHERS, LabelRules, Rule

HINT = "see a whole file with: socap categories export"
PROBLEMS = {
    "extra_forbidden": "unknown key",
    "model_type": "should be a table",
    "dict_type": "should be a table",
}


def _not_others(label: str) -> str:
    if label == OTHERS:
        raise ValueError(f"{OTHERS} is the category of accounts that no rule matches")
    return label


Words = list[Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]]
Label = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,40}$"), AfterValidator(_not_others)]


class _Category(BaseModel, extra="forbid"):
    words: Words = []
    patterns: Words = []
    unless: list[str] = []


class _RulesFile(BaseModel, extra="forbid"):
    categories: dict[Label, _Category] = {}
    organisations: dict[str, Words] = {}


def default_text() -> str:
    """The rules that hold when no file is named, with comments that explain them."""
    return files("socap_cli.importance").joinpath("categories.toml").read_text(encoding="utf-8")


@lru_cache(maxsize=1)
def default_rules() -> LabelRules:
    """The rules of `default_text`. A test compiles them, so that no command has to."""
    return _parse(default_text(), "the default rules")


def load_rules(path: str) -> LabelRules:
    """The rules of a file. Raises UsageError when it cannot be read, ConfigError that names the wrong rule."""
    return parse_rules(read_text(path), display_name(path))


def parse_rules(text: str, name: str) -> LabelRules:
    """TOML as rules that compile and match something. Raises ConfigError that names the line or the rule."""
    rules = _parse(text, name)
    for rule in (*rules.categories, *rules.organisations):
        try:
            pattern = rule.expression
        except (re.error, OverflowError, RecursionError) as error:
            message = f"{name}: {rule.label}: invalid pattern: {error}"
            raise ConfigError(message, hint="correct it, or use words") from None
        if not rule.words and not rule.patterns:
            raise ConfigError(f"{name}: {rule.label}: has no words and no patterns", hint=HINT)
        if pattern.search(""):
            raise ConfigError(f"{name}: {rule.label}: matches every text", hint="a pattern matches nothing")
    return rules


def _parse(text: str, name: str) -> LabelRules:
    try:
        tree = _RulesFile.model_validate(tomllib.loads(text))
    except ValidationError as errors:
        error = errors.errors()[0]
        place = ".".join(str(part) for part in error["loc"])
        message = PROBLEMS.get(error["type"], error["msg"].removeprefix("Value error, "))
        raise ConfigError(f"{name}: {place}: {message}", hint=HINT) from None
    except RecursionError:
        raise ConfigError(f"{name}: nested too deeply", hint=HINT) from None
    except ValueError as error:
        raise ConfigError(f"{name}: {error}", hint="correct that line") from None
    return LabelRules(
        tuple(
            Rule(label, tuple(one.words), tuple(one.patterns), tuple(one.unless))
            for label, one in tree.categories.items()
        ),
        tuple(Rule(label, tuple(words)) for label, words in tree.organisations.items()),
    )
