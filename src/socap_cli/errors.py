"""What can go wrong, as one tree. An error says in one line what failed, and in `hint` what to do next.

The facts that decide about retries are attributes of the class or of the error, so nobody asks for a class by name:
the worker, the limiter, the metered client and the sender of alerts read the same ones.
"""

from __future__ import annotations


class SocapError(Exception):
    """Base of everything that an operator is shown in one line. Exit 1: failed."""

    exit_code = 1
    retry_after: float | None = None
    """Seconds after which the same may be tried; None leaves it to a growing back-off."""
    counts_attempt = False
    """Whether the job used up one of its attempts."""
    is_failure = False
    """Whether there was no answer, so that the next wait is longer."""
    final = False
    """Whether the same will never work."""
    ends_run = False
    """Whether no other work of this run can work either."""
    closed_for = 0.0
    """Seconds for which its endpoint takes no more requests."""
    concerns_one = False
    """Whether other requests were answered meanwhile: the fault is in what was requested."""
    may_have_arrived = False
    """Whether a message may have been accepted all the same."""
    ends_channel = False
    """Whether its channel accepts nothing any more."""
    doubts_address = False
    """Whether the base URL is wrong if everything is answered like this."""

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(SocapError):
    """The command line asks for something that cannot be."""

    exit_code = 2
    ends_run = True


class MissingValue(UsageError):
    """A global option without its value."""


class ConfigError(UsageError):
    """A key of the configuration is wrong or missing."""


class NotATweet(SocapError):
    """A text that names no tweet; the message says why."""


class LockHeld(SocapError):
    """Another run does this right now."""

    exit_code = 5
    ends_run = True


class BudgetReached(SocapError):
    """A hard budget forbids the next request."""

    exit_code = 6
    ends_run = True


class OverBudget(SocapError):
    """The campaigns of this job have spent what they may; others go on."""

    def __init__(self) -> None:
        super().__init__("over budget", hint="see: socap usage --by campaign")


class Stopping(SocapError):
    """The run is being stopped: put the job back as it was."""

    retry_after = 0.0

    def __init__(self) -> None:
        super().__init__("the run is being stopped")


class OutOfPages(SocapError):
    """One job read as many pages as one job may; it goes on in its next turn."""

    retry_after = 0.0

    def __init__(self) -> None:
        super().__init__("more pages to come")


class StoreError(SocapError):
    """The database refused or failed."""

    retry_after = 0.0
    ends_run = True


class DatabaseUnreachable(StoreError):
    """Exit 7: the database cannot be reached; the same may work later."""

    exit_code = 7
    ends_run = False


class DatabaseRefused(StoreError):
    """This user may not."""


class SchemaMismatch(StoreError):
    """The database was written by another version of this program."""


class NotABackup(StoreError):
    """A file that no database can be restored from; the message says why."""


class MongodFailed(StoreError):
    """The embedded mongod did not start, for the reason that it gave."""

    def __init__(self, message: str, *, hint: str | None = None, in_use: bool = False) -> None:
        super().__init__(message, hint=hint)
        self.in_use = in_use
        """Whether another server had not quite left: the same may work in a moment."""


class NoMongod(StoreError):
    """No URI, and no usable mongod on this machine."""


class LeaseLost(SocapError):
    """Somebody else owns this work now: write nothing."""

    retry_after = 1.0


class ProviderError(SocapError):
    """The data provider. Carries the endpoint, so that a message names the place, and what it means for a request."""

    is_limit = False
    """Whether it says that too much was asked."""
    is_unanswered = False
    """Whether the provider gave no answer."""
    is_billed = True
    """Whether the provider answered, and may want to be paid for it."""
    again_at_once = False
    """Whether the same request is worth sending again: most of these do not come twice."""

    def __init__(self, message: str, *, endpoint: str = "", hint: str | None = None) -> None:
        super().__init__(f"{endpoint}: {message}" if endpoint else message, hint=hint)
        self.endpoint = endpoint


class RateLimited(ProviderError):
    """Ask again after `retry_after` seconds, or when the limiter says so; not the job's fault."""

    is_limit = True
    is_billed = False
    again_at_once = True
    asked = True
    """Whether it was the provider that refused."""

    def __init__(
        self, message: str, *, endpoint: str, retry_after: float | None, hint: str | None = None
    ) -> None:
        super().__init__(message, endpoint=endpoint, hint=hint)
        self.retry_after = retry_after
        self.closed_for = retry_after or 0.0


class TurnTooFar(RateLimited):
    """Our own limiter has no turn soon: the provider was not asked."""

    asked = False


class ProviderUnavailable(ProviderError):
    """5xx, time-out, broken connection: ask again later."""

    exit_code = 7
    is_failure = True
    is_unanswered = True
    is_billed = False
    again_at_once = True


class EndpointClosed(ProviderUnavailable):
    """The provider has not answered for a while: only a probe now and then is let through."""

    is_failure = False
    again_at_once = False

    def __init__(self, message: str, *, endpoint: str, closed_for: float) -> None:
        super().__init__(message, endpoint=endpoint)
        self.closed_for = closed_for
        self.retry_after = 0.0


class MalformedAnswer(ProviderError):
    """An answer that is not what the endpoint promises."""

    counts_attempt = True
    again_at_once = True


class CursorRefused(ProviderError):
    """Start the list at the top again."""

    counts_attempt = True


class RequestRefused(ProviderError):
    """This request is wrong and will stay wrong."""

    final = True


class NotFound(RequestRefused):
    """404, 405, 410 or a redirect: its tweet is gone. When everything is answered so, the address is wrong."""

    doubts_address = True


class Forbidden(RequestRefused):
    """403: its tweet is kept from us. When the account is refused too, it is the key."""


class ProviderStop(ProviderError):
    """No request of this run can work: stop it and tell the operator."""

    is_billed = False
    retry_after = 0.0
    ends_run = True


class KeyRefused(ProviderStop):
    """401, and 403 for the account itself."""


class CreditsExhausted(ProviderStop):
    """402 and usage caps."""


class WrongAddress(ProviderStop):
    """The path does not exist there."""


class ChannelError(SocapError):
    """An alert channel."""


class DeliveryFailed(ChannelError):
    """Not taken: try again after `retry_after` seconds."""

    def __init__(self, message: str, *, retry_after: float | None = None, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.retry_after = retry_after


class DeliveryUnknown(ChannelError):
    """It may have arrived."""

    may_have_arrived = True


class AddressNotFound(DeliveryFailed):
    """404: a service that restarts says so as well, so the address is disabled only when it lasts."""


class MessageRefused(ChannelError):
    """This message will never be taken."""

    final = True


class MessageTooLarge(MessageRefused):
    """The same in smaller messages may be taken."""


class ChannelDead(ChannelError):
    """The channel takes nothing any more."""

    final = True
    ends_channel = True
