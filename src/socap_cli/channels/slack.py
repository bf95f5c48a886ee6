"""Slack's incoming webhooks, and what speaks like them (Mattermost, Rocket.Chat, n8n)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from socap_cli.channels.common import (
    LIMITED_FOR,
    LONGEST_WAIT,
    MEND_ADDRESS,
    Reply,
    Templates,
    check_webhook,
    host_of,
    post,
    raise_for_status,
    without_mentions,
)
from socap_cli.errors import ChannelDead, DeliveryFailed, DeliveryUnknown, MessageRefused, MessageTooLarge
from socap_cli.model import cleaning
from socap_cli.model.campaign import Campaign
from socap_cli.model.message import Message, MessagePerson
from socap_cli.settings import AlertSettings

LONGEST_SECTION = 3000
LONGEST_MESSAGE = 9500
"""Characters in all sections together: Slack took 9,600, and refused 11,300 (`msg_blocks_too_long`)."""
CUT = "…"
LONGEST_HEADER = 150
LONGEST_TEXT = 16_000
"""Slack takes 40,000 characters of text, Mattermost 16,383."""
REFUSES_MESSAGE = frozenset(
    {
        "invalid_payload", "invalid_blocks", "invalid_blocks_format", "no_text", "user_not_found",
        "too_many_attachments", "missing_text_or_fallback_or_attachments", "invalid_attachments",
    }
)  # fmt: skip
TOO_LARGE = frozenset({"msg_too_long", "msg_blocks_too_long"})
REFUSES_CHANNEL = frozenset(
    {
        "action_prohibited", "invalid_token", "posting_to_general_channel_denied", "channel_not_found",
        "no_service", "no_service_id", "no_team", "team_disabled", "channel_is_archived", "no_active_hooks",
        "token_revoked", "invalid_auth", "account_inactive",
    }
)  # fmt: skip
POSSIBLE_DUPLICATE = " (possible duplicate: repeated, it may have arrived before)"
LIMITS = frozenset({"rate_limited", "ratelimited"})


class Slack:
    """One message a second to each webhook, as Slack asks."""

    name = "slack"
    interval = 1.0
    most_people = 15
    """So that there is room for who, why and what of each."""
    missing = "no Slack webhook; set SOCAP_ALERT_SLACK_WEBHOOK or --slack-webhook"

    def __init__(self, settings: AlertSettings) -> None:
        self._webhook = settings.slack_webhook
        self._hosts = settings.webhook_hosts
        self._timeout = settings.timeout
        self._templates = SlackTemplates(settings.templates)

    @property
    def is_ready(self) -> bool:
        """An address is all it needs."""
        return True

    def receivers(self, campaign: Campaign) -> tuple[str, ...]:
        """The campaign's own webhook, else that of the configuration."""
        if campaign.slack_webhook:
            return (campaign.slack_webhook,)
        return (self._webhook.get_secret_value(),) if self._webhook else ()

    def check(self, address: str) -> str:
        """See Channel."""
        return check_webhook(address, self._hosts, "Slack webhook")

    def shown(self, address: str) -> str:
        """The host only: the rest is the password."""
        return f"webhook at {host_of(address)}"

    def examine(self, address: str) -> str:
        """A webhook can only be tried by sending."""
        self.check(address)
        return "the webhook's address is allowed; send a message with: socap alerts test slack"

    def send(self, address: str, message: Message) -> None:
        """See Channel. Every 2xx is taken, unless its body is a refusal of Slack's own."""
        self._post(address, payload(message, self._templates))

    def notify(self, address: str, text: str) -> None:
        """See Channel."""
        self._post(address, {"text": escape(text)[:LONGEST_TEXT]})

    def _post(self, address: str, body: dict[str, Any]) -> None:
        content = json.dumps(body).encode()
        headers = {"Content-Type": "application/json"}
        judge(post(self.check(address), content, headers, timeout=self._timeout, name="Slack"))


def judge(reply: Reply) -> None:
    """Nothing when the message was taken; else raises the ChannelError that the reply stands for."""
    word, is_refusal, wait = _refusal(reply.body)
    if word in REFUSES_CHANNEL:
        raise ChannelDead(f"Slack refuses this webhook: HTTP {reply.status} {word}", hint=MEND_ADDRESS)
    if word in TOO_LARGE:
        raise MessageTooLarge(f"Slack refused the message as too large: {word}")
    if word in REFUSES_MESSAGE:
        raise MessageRefused(f"Slack refused the message: HTTP {reply.status} {word}")
    if word in LIMITS or reply.status == 429:
        raise DeliveryFailed(
            "Slack limits this webhook", retry_after=reply.retry_after or wait or LIMITED_FOR
        )
    if reply.is_taken and is_refusal:
        raise DeliveryUnknown(f"ambiguous response of Slack: HTTP {reply.status} {reply.text}")
    raise_for_status(reply, "Slack")


def _refusal(body: bytes) -> tuple[str, bool, float | None]:
    """(the word of a body, whether it says that it is none of ok, seconds to wait)."""
    text = body.decode("utf-8", "replace").strip()
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return text, False, None
    if not isinstance(found, dict):
        return (found if isinstance(found, str) else ""), False, None
    word, wait = found.get("error"), found.get("retry_after")
    seconds = float(wait) if isinstance(wait, (int, float)) and 0 < wait <= LONGEST_WAIT else None
    return (word if isinstance(word, str) else ""), found.get("ok") is False, seconds


def payload(message: Message, templates: SlackTemplates) -> dict[str, Any]:
    """The message as blocks, within Slack's limits, and as text for receivers that show no blocks.

    Everything that strangers wrote is escaped.
    """
    title = templates.title(message)
    people = [templates.rows(message, person) for person in message.people]
    most = _share([_length(rows) for rows in people])
    sections = [_joined(rows, most) for rows in people]
    footer = _joined([_footer(message)])
    return {
        "text": "\n\n".join([escape(title), *sections, footer])[:LONGEST_TEXT],
        "blocks": [
            {
                "type": "header",
                "text": {"type": "plain_text", "text": without_mentions(title)[:LONGEST_HEADER]},
            },
            *({"type": "section", "text": _markup(section)} for section in sections),
            {"type": "context", "elements": [_markup(footer)]},
        ],
        "unfurl_links": False,
        "unfurl_media": False,
    }


def _footer(message: Message) -> str:
    parts = [f"Campaign {escape(message.campaign_name)}"]
    if message.left_out:
        everybody = len(message.people) + message.left_out
        parts.append(f"the {len(message.people)} most important of {everybody:,} people")
    elif len(message.people) > 1:
        parts.append(f"{len(message.people)} people")
    if message.report_url:
        parts.append(f"<{escape(message.report_url)}|report>")
    return " · ".join(parts)


class SlackTemplates:
    """The templates of a message, with what they are given escaped where it is markup."""

    def __init__(self, folder: Path | None = None) -> None:
        self._plain = Templates(folder)
        self._markup = Templates(folder, escape=_escape_value)

    def title(self, message: Message) -> str:
        """The title, as plain text."""
        title = cleaning.one_line(self._plain.render("subject.txt", message))
        return title + POSSIBLE_DUPLICATE if message.may_be_repeated else title

    def rows(self, message: Message, person: MessagePerson) -> list[str]:
        """What is said of one person, as lines of markup."""
        return self._markup.render("slack.txt", message, person=person).strip().splitlines()


def _length(rows: Sequence[str]) -> int:
    return sum(map(len, rows)) + len(rows)


def _share(lengths: Sequence[int]) -> int:
    """The most that one section may have so that all of them fit: who needs less leaves it to the others."""
    left = LONGEST_MESSAGE
    for place, length in enumerate(sorted(lengths)):
        share = left // (len(lengths) - place)
        if length > share:
            return min(share, LONGEST_SECTION)
        left -= length
    return LONGEST_SECTION


def _markup(text: str) -> dict[str, Any]:
    return {"type": "mrkdwn", "text": text, "verbatim": True}


def _joined(rows: Sequence[str], most: int = LONGEST_SECTION) -> str:
    """As many whole rows as there is room for, the first in any case: no link and no entity is cut."""
    kept: list[str] = []
    for row in rows:
        if _length([*kept, row]) > (most if kept else LONGEST_SECTION):
            kept += [CUT] if kept else []
            break
        kept.append(row)
    return "\n".join(kept) or "(too long to be shown)"


def escape(text: str) -> str:
    """Only these three are markup of their own; without a mention of many nobody is called."""
    plain = without_mentions(text).replace("```", "'''")
    return plain.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _escape_value(value: Any) -> Any:
    """What a template shows is a part of one line."""
    return escape(" ".join(value.splitlines())) if isinstance(value, str) else value
