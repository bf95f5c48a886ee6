"""A JSON webhook, signed as Standard Webhooks (standardwebhooks.com) specifies.

Headers: `webhook-id` (the same when a message is sent again), `webhook-timestamp` and `webhook-signature`. The body is
documented in docs/alerts.md; `SCHEMA_VERSION` grows with every change that a reader could stumble over.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from datetime import UTC, datetime
from typing import Any

import standardwebhooks

from socap_cli.channels import Now, utc_now
from socap_cli.channels.common import check_webhook, host_of, post, raise_for_status
from socap_cli.errors import ConfigError
from socap_cli.model.campaign import Campaign
from socap_cli.model.message import Message, MessageEngagement, MessagePerson
from socap_cli.settings import AlertSettings

SCHEMA_VERSION = 2
PREFIX = "whsec_"


class Webhook:
    """JSON to any program that can verify an HMAC."""

    name = "webhook"
    interval = 0.0
    most_people = 200

    def __init__(self, settings: AlertSettings, *, now: Now = utc_now) -> None:
        self._settings = settings
        self._now = now
        secret = settings.webhook_secret
        self._signer = signer(secret.get_secret_value()) if secret else None

    @property
    def is_ready(self) -> bool:
        """Whether there is a key to sign with."""
        return self._signer is not None

    @property
    def missing(self) -> str:
        """What to set."""
        if self._settings.webhooks and self._signer is None:
            return "webhooks are signed, and there is no key; set SOCAP_ALERTS__WEBHOOK_SECRET"
        return "no webhook; set SOCAP_ALERTS__WEBHOOKS and SOCAP_ALERTS__WEBHOOK_SECRET"

    def receivers(self, campaign: Campaign) -> tuple[str, ...]:  # noqa: ARG002  (the same for every campaign)
        """Those of the configuration."""
        return tuple(url.get_secret_value() for url in self._settings.webhooks)

    def check(self, address: str) -> str:
        """See Channel."""
        return check_webhook(address, self._settings.webhook_hosts, "webhook")

    def shown(self, address: str) -> str:
        """The host only."""
        return f"webhook at {host_of(address)}"

    def examine(self, address: str) -> str:
        """A webhook can only be tried by sending."""
        self.check(address)
        return "the webhook's address is allowed; send a message with: socap alerts test webhook"

    def send(self, address: str, message: Message) -> None:
        """See Channel. Every 2xx is taken."""
        self._post(address, message.message_id, payload(message))

    def notify(self, address: str, text: str) -> None:
        """See Channel."""
        at = self._now()
        body = {"type": "notice", "created_at": _time(at), "text": text}
        self._post(address, f"notice-{hashlib.sha256(f'{text}{at}'.encode()).hexdigest()[:24]}", body)

    def _post(self, address: str, message_id: str, body: dict[str, Any]) -> None:
        url = self.check(address)
        if self._signer is None:  # nothing is sent unsigned
            raise ConfigError(
                "webhooks are signed, and there is no key", hint="set SOCAP_ALERTS__WEBHOOK_SECRET"
            )
        content = json.dumps({"schema_version": SCHEMA_VERSION, **body})
        at = self._now()
        headers = {
            "Content-Type": "application/json",
            "webhook-id": message_id,
            "webhook-timestamp": str(int(at.timestamp())),
            "webhook-signature": self._signer.sign(message_id, at, content),
        }
        name = "the webhook"
        raise_for_status(
            post(url, content.encode(), headers, timeout=self._settings.timeout, name=name), name
        )


def signer(secret: str) -> standardwebhooks.Webhook:
    """Signs with a secret: base64 behind `whsec_`, else its own characters. Raises ConfigError."""
    try:
        key = base64.b64decode(f"{secret.removeprefix(PREFIX).rstrip('=')}==", validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not secret.startswith(PREFIX):
        key = secret.encode()
    if not key:
        raise ConfigError("SOCAP_ALERTS__WEBHOOK_SECRET is not base64 after whsec_")
    return standardwebhooks.Webhook(key)


def payload(message: Message) -> dict[str, Any]:
    """The body of an alert, as documented in docs/alerts.md."""
    return {
        "type": "alert",
        "kind": message.kind.value,
        "message_id": message.message_id,
        "created_at": _time(message.created_at),
        "may_be_repeated": message.may_be_repeated,
        "title": message.title,
        "campaign": {"slug": message.campaign_id, "name": message.campaign_name},
        "report_url": message.report_url or None,
        "people": [_person(person) for person in message.people],
        "left_out_people": message.left_out,
    }


def _person(person: MessagePerson) -> dict[str, Any]:
    return {
        "user_id": person.user_id,
        "username": person.username,
        "name": person.name,
        "url": person.url,
        "is_vip": person.is_vip,
        "is_verified": person.is_verified,
        "followers": person.followers,
        "bio": person.bio,
        "labels": list(person.labels),
        "importance_score": person.score,
        "followed_by": [{"username": username, "weight": weight} for username, weight in person.reasons],
        "important_followers": person.important_followers,
        "organisation": person.organisation or None,
        "why": person.why,
        "report_url": person.report_url or None,
        "left_out": person.left_out,
        "engagements": [_engagement(engagement) for engagement in person.engagements],
    }


def _engagement(engagement: MessageEngagement) -> dict[str, Any]:
    return {
        "engagement_id": engagement.engagement_id,
        "action_type": engagement.action_type,
        "url": engagement.url,
        "at": _time(engagement.at),
        "text": engagement.text,
        "taken_back": engagement.taken_back,
        "tweet": {
            "tweet_id": engagement.tweet_id,
            "url": engagement.tweet_url,
            "label": engagement.tweet_label,
            "category": engagement.tweet_category or None,
        },
    }


def _time(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
