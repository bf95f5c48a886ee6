"""What can go wrong, as one tree. Each error says what was wrong and, in `hint`, what to do next.

SocapError                      exit 1: failed and told why
├── UsageError                  exit 2: the command line asks for something that cannot be
│   └── ConfigError             exit 2: a key of the configuration is wrong or missing
├── LockHeld                    exit 5: another run does this right now
├── BudgetReached               exit 6: a hard budget forbids the next request
├── StoreError                  the database
│   ├── DatabaseUnreachable     away for now: the same may work later
│   ├── DatabaseRefused         this user may not
│   └── NoMongod                no URI, and no usable mongod on this machine
├── LeaseLost                   somebody else owns this work now: write nothing
├── ProviderError               the data provider
│   ├── RateLimited             ask again after `retry_after` seconds; not the job's fault
│   ├── ProviderUnavailable     5xx, time-out, broken connection: ask again later
│   ├── MalformedAnswer         an answer that is not what the endpoint promises
│   ├── CursorRefused           start the list at the top again
│   ├── RequestRefused          this request is wrong and will stay wrong
│   └── ProviderStop            no request of this run can work: stop it and tell the operator
│       ├── KeyRefused          401, 403
│       ├── CreditsExhausted    402 and usage caps
│       └── WrongAddress        the path does not exist there
└── ChannelError                an alert channel
    ├── DeliveryFailed          try again after `retry_after` seconds
    ├── DeliveryUnknown         it may have arrived
    ├── MessageRefused          this message will never be taken
    └── ChannelDead             the channel takes nothing any more
"""

from __future__ import annotations


class SocapError(Exception):
    """Base of everything that is told to the operator in one line."""

    exit_code = 1

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(SocapError):
    exit_code = 2


class ConfigError(UsageError):
    pass


class LockHeld(SocapError):
    exit_code = 5


class BudgetReached(SocapError):
    exit_code = 6


class StoreError(SocapError):
    pass


class DatabaseUnreachable(StoreError):
    pass


class DatabaseRefused(StoreError):
    pass


class NoMongod(StoreError):
    pass


class LeaseLost(SocapError):
    pass


class ProviderError(SocapError):
    """Carries the endpoint, so that a message names the place."""

    def __init__(self, message: str, *, endpoint: str = "", hint: str | None = None) -> None:
        super().__init__(f"{endpoint}: {message}" if endpoint else message, hint=hint)
        self.endpoint = endpoint


class RateLimited(ProviderError):
    def __init__(self, message: str, *, endpoint: str, retry_after: float, hint: str | None = None) -> None:
        super().__init__(message, endpoint=endpoint, hint=hint)
        self.retry_after = retry_after


class ProviderUnavailable(ProviderError):
    pass


class MalformedAnswer(ProviderError):
    pass


class CursorRefused(ProviderError):
    pass


class RequestRefused(ProviderError):
    pass


class ProviderStop(ProviderError):
    pass


class KeyRefused(ProviderStop):
    pass


class CreditsExhausted(ProviderStop):
    pass


class WrongAddress(ProviderStop):
    pass


class ChannelError(SocapError):
    pass


class DeliveryFailed(ChannelError):
    def __init__(self, message: str, *, retry_after: float | None = None, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.retry_after = retry_after


class DeliveryUnknown(ChannelError):
    pass


class MessageRefused(ChannelError):
    pass


class ChannelDead(ChannelError):
    pass
