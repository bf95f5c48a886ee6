"""The firm's own collections may refuse to be read: that costs what they would say, and no alert."""

from __future__ import annotations

from socap_cli.errors import DatabaseUnreachable
from socap_cli.store import translate_error


def told_unreadable(error: Exception) -> str:
    """What to say of importance that could not be looked up. Raises the error when the whole database is away."""
    fault = translate_error(error)
    if isinstance(fault, DatabaseUnreachable):
        raise error
    said = fault.message if fault is not None else f"{type(error).__name__}: {error}"
    return f"importance could not be looked up: {said}"
