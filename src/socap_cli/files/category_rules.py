"""The rules for categories and organisations, kept as a TOML file that an operator can edit."""

from __future__ import annotations

import re
import tomllib
from functools import lru_cache
from importlib.resources import files
from typing import Any

from socap_cli.errors import ConfigError
from socap_cli.files.reading import display_name, read_text
from socap_cli.model.labels import OTHERS, LabelRules, Rule

LABEL = re.compile(r"[a-z0-9][a-z0-9_-]{0,40}")
KEYS = ("words", "patterns", "unless")
SHOWN_BY = "see a whole file with: socap categories export"


def default_text() -> str:
    """The rules that hold when no file is named, with what they mean."""
    return files("socap_cli.files").joinpath("categories.toml").read_text(encoding="utf-8")


@lru_cache(maxsize=1)
def default_rules() -> LabelRules:
    """The rules of `default_text`; a test checks them, so that no command compiles what it does not look for."""
    return _read(default_text(), "the default rules")


def load_rules(path: str) -> LabelRules:
    """The rules of a file. Raises UsageError when it cannot be read, ConfigError that names the wrong rule."""
    return parse_rules(read_text(path), display_name(path))


def parse_rules(text: str, name: str) -> LabelRules:
    """TOML as rules. Raises ConfigError that names the line or the rule."""
    rules = _read(text, name)
    for rule in (*rules.categories, *rules.organisations):
        _check(rule, name)
    return rules


def _read(text: str, name: str) -> LabelRules:
    try:
        tree = tomllib.loads(text)
    except RecursionError:
        raise ConfigError(f"{name}: nested too deeply", hint=SHOWN_BY) from None
    except ValueError as error:
        raise ConfigError(f"{name}: {error}", hint="mend that line") from None
    unknown = set(tree) - {"categories", "organisations"}
    if unknown:
        raise ConfigError(f"{name}: no section [{sorted(unknown)[0]}]", hint=SHOWN_BY)
    categories = tuple(
        _category(label, _table(row, f"{name}: [categories.{label}]"), name)
        for label, row in _table(tree.get("categories", {}), f"{name}: [categories]").items()
    )
    organisations = tuple(
        Rule(label, _words(words, f"{name}: [organisations] {label}"))
        for label, words in _table(tree.get("organisations", {}), f"{name}: [organisations]").items()
    )
    return LabelRules(categories, organisations)


def _category(label: str, row: dict[str, Any], name: str) -> Rule:
    place = f"{name}: [categories.{label}]"
    if not LABEL.fullmatch(label) or label == OTHERS:
        raise ConfigError(f"{place}: no usable label", hint="use lower-case letters, digits and _")
    unknown = set(row) - set(KEYS)
    if unknown:
        raise ConfigError(f"{place}: no key {sorted(unknown)[0]}", hint=f"there are {', '.join(KEYS)}")
    words, patterns, unless = (_words(row.get(key, []), f"{place} {key}") for key in KEYS)
    return Rule(label, words, patterns, unless)


def _check(rule: Rule, name: str) -> None:
    """That a rule matches something, and not everything. Raises ConfigError."""
    try:
        pattern = rule.expression
    except (re.error, OverflowError, RecursionError) as error:
        raise ConfigError(
            f"{name}: {rule.label}: not a pattern: {error}", hint="mend it, or use words"
        ) from None
    if not rule.words and not rule.patterns:
        raise ConfigError(f"{name}: {rule.label}: neither words nor patterns", hint=SHOWN_BY)
    if pattern.search(""):
        raise ConfigError(f"{name}: {rule.label}: matches everybody", hint="a word or pattern is empty")


def _table(value: Any, place: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ConfigError(f"{place}: not a table", hint=SHOWN_BY)
    return value


def _words(value: Any, place: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(word, str) and word.strip() for word in value):
        raise ConfigError(f"{place}: not a list of words", hint=SHOWN_BY)
    return tuple(value)
