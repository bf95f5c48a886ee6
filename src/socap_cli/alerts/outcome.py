"""What becomes of a message after an attempt: decided from the facts that its error carries. Pure."""

from __future__ import annotations

import traceback
from datetime import datetime, timedelta

from socap_cli.errors import ChannelError, SocapError
from socap_cli.model.alert import ClaimedMessage, DeliveryStatus, Settlement

BACK_OFF = timedelta(minutes=1)
LONGEST_BACK_OFF = timedelta(hours=2)
MOST_REPEATS = 2
"""How often a message that may have arrived is sent again by itself."""
TAKEN_AT_ITS_WORD = 3
"""How often a receiver that says when to come back is asked again just then."""


def after_success() -> Settlement:
    """The channel took it."""
    return Settlement(DeliveryStatus.SENT)


def after_failure(
    message: ClaimedMessage, error: Exception, *, now: datetime, max_attempts: int, resend_unknown: bool
) -> Settlement:
    """Tried again, or not any more: by whether it may have arrived, whether it is final, and how often it was tried.

    An error that is none of ours is a fault of this message; its traceback is kept.
    """
    if not isinstance(error, SocapError):
        said = f"{type(error).__name__}: {error}"
        return Settlement(DeliveryStatus.DEAD, said, traceback="".join(traceback.format_exception(error)))
    said = f"{error.message} ({error.hint})" if error.hint else error.message
    if not isinstance(error, ChannelError) or error.final:
        return Settlement(DeliveryStatus.DEAD, said)
    if error.may_have_arrived:
        again = resend_unknown and message.repeats < MOST_REPEATS
        due = now + back_off(message.attempts) if again else None
        return Settlement(DeliveryStatus.UNKNOWN, said, due, may_have_arrived=True)
    if message.attempts >= max_attempts:
        return Settlement(DeliveryStatus.DEAD, f"given up after {message.attempts} attempts: {said}")
    return Settlement(DeliveryStatus.FAILED, said, now + _wait(message.attempts, error.retry_after))


def _wait(attempts: int, asked: float | None) -> timedelta:
    """What was asked for, the first times; then at least our pauses, or a night of it uses all attempts up."""
    if asked and attempts <= TAKEN_AT_ITS_WORD:
        return timedelta(seconds=asked)
    return max(timedelta(seconds=asked or 0.0), back_off(attempts))


def back_off(attempts: int) -> timedelta:
    """A minute, doubled with each attempt, up to two hours."""
    return min(LONGEST_BACK_OFF, BACK_OFF * float(2 ** min(10, max(0, attempts - 1))))
