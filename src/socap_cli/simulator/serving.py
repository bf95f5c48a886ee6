"""HTTP on loopback for the simulator: requests become values, and answers go out well or badly, as told."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal
from urllib.parse import parse_qsl, urlsplit

Manner = Literal["plain", "cut", "drop", "drip", "endless"]
"""How an answer goes out: whole, with half of its body, not at all, byte by byte, or without end."""
ENDLESS_BLOCKS = 4_096
BLOCK = b" " * 65_536


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked."""

    method: str
    path: str
    query: dict[str, str]
    headers: Mapping[str, str]
    """By lower-case name."""
    body: bytes


@dataclass(frozen=True, slots=True)
class Response:
    """What is answered."""

    status: int
    body: bytes
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)
    manner: Manner = "plain"
    delay: float = 0.0
    """Seconds before the answer begins."""
    drip_pause: float = 0.2
    """Seconds between two bytes of one that drips."""


class Server(ThreadingHTTPServer):
    """Listens on loopback; each request has a thread."""

    daemon_threads = True
    request_queue_size = 256

    def __init__(self, address: tuple[str, int], respond: Callable[[Request], Response]) -> None:
        self.respond = respond
        super().__init__(address, Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no news."""


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    server: Server

    def do_GET(self) -> None:
        """Answer a request."""
        parts = urlsplit(self.path)
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        response = self.server.respond(Request(self.command, parts.path, query, headers, body))
        if response.delay:
            time.sleep(response.delay)
        self._send(response)

    do_POST = do_GET  # noqa: N815  (the name is http.server's)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  (the name is http.server's)
        """Nothing is logged."""

    def _send(self, response: Response) -> None:
        if response.manner == "drop":
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        body = response.body
        if response.manner == "cut":
            body = body[: max(1, len(body) // 2)]
        length = len(BLOCK) * ENDLESS_BLOCKS if response.manner == "endless" else len(body)
        self.send_response(response.status)
        self.send_header("Content-Type", response.content_type)
        self.send_header("Content-Length", str(length))
        for name, value in response.headers.items():
            self.send_header(name, value)
        self.end_headers()
        if response.manner == "drip":
            self._drip(body, response.drip_pause)
        elif response.manner == "endless":
            for _ in range(ENDLESS_BLOCKS):
                self.wfile.write(BLOCK)
        else:
            self.wfile.write(body)

    def _drip(self, body: bytes, pause: float) -> None:
        for number in range(len(body)):
            self.wfile.write(body[number : number + 1])
            self.wfile.flush()
            time.sleep(pause)
