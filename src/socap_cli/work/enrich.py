"""What kind of account engaged: whole-word rules over bio, name and username, kept as data."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache

from socap_cli.model import Profile

Rules = Mapping[str, Sequence[str]]

OTHERS = "others"
RULES: dict[str, tuple[str, ...]] = {
    "yc_alumni": ("y combinator", "ycombinator", r"yc [swxf]\d\d", r"\(yc\)", "yc alum", "yc alumni", "yc founder"),
    "c_level": (
        "cto", "cfo", "coo", "cmo", "cpo", "chief technology officer", "chief financial officer",
        "chief operating officer", "chief marketing officer", "chief product officer",
    ),
    "founders": ("founder", "founders", "co-founder", "cofounder", "founding", "ceo", "chief executive"),
    "vcs": (
        "vc", "vcs", "venture capital", "venture capitalist", "venture partner", "ventures", "investor",
        "angel investor", "investing in", "general partner", "managing partner", "partner at", "seed fund",
        "a16z", "andreessen horowitz", "sequoia", "accel", "benchmark capital", "founders fund", "greylock",
        "lightspeed", "index ventures", "first round",
    ),
    "ai_creators": (
        "newsletter", "ai builder", "ai creator", "ai researcher", "ai educator", "generative ai", "genai",
        "llm", "llms",
    ),
    "media": (
        "journalist", "reporter", "editor", "editor-in-chief", "correspondent", "columnist", "press", "news",
        "techcrunch", "bloomberg", "reuters", "the verge", "wired", "forbes", "cnbc", "new york times",
        "wall street journal", "financial times",
    ),
    "developers": (
        "developer", "developers", "dev", "engineer", "programmer", "full stack", "full-stack", "fullstack",
        "backend", "back-end", "frontend", "front-end", "tech lead", "software",
    ),
}  # fmt: skip
"""Label to triggers: regular expressions that must match as whole words, whatever their case."""


def categorize(profile: Profile, rules: Rules = RULES) -> tuple[str, ...]:
    """The labels of an account, in the rules' order; `others` when nothing matches.

    `c_level` holds only for those who are not founders or chief executives as well.
    """
    text = f"{profile.bio} \n {profile.name} \n {profile.username}"
    found = [
        label
        for label, pattern in _patterns(tuple((k, tuple(v)) for k, v in rules.items()))
        if pattern.search(text)
    ]
    if "founders" in found and "c_level" in found:
        found.remove("c_level")
    return tuple(found) or (OTHERS,)


@lru_cache(maxsize=8)
def _patterns(rules: tuple[tuple[str, tuple[str, ...]], ...]) -> tuple[tuple[str, re.Pattern[str]], ...]:
    return tuple((label, whole_words(triggers)) for label, triggers in rules)


def whole_words(triggers: Sequence[str]) -> re.Pattern[str]:
    """A pattern that matches any trigger as whole words: not "cto" in "director"."""
    return re.compile(rf"(?<![\w])(?:{'|'.join(triggers)})(?![\w])", re.IGNORECASE)
