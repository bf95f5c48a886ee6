"""A real SMTP server on loopback that keeps what it is sent."""

from __future__ import annotations

from email import message_from_bytes
from email.message import Message
from typing import Any

from socap_cli.errors import SocapError


class Mailbox:
    """Runs until the `with` block ends. `answers` maps a recipient to the SMTP reply it gets."""

    def __init__(self) -> None:
        try:
            from aiosmtpd.controller import Controller
        except ImportError as error:
            raise SocapError(
                "the local SMTP server needs aiosmtpd", hint="pip install 'socap[embedded]'"
            ) from error
        self.messages: list[Message] = []
        self.answers: dict[str, str] = {}
        self._controller: Any = Controller(self, hostname="127.0.0.1", port=0, ready_timeout=10)

    @property
    def url(self) -> str:
        port = self._controller.server.sockets[0].getsockname()[1]
        return f"smtp://127.0.0.1:{port}"

    def __enter__(self) -> Mailbox:
        self._controller.port = _free_port()
        self._controller.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._controller.stop()

    async def handle_RCPT(  # noqa: N802  (the name and its arguments are aiosmtpd's)
        self,
        server: Any,  # noqa: ARG002
        session: Any,  # noqa: ARG002
        envelope: Any,
        address: str,
        options: list[str],  # noqa: ARG002
    ) -> str:
        refusal = self.answers.get(address)
        if refusal:
            return refusal
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: ARG002, N802
        self.messages.append(message_from_bytes(envelope.content))
        return "250 Message accepted for delivery"


def _free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
