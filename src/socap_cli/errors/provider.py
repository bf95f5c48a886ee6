"""What a data provider can answer, or not."""

from __future__ import annotations

from socap_cli.errors.base import SocapError


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
