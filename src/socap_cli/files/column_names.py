"""Names of columns and of their values, as people write them."""

from __future__ import annotations

import unicodedata


def fold_column(name: str) -> str:
    """A column's name without what people write differently: case, blanks, underscores, hyphens, marks, accents."""
    plain = unicodedata.normalize("NFKD", name).casefold()
    return "".join(character for character in plain if character.isalnum())
