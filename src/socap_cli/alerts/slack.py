"""Slack incoming webhooks."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import httpx

from socap_cli.alerts.message import Line, Message, detail
from socap_cli.errors import ChannelDead, ConfigError, DeliveryFailed, DeliveryUnknown, MessageRefused

INTERVAL = 1.0
"""Seconds between two messages to one webhook, over all processes."""
LOOPBACK = ("127.0.0.1", "localhost", "::1")
DEAD = {401, 403, 404, 410}


def check_address(url: str, hosts: tuple[str, ...]) -> str:
    """The webhook's URL when alerts may go there. Raises ConfigError that never shows the URL itself."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise ConfigError("the Slack webhook is not a URL") from None
    if parts.scheme not in ("https", "http") or not host:
        raise ConfigError(
            "the Slack webhook is not a URL", hint="it looks like https://hooks.slack.com/services/..."
        )
    if parts.scheme == "http" and host not in LOOPBACK:
        raise ConfigError(
            f"the Slack webhook at {host} is plain http", hint="use https; http is for loopback only"
        )
    allowed = {entry.lower() for entry in hosts}
    if host not in allowed and f"{host}:{port}" not in allowed:
        named = f"{host}:{port}" if port else host
        raise ConfigError(
            f"webhooks may not go to {named}",
            hint=f"allow it: SOCAP_ALERTS__WEBHOOK_HOSTS={','.join((*hosts, named))}",
        )
    return url


def send(url: str, message: Message, *, timeout: float) -> None:
    """Post a message. Returns when Slack said `ok`; raises ChannelError otherwise."""
    try:
        response = httpx.post(url, json=payload(message), timeout=timeout, follow_redirects=False)
    except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
        raise DeliveryFailed(f"Slack cannot be reached: {_plain(error, url)}") from None
    except httpx.HTTPError as error:
        raise DeliveryUnknown(f"Slack did not answer, it may have arrived: {_plain(error, url)}") from None
    _judge(response)


def notify(url: str, text: str, *, timeout: float) -> None:
    """Post a plain line for the operator. Raises ChannelError."""
    try:
        _judge(httpx.post(url, json={"text": escape(text)}, timeout=timeout, follow_redirects=False))
    except httpx.HTTPError as error:
        raise DeliveryFailed(f"Slack cannot be reached: {_plain(error, url)}") from None


def _judge(response: httpx.Response) -> None:
    status, said = response.status_code, response.text.strip()[:100]
    if status == 200:
        if said == "ok":
            return
        raise DeliveryFailed(f"Slack answered 200 but not ok: {said!r}")
    if status == 429:
        try:
            wait = min(max(float(response.headers.get("Retry-After", "")), 1.0), 3600.0)
        except ValueError:
            wait = 30.0
        raise DeliveryFailed("Slack limits this webhook", retry_after=wait)
    if status in DEAD:
        raise ChannelDead(
            f"Slack refuses this webhook for good: HTTP {status} {said}",
            hint="make a new webhook, set it, then: socap alerts retry",
        )
    if status >= 500 or status == 408:
        raise DeliveryFailed(f"Slack answered HTTP {status} {said}")
    raise MessageRefused(f"Slack refused the message: HTTP {status} {said}")


def _plain(error: Exception, url: str) -> str:
    return str(error).replace(url, "the webhook") or type(error).__name__


def payload(message: Message) -> dict[str, Any]:
    """The message as blocks, within Slack's limits, with everything strangers wrote escaped."""
    title = message.title + (" (repeated: it may have arrived before)" if message.repeated else "")
    blocks: list[dict[str, Any]] = [{"type": "header", "text": {"type": "plain_text", "text": title[:150]}}]
    blocks.extend(_section(line) for line in message.lines)
    footer = f"Campaign {escape(message.campaign_name)}"
    if message.left_out:
        footer += f" · and {message.left_out} more, see the report"
    blocks.append({"type": "context", "elements": [_mrkdwn(footer)]})
    return {"text": escape(title)[:4000], "blocks": blocks}


def _section(line: Line) -> dict[str, Any]:
    who = f"*{escape(line.who)}* (<{line.url}|@{escape(line.username)}>)"
    text = f"{who} {line.verb} <{line.tweet_url}|{escape(line.tweet_label)}>\n{escape(detail(line))}"
    if line.text:
        text += "\n" + "\n".join(f"> {escape(row)}" for row in line.text.splitlines())
    return {"type": "section", "text": _mrkdwn(text[:3000])}


def _mrkdwn(text: str) -> dict[str, Any]:
    return {"type": "mrkdwn", "text": text, "verbatim": True}


def escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
