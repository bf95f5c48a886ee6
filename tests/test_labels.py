"""Categories: whole words only."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from socap_cli.errors import ConfigError
from socap_cli.importance import default_rules, default_text, parse_rules
from socap_cli.model.account import Profile
from socap_cli.model.engagement import LabelRules, Rule, categorize, matches, organisations_of


def test_the_default_rules_are_such_as_an_operator_may_write() -> None:
    assert parse_rules(default_text(), "the default rules") == default_rules()


@pytest.mark.parametrize(
    ("bio", "expected"),
    [
        ("Founder at Example", ("founders",)),
        ("co-founder & CTO", ("founders",)),
        ("CTO at a bank", ("c_level",)),
        ("Director of photography", ("others",)),
        ("svc account, cooking", ("others",)),
        ("I express myself", ("others",)),
        ("pressing matters", ("others",)),
        ("Partner at Northwind Ventures", ("vcs",)),
        ("VC.", ("vcs",)),
        ("YC W24, engineer", ("yc_alumni", "developers")),
        ("Journalist, AI newsletter", ("ai_creators", "media")),
        ("full-stack dev", ("developers",)),
        ("", ("others",)),
        ("مهندس", ("others",)),
    ],
)
def test_an_account_is_labelled_by_whole_words(bio: str, expected: tuple[str, ...]) -> None:
    assert categorize(Profile("1", "somebody", "Some Body", bio), default_rules()) == expected


def test_the_name_counts_too_and_rules_can_be_extended() -> None:
    profile = Profile("1", "x", "Ada (YC)", "bakes bread")
    rules = default_rules()
    more = LabelRules((*rules.categories, Rule("bakers", ("bakes",))))
    assert categorize(profile, rules) == ("yc_alumni",)
    assert categorize(profile, more) == ("yc_alumni", "bakers")


WORDS = (
    "cto", "CTO", "director", "vc", "svc", "y", "combinator", "YC", "W24", "founder,", "ex-google", "\n", "a16z",
)  # fmt: skip


@given(st.lists(st.sampled_from(WORDS), max_size=12))
def test_a_rule_holds_exactly_where_its_words_stand_alone(words: list[str]) -> None:
    bio = " ".join(words)
    rules = default_rules()
    for rule in (*rules.categories, *rules.organisations):
        words_of = [r"\s+".join(map(re.escape, word.split())) for word in rule.words]
        alone = any(re.search(rf"(?<!\w){word}(?!\w)", bio, re.IGNORECASE) for word in words_of)
        if not rule.patterns:
            assert bool(matches(bio, [rule])) is alone


def test_organisations_are_found_by_the_same_rules() -> None:
    assert organisations_of(Profile("1", "x", "Ada", "Partner @a16z, ex-Sequoia"), default_rules()) == (
        "Andreessen Horowitz", "Sequoia",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[categories.x]\nwords = 1", "x.words: Input should be a valid list"),
        ("[categories.x]\npatterns = ['(']", "invalid pattern"),
        ("[categories.x]\npatterns = ['a*']", "matches every text"),
        ("[categories.x]\nwords = ['']", "x.words.0: String should have at least 1 character"),
        ("[categories.x]\nwrods = ['a']", "x.wrods: unknown key"),
        ("[categories.x]", "has no words and no patterns"),
        ("[categories.others]\nwords = ['a']", "others is the category"),
        ("[categories]\nx = 1", "x: should be a table"),
        ("[organisations]\nFund = 'fund'", "Fund: Input should be a valid list"),
        ("[labels]", "labels: unknown key"),
        ("a = oops", "line 1"),
        ("a = " + "[" * 5000, "nested too deeply"),
    ],
)
def test_a_wrong_rule_is_told_with_its_place(text: str, reason: str) -> None:
    with pytest.raises(ConfigError, match=reason) as refused:
        parse_rules(text, "rules.toml")
    assert refused.value.message.startswith("rules.toml")
