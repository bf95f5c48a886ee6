"""The simulator on real HTTP: the provider's paths, a Slack-like webhook, and `/sim/...` to steer it."""

from __future__ import annotations

import csv
import io
import json
import random
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar
from urllib.parse import parse_qsl, urlsplit

from socap_cli.simulator.clock import Clock
from socap_cli.simulator.faults import Fate, Faults
from socap_cli.simulator.twitterapi import Answer, TwitterApi
from socap_cli.simulator.world import World

FREE_PATHS = {"/oapi/my/info"}


@dataclass
class Ledger:
    """What was asked and what it cost."""

    requests: Counter[str] = field(default_factory=Counter)
    statuses: Counter[int] = field(default_factory=Counter)
    times: dict[str, list[float]] = field(default_factory=dict)
    """Per path, the monotonic time of each request."""
    items: int = 0
    credits: float = 0.0

    def as_dict(self) -> dict[str, Any]:
        return {
            "requests": dict(self.requests),
            "statuses": {str(status): count for status, count in self.statuses.items()},
            "items": self.items,
            "credits": self.credits,
        }


@dataclass
class Sink:
    """A webhook's receiver: keeps what it was sent and answers as told."""

    messages: list[dict[str, Any]] = field(default_factory=list)
    status: int = 200
    body: str = "ok"
    retry_after: str | None = None
    hang_seconds: float = 0.0


class Simulator:
    """Serves one World on loopback until closed. Usable as a context manager."""

    def __init__(
        self,
        world: World,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        speed: float = 0.0,
        key: str | None = None,
        page: int = 20,
        seed: int = 7,
        faults: Faults | None = None,
    ) -> None:
        self.world = world
        self.clock = Clock(world.start, speed=speed)
        self.faults = faults or Faults()
        self.fate = Fate(self.faults, seed)
        self.api = TwitterApi(world, self.clock.now, self.fate, page=page)
        self.key = key
        self.ledger = Ledger()
        self.slack = Sink()
        self._lock = threading.Lock()
        self._jitter = random.Random(seed)
        self._server = _Server((host, port), _handler_for(self))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    @property
    def url(self) -> str:
        host, port = self._server.server_address[:2]
        return f"http://{host!s}:{port}"

    def __enter__(self) -> Simulator:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def serve_forever(self) -> None:
        self._server.serve_forever()

    def close(self) -> None:
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()

    def provider(self, path: str, query: dict[str, str], key: str | None) -> tuple[Answer, str | None]:
        """Answer a provider request; the second value is a fault that the transport must play."""
        with self._lock:
            self.ledger.requests[path] += 1
            self.ledger.times.setdefault(path, []).append(time.monotonic())
        if self.key is not None and key != self.key:
            return Answer(401, {"error": "Unauthorized", "message": "Invalid API key"}, credits=0), None
        fate = self.fate.draw(path, has_cursor=bool(query.get("cursor")))
        if self.faults.latency:
            time.sleep(self.faults.latency * self._jitter.uniform(0.9, 1.1))
        if fate in _FAILURES:
            return _FAILURES[fate](self), None
        answer = self.api.answer(path, query)
        with self._lock:
            if self.faults.credits is not None and path not in FREE_PATHS:
                if self.faults.credits < answer.credits:
                    said = "Credits is not enough. Please recharge"
                    return Answer(402, {"error": "Unauthorized", "message": said}, credits=0), None
                self.faults.credits -= answer.credits
            self.ledger.items += answer.billed_items
            self.ledger.credits += answer.credits
        return answer, fate if fate in ("garble", "drop", "hang") else None

    def control(self, method: str, path: str, query: dict[str, str], body: bytes) -> tuple[int, str, bytes]:
        """Answer a `/sim/...` request: (status, content type, body)."""
        wanted = json.loads(body) if body else {}
        if path == "/sim/slack" and method == "POST":
            return self._slack(wanted)
        if path == "/sim/advance" and method == "POST":
            step = timedelta(minutes=float(query.get("minutes", 30)))
            return _json({"now": self.clock.advance(step).isoformat()})
        if path == "/sim/faults" and method == "POST":
            try:
                self.faults.update(wanted)
            except ValueError as error:
                return 400, "text/plain", str(error).encode()
            return _json({"ok": True})
        if path in self._reads:
            return self._reads[path](self)
        return 404, "text/plain", f"there is no {method} {path} here".encode()

    def _slack(self, message: dict[str, Any]) -> tuple[int, str, bytes]:
        if self.slack.hang_seconds:
            time.sleep(self.slack.hang_seconds)
        with self._lock:
            self.slack.messages.append(message)
        return self.slack.status, "text/plain", self.slack.body.encode()

    def truth(self) -> dict[str, Any]:
        truth = self.world.truth(self.clock.now())
        return {
            tweet_id: {kind: sorted(ids) for kind, ids in lists.items()} for tweet_id, lists in truth.items()
        }

    def tweets_csv(self) -> str:
        """A campaign file: every tweet's URL with its category."""
        return _csv(("url", "category"), ((t.url, t.category.short) for t in self.world.tweets.values()))

    _reads: ClassVar[dict[str, Callable[[Simulator], tuple[int, str, bytes]]]] = {
        "/sim/state": lambda self: _json(
            {"now": self.clock.now().isoformat(), "ledger": self.ledger.as_dict()}
        ),
        "/sim/truth": lambda self: _json(self.truth()),
        "/sim/messages": lambda self: _json({"slack": self.slack.messages}),
        "/sim/tweets.csv": lambda self: (200, "text/csv", self.tweets_csv().encode()),
        "/sim/following_index.json": lambda self: _json({"following_index": self.world.following_index}),
        "/sim/important_people.json": lambda self: _json({"important_people": self.world.important}),
    }


_FAILURES: dict[str, Callable[[Simulator], Answer]] = {
    "error": lambda _: Answer(502, {"message": "upstream error"}, credits=0),
    "html": lambda _: Answer(503, "<html><body>Service Unavailable</body></html>", credits=0),
    "limit": lambda s: Answer(
        429, {"error": "Too Many Requests", "message": f"QPS limit reached: {s.faults.qps:g}"}, credits=0
    ),
    "expire": lambda _: Answer(400, {"detail": "cursor expired or invalid"}, credits=0),
    "refuse": lambda _: Answer(400, {"detail": "bad request"}, credits=0),
    "status": lambda _: Answer(200, {"status": "error", "msg": "something went wrong"}, credits=0),
    "empty": lambda _: Answer(200, {"has_next_page": False}, credits=0),
}


def _json(value: object) -> tuple[int, str, bytes]:
    return 200, "application/json", json.dumps(value, separators=(",", ":"), default=str).encode()


def _csv(header: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return out.getvalue()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no news."""


def _handler_for(simulator: Simulator) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            self._serve()

        def do_POST(self) -> None:
            self._serve()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  (the name is http.server's)
            pass

        def _serve(self) -> None:
            parts = urlsplit(self.path)
            query = dict(parse_qsl(parts.query, keep_blank_values=True))
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if parts.path.startswith("/sim/"):
                status, content_type, out = simulator.control(self.command, parts.path, query, body)
                self._send(status, content_type, out, retry_after=simulator.slack.retry_after)
            elif self.command != "GET":
                self._send(405, "application/json", b'{"detail":"Method Not Allowed"}')
            else:
                self._provide(parts.path, query)

        def _provide(self, path: str, query: dict[str, str]) -> None:
            answer, fault = simulator.provider(path, query, self.headers.get("X-API-Key"))
            with simulator._lock:
                simulator.ledger.statuses[answer.status] += 1
            if fault == "drop":
                self.close_connection = True
                self.connection.shutdown(socket.SHUT_RDWR)
                return
            if fault == "hang":
                time.sleep(simulator.faults.hang_seconds)
            text = isinstance(answer.body, str)
            out = answer.body.encode() if text else json.dumps(answer.body, separators=(",", ":")).encode()
            if fault == "garble":
                out = out[: max(1, len(out) // 2)]
            wait = f"{simulator.faults.retry_after:g}" if answer.status == 429 else None
            self._send(answer.status, "text/html" if text else "application/json", out, retry_after=wait)

        def _send(
            self, status: int, content_type: str, out: bytes, *, retry_after: str | None = None
        ) -> None:
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(out)))
            if retry_after is not None:
                self.send_header("Retry-After", retry_after)
            self.end_headers()
            self.wfile.write(out)

    Handler.wbufsize = -1
    return Handler
