"""What can go wrong in the program itself and with its database."""

from __future__ import annotations


class SocapError(Exception):
    """Base of everything that is told to the operator in one line."""

    exit_code = 1
    retry_after: float | None = None
    counts_attempt = False
    is_failure = False
    final = False
    ends_run = False
    closed_for = 0.0
    concerns_one = False
    """Whether others were answered, and nothing else has failed since: it is about what was asked."""
    may_have_arrived = False
    ends_channel = False
    doubts_address = False

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
    """The database is away for now: the same may work later."""

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
