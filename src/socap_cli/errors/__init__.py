"""What can go wrong, as one tree. Each error says what was wrong and, in `hint`, what to do next.

SocapError                      exit 1: failed and told why
├── UsageError                  exit 2: the command line asks for something that cannot be
│   ├── MissingValue            exit 2: a global option without its value
│   └── ConfigError             exit 2: a key of the configuration is wrong or missing
├── NotATweet                   a text that names no tweet, and why
├── LockHeld                    exit 5: another run does this right now
├── BudgetReached               exit 6: a hard budget forbids the next request
├── OverBudget                  the campaigns of this job have spent what they may; others go on
├── Stopping                    the run is being stopped: put the job back as it was
├── OutOfPages                  one job read as many pages as one job may: it goes on in its next turn
├── StoreError                  the database
│   ├── DatabaseUnreachable     exit 7: away for now: the same may work later
│   ├── DatabaseRefused         this user may not
│   ├── SchemaMismatch          the database was written by another version of this program
│   ├── NotABackup              a file that no database can be restored from, and why
│   ├── MongodFailed            the embedded mongod did not start; says why
│   └── NoMongod                no URI, and no usable mongod on this machine
├── LeaseLost                   somebody else owns this work now: write nothing
├── ProviderError               the data provider
│   ├── RateLimited             ask again after `retry_after` seconds; not the job's fault
│   │   └── TurnTooFar          our own limiter has no turn soon
│   ├── ProviderUnavailable     exit 7: 5xx, time-out, broken connection: ask again later
│   │   └── EndpointClosed      it has not answered for a while: only a probe now and then is let through
│   ├── MalformedAnswer         an answer that is not what the endpoint promises
│   ├── CursorRefused           start the list at the top again
│   ├── RequestRefused          this request is wrong and will stay wrong
│   │   ├── Forbidden           403: its tweet is kept from us
│   │   └── NotFound            404, 405, 410, 3xx: its tweet is gone, or the address is wrong
│   └── ProviderStop            no request of this run can work: stop it and tell the operator
│       ├── KeyRefused          401, and 403 for the account itself
│       ├── CreditsExhausted    402 and usage caps
│       └── WrongAddress        the path does not exist there
└── ChannelError                an alert channel
    ├── DeliveryFailed          try again after `retry_after` seconds
    ├── DeliveryUnknown         it may have arrived
    ├── MessageRefused          this message will never be taken
    └── ChannelDead             the channel takes nothing any more

What decides about retries are facts that the error carries, not its class:

retry_after      seconds after which the same may be tried; None leaves it to a growing back-off
counts_attempt   whether the job used up one of its attempts
is_failure       whether nobody answered, so that the next wait is longer
final            whether the same will never work
ends_run         whether no other work of this run can work either
may_have_arrived whether a message may have been taken all the same
ends_channel     whether its channel takes nothing any more
closed_for       seconds for which its endpoint takes no more requests
doubts_address   whether the address would be wrong if everything were answered so
"""

from socap_cli.errors.base import (
    BudgetReached,
    ConfigError,
    DatabaseRefused,
    DatabaseUnreachable,
    LeaseLost,
    LockHeld,
    MissingValue,
    MongodFailed,
    NoMongod,
    NotABackup,
    NotATweet,
    OutOfPages,
    OverBudget,
    SchemaMismatch,
    SocapError,
    Stopping,
    StoreError,
    UsageError,
)
from socap_cli.errors.channel import (
    ChannelDead,
    ChannelError,
    DeliveryFailed,
    DeliveryUnknown,
    MessageRefused,
)
from socap_cli.errors.provider import (
    CreditsExhausted,
    CursorRefused,
    EndpointClosed,
    Forbidden,
    KeyRefused,
    MalformedAnswer,
    NotFound,
    ProviderError,
    ProviderStop,
    ProviderUnavailable,
    RateLimited,
    RequestRefused,
    TurnTooFar,
    WrongAddress,
)

__all__ = [
    "BudgetReached",
    "ChannelDead",
    "ChannelError",
    "ConfigError",
    "CreditsExhausted",
    "CursorRefused",
    "DatabaseRefused",
    "DatabaseUnreachable",
    "DeliveryFailed",
    "DeliveryUnknown",
    "EndpointClosed",
    "Forbidden",
    "KeyRefused",
    "LeaseLost",
    "LockHeld",
    "MalformedAnswer",
    "MessageRefused",
    "MissingValue",
    "MongodFailed",
    "NoMongod",
    "NotABackup",
    "NotATweet",
    "NotFound",
    "OutOfPages",
    "OverBudget",
    "ProviderError",
    "ProviderStop",
    "ProviderUnavailable",
    "RateLimited",
    "RequestRefused",
    "SchemaMismatch",
    "SocapError",
    "Stopping",
    "StoreError",
    "TurnTooFar",
    "UsageError",
    "WrongAddress",
]
