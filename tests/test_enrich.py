"""Categories: whole words only."""

from __future__ import annotations

import pytest

from socap_cli.files.category_rules import default_rules
from socap_cli.model import Profile
from socap_cli.model.labels import LabelRules, Rule, categorize


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
