"""A channel that keeps what it takes, and answers as Slack, a mail server or a broken line would."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from socap_cli.channels.common import Reply
from socap_cli.channels.slack import judge
from socap_cli.errors import (
    ChannelDead,
    ChannelError,
    ConfigError,
    DeliveryFailed,
    DeliveryUnknown,
    MessageRefused,
)
from socap_cli.model.campaign import Campaign
from socap_cli.model.message import Message
from socap_cli.settings import AlertSettings
from support.mortal import Killed


def _answer(status: int, body: bytes = b"", retry_after: float | None = None) -> BaseException | None:
    """What Slack's answer comes to."""
    try:
        judge(Reply(status, body, body.decode(), retry_after))
    except ChannelError as error:
        return error
    return None


TAKEN: dict[str, BaseException | None] = {
    "200 ok": _answer(200, b"ok"),
    "200 empty": _answer(200),
    "200 of another": _answer(200, b'{"success": true}'),
    "204": _answer(204),
    "time-out after it was taken": DeliveryUnknown("no answer"),
    "taken, but said not ok": _answer(200, b'{"ok": false, "error": "something"}'),
    "killed after it was taken": Killed(),
}
"""Ways to answer that take the message, and what they come to."""
REFUSED: dict[str, BaseException | None] = {
    "429": _answer(429, b'{"retry_after":1,"ok":false,"error":"rate_limited"}', 1.0),
    "429 for long": _answer(429, b"", 3600.0),
    "500": _answer(500, b"oops"),
    "503": _answer(503, b"", 2.0),
    **{
        f"400 {word}": _answer(400, word.encode())
        for word in ("invalid_payload", "invalid_blocks", "no_text", "user_not_found", "too_many_attachments")
    },
    **{
        f"403 {word}": _answer(403, word.encode())
        for word in ("action_prohibited", "invalid_token", "posting_to_general_channel_denied")
    },
    **{f"404 {word}": _answer(404, word.encode()) for word in ("channel_not_found", "no_service", "no_team")},
    "410 channel_is_archived": _answer(410, b"channel_is_archived"),
    "redirected": _answer(302),
    "time-out before it was taken": DeliveryUnknown("no answer"),
    "no connection": DeliveryFailed("cannot be reached"),
    "451 try later": DeliveryFailed("the mail server asks to try later: 451"),
    "550 no such mailbox": ChannelDead("the mail server refused: 550"),
    "554 refused": MessageRefused("the mail server refused: 554"),
    "535 wrong password": ChannelDead("the mail server refused the login: 535"),
    "no longer configured": ConfigError("no mail server"),
    "a fault of ours": ZeroDivisionError("oops"),
    "killed before it was taken": Killed(),
}
"""Ways to answer that do not."""
assert not any(_answer(status) for status in (200, 204))
OK = "200 ok"
MODES = (*TAKEN, *REFUSED)


@dataclass(frozen=True, slots=True)
class Taken:
    """A message as an address took it."""

    address: str
    message_id: str
    is_marked: bool
    """Whether it said that it may be a repeat."""
    alerts: frozenset[str]
    mode: str


@dataclass
class Memory:
    """Answers each address by the modes that are set for it, one after another and around."""

    settings: AlertSettings | None = None
    alerts_of: Callable[[str], frozenset[str]] = lambda message_id: frozenset()
    """The alerts that a message tells."""
    name: str = "memory"
    interval: float = 0.0
    most_people: int = 2
    missing: str = "no memory"
    is_ready: bool = True
    modes: dict[str, tuple[str, ...]] = field(default_factory=dict)
    taken: list[Taken] = field(default_factory=list)
    doubted: set[tuple[str, str]] = field(default_factory=set)
    """(address, alert) of which the answer was lost."""
    said: list[str] = field(default_factory=list)
    """Plain lines."""
    lock: threading.Lock = field(default_factory=threading.Lock)

    def receivers(self, campaign: Campaign) -> tuple[str, ...]:
        return ("team",)

    def check(self, address: str) -> str:
        if "\x00" in address or address == "nonsense":
            raise ConfigError("no address")
        return address

    def shown(self, address: str) -> str:
        return address

    def examine(self, address: str) -> str:
        return "ok"

    def notify(self, address: str, text: str) -> None:
        if self._next(address) not in TAKEN:
            raise DeliveryFailed("no")
        self.said.append(text)

    def send(self, address: str, message: Message) -> None:
        with self.lock:
            mode = self._next(address)
            alerts = self.alerts_of(message.message_id)
            if mode in TAKEN:
                self.taken.append(Taken(address, message.message_id, message.may_be_repeated, alerts, mode))
            error = TAKEN[mode] if mode in TAKEN else REFUSED[mode]
            if isinstance(error, (DeliveryUnknown, Killed)):
                self.doubted |= {(address, alert) for alert in alerts}
        if error is not None:
            raise error

    def _next(self, address: str) -> str:
        first, *others = self.modes.get(address, (OK,))
        self.modes[address] = (*others, first)
        return first
