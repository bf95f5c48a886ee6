"""A provider on loopback that answers every request with one canned answer, byte for byte."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from socap_cli.providers.twitterapi_io import TwitterApiIo


@dataclass
class Canned:
    """What is answered. `body` is bytes, a JSON value, or a function that writes to the connection itself."""

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    paths: list[str] = field(default_factory=list)
    """What was asked, in order."""


class CannedServer(ThreadingHTTPServer):
    daemon_threads = True
    canned: Canned

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that stops reading is what some tests want."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: CannedServer

    def do_GET(self) -> None:
        canned = self.server.canned
        canned.paths.append(self.path)
        if callable(canned.body):
            self.close_connection = True
            canned.body(self.wfile)
            return
        out = canned.body if isinstance(canned.body, bytes) else json.dumps(canned.body).encode()
        self.send_response(canned.status)
        for name, value in canned.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(out)))
        self.end_headers()
        self.wfile.write(out)

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def canned_server() -> Iterator[tuple[str, Canned]]:
    """(address, what it answers: change it at will)."""
    server = CannedServer(("127.0.0.1", 0), Handler)
    server.canned = Canned()
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", server.canned
    finally:
        server.shutdown()
        server.server_close()


Serve = Callable[..., TwitterApiIo]


@contextmanager
def canned_provider(key: str = "the-key-12345678", timeout: float = 2.0) -> Iterator[tuple[Serve, Canned]]:
    """A function that sets the answer and returns the provider that will get it."""
    with canned_server() as (url, canned):
        provider = TwitterApiIo(key, url=url, timeout=timeout)

        def serve(status: int, body: Any, **headers: str) -> TwitterApiIo:
            canned.status, canned.body = status, body
            canned.headers = {name.replace("_", "-"): value for name, value in headers.items()}
            return provider

        yield serve, canned
        provider.close()
