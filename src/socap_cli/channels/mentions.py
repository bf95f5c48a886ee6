"""Words of strangers that would call everybody together."""

from __future__ import annotations

import re

CALLS = re.compile(r"@(?=(?:everyone|here|channel|all|group|room|team)\b)|<(?=[!@#&])", re.IGNORECASE)
"""What chat programs read as a mention of many, also where the text is not markup."""


def without_mentions(text: str) -> str:
    """The same text to the eye, with a character of no width where a mention would begin."""
    return CALLS.sub(lambda match: f"{match.group()}\u200b", text)
