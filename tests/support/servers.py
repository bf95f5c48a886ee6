"""Servers on loopback that misbehave as they are told: raw TCP, webhooks, mail."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import Message
from typing import Any

import trustme
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword

Talk = Callable[[socket.socket], None]


@contextmanager
def raw_server(talk: Talk) -> Iterator[int]:
    """Serve every connection by `talk`; yields the port."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=_talk, args=(talk, connection), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.close()


def _talk(talk: Talk, connection: socket.socket) -> None:
    with connection, suppress(OSError):
        talk(connection)


@dataclass
class Hook:
    """A webhook's receiver: keeps each request whole and answers `answer`, raw."""

    answer: bytes = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    pause: float = 0.0
    """Seconds before each byte of the answer."""
    largest: int = 2**63
    """Bytes of a body that it takes; to more it answers 413."""
    answers: list[bytes] = field(default_factory=list)
    """The first answers, before `answer`."""
    requests: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/services/T0AAAAAA/B0BBBBBB/secretsecretsecret"

    def talk(self, connection: socket.socket) -> None:
        head, _, body = _until(connection, b"\r\n\r\n").partition(b"\r\n\r\n")
        if not head:
            return  # a connection that was given up before anything was asked
        headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n")[1:])
        length = int({name.lower(): value for name, value in headers.items()}.get("content-length", 0))
        while len(body) < length:
            body += connection.recv(65536)
        if len(body) > self.largest:
            connection.sendall(reply(413, b"request entity too large"))
            return
        self.requests.append((headers, body))
        answer = self.answers.pop(0) if self.answers else self.answer
        if not self.pause:
            connection.sendall(answer)
            return
        for byte in answer:
            time.sleep(self.pause)
            connection.sendall(bytes([byte]))


def _until(connection: socket.socket, mark: bytes) -> bytes:
    got = b""
    while mark not in got:
        part = connection.recv(65536)
        if not part:
            break
        got += part
    return got


@contextmanager
def hook(answer: bytes = Hook.answer, *, pause: float = 0.0) -> Iterator[Hook]:
    one = Hook(answer, pause)
    with raw_server(one.talk) as port:
        one.port = port
        yield one


def reply(status: int, body: bytes = b"", **headers: str) -> bytes:
    """An HTTP answer; an underscore in a header's name stands for a dash."""
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    head = "\r\n".join([f"HTTP/1.1 {status} Whatever", f"Content-Length: {len(body)}", *lines])
    return head.encode("latin-1") + b"\r\n\r\n" + body


@dataclass
class Post:
    """A mail server with an account; keeps what it is sent."""

    messages: list[Message] = field(default_factory=list)
    raw: list[bytes] = field(default_factory=list)
    options: list[list[str]] = field(default_factory=list)
    receivers: list[str] = field(default_factory=list)
    logins: list[tuple[bytes, bytes]] = field(default_factory=list)
    answers: dict[str, str] = field(default_factory=dict)
    """Receiver, or DATA: the reply that it gets."""
    port: int = 0

    def authenticate(self, server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        assert isinstance(data, LoginPassword)
        self.logins.append((data.login, data.password))
        return AuthResult(success=data.password == "pässwörd".encode(), handled=False)

    async def handle_RCPT(  # noqa: N802  (the names are aiosmtpd's)
        self, server: Any, session: Any, envelope: Any, address: str, options: list[str]
    ) -> str:
        if refusal := self.answers.get(address):
            return refusal
        envelope.rcpt_tos.append(address)
        self.receivers.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        if refusal := self.answers.get("DATA"):
            return refusal
        self.raw.append(envelope.content)
        self.options.append(envelope.mail_options)
        self.messages.append(message_from_bytes(envelope.content))
        return "250 taken"


@contextmanager
def mail_server(
    authority: trustme.CA | None = None,
    *,
    name: str = "localhost",
    implicit: bool = False,
    login: bool = False,
    utf8: bool = False,
) -> Iterator[Post]:
    """A real one: STARTTLS, or TLS from the start, when there is an authority that signs its certificate."""
    post = Post()
    context = None
    if authority is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(name).configure_cert(context)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        post.port = probe.getsockname()[1]
    options: dict[str, Any] = {"enable_SMTPUTF8": utf8}
    if login:
        options.update(authenticator=post.authenticate, auth_require_tls=context is not None and not implicit)
    if context is not None and not implicit:
        options.update(tls_context=context, require_starttls=True)
    controller = Controller(
        post,
        hostname="127.0.0.1",
        port=post.port,
        ssl_context=context if implicit else None,
        ready_timeout=10,
        **options,
    )
    if implicit:
        controller._trigger_server = lambda: _try_out(post.port)
    controller.start()
    try:
        yield post
    finally:
        controller.stop()


def _try_out(port: int) -> None:
    """Connect without asking who vouches for the certificate."""
    context = ssl._create_unverified_context()
    with socket.create_connection(("127.0.0.1", port), 5) as raw, context.wrap_socket(raw) as secure:
        secure.recv(100)
