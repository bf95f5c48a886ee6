"""What the simulator needs of a provider's wire format. A new one is a module here and a row in `server.FORMATS`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from socap_cli.simulator.faults import Fate, Fault
from socap_cli.simulator.world import World

Query = dict[str, str]


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer and what it costs. `body` is a JSON value, or text that is HTML."""

    status: int
    body: Any
    billed_items: int = 0
    credits: float = 0.0
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Setting:
    """What a wire format is spoken over."""

    world: World
    now: Callable[[], datetime]
    fate: Fate
    page: int = 20
    """Items on a page, where a request does not say."""


class WireFormat(Protocol):
    """A provider's endpoints over a world."""

    @property
    def label(self) -> str:
        """The provider's name, as the settings have it."""

    def key_in(self, headers: Mapping[str, str]) -> str | None:
        """The key that a request holds; headers are named in lower case."""

    def endpoint(self, path: str) -> str:
        """What requests are counted, and limited, under."""

    def cursor_in(self, query: Query) -> str:
        """The cursor of the page that a request asks for; empty for the first one."""

    def is_free(self, path: str) -> bool:
        """Whether a request costs nothing, whatever the account has left."""

    def answer(self, path: str, query: Query) -> Answer:
        """Answer one request at the world's present moment."""

    def failure(self, fault: Fault) -> Answer | None:
        """The answer that a fault is; None when it is none of its own."""

    def refused_key(self) -> Answer:
        """The answer to a wrong key."""

    def no_credits(self) -> Answer:
        """The answer when too few credits are left."""
