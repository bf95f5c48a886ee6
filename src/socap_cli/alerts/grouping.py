"""Which deliveries of one receiver are told in one message. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from socap_cli.model.alert import Delivery, OutgoingMessage
from socap_cli.model.message import MessageKind

USUAL_PEOPLE = 10
People = list[list[Delivery]]
"""Deliveries by person."""
Part = tuple[list[Delivery], MessageKind]
"""What one message tells, and why together."""


@dataclass(frozen=True, slots=True)
class Capacity:
    """What the channels can bear."""

    digest_after: int
    """From more people at once than this on they are told together."""
    most_people: Mapping[str, int] = field(default_factory=dict)
    """By channel, how many people one message can tell about."""
    waiting: Mapping[str, int] = field(default_factory=dict)
    """By address id, how many messages wait already."""
    salt: str = ""
    """Makes the ids of these messages their own: the same rows may come back in another message."""


def group(deliveries: Iterable[Delivery], capacity: Capacity) -> list[OutgoingMessage]:
    """Messages that tell these deliveries, each exactly once: one a person, and together what is too much for that.

    What was held back is told together; what was there before is one summary; VIPs are told by themselves.
    """
    by_address: dict[tuple[str, str], list[Delivery]] = {}
    for delivery in deliveries:
        by_address.setdefault((delivery.campaign_id, delivery.address_id), []).append(delivery)
    return [
        _message(part, kind, capacity.salt)
        for found in by_address.values()
        for part, kind in _parts(found, capacity)
    ]


def _parts(deliveries: Sequence[Delivery], capacity: Capacity) -> Iterator[Part]:
    first = deliveries[0]
    most = max(1, capacity.most_people.get(first.channel, USUAL_PEOPLE))
    backlog = _people(d for d in deliveries if d.is_backlog)
    yield from _together(backlog, most, MessageKind.BACKLOG)
    others = _people(d for d in deliveries if not d.is_backlog)
    vips = [person for person in others if any(d.is_vip for d in person)]
    gathered = [p for p in others if p not in vips and any(d.is_gathered for d in p)]
    singles = [p for p in others if p not in vips and p not in gathered]
    if len(singles) + capacity.waiting.get(first.address_id, 0) > capacity.digest_after:
        gathered, singles = gathered + singles, []
    if len(vips) > capacity.digest_after:
        yield from _together(vips, most, MessageKind.DIGEST)
        vips = []
    yield from _together(gathered, most, MessageKind.DIGEST)
    for person in [*vips, *singles]:
        yield person, MessageKind.PERSON


def _people(deliveries: Iterable[Delivery]) -> People:
    found: dict[str, list[Delivery]] = {}
    for delivery in deliveries:
        found.setdefault(delivery.user_id, []).append(delivery)
    return sorted(found.values(), key=lambda person: (-_score(person), person[0].delivery_id))


def _together(people: People, most: int, kind: MessageKind) -> Iterator[Part]:
    """The most important first, so many people a message."""
    for start in range(0, len(people), most):
        part = sorted(people, key=lambda p: (-_score(p), p[0].delivery_id))[start : start + most]
        one = len(part) == 1 and kind is MessageKind.DIGEST
        yield [d for person in part for d in person], MessageKind.PERSON if one else kind


def _score(person: Sequence[Delivery]) -> float:
    return max(delivery.importance_score or 0.0 for delivery in person)


def _message(deliveries: Sequence[Delivery], kind: MessageKind, salt: str) -> OutgoingMessage:
    first = deliveries[0]
    ids = tuple(delivery.delivery_id for delivery in deliveries)
    digest = hashlib.sha256("\n".join([salt, *sorted(ids)]).encode("utf-8", "replace")).hexdigest()
    return OutgoingMessage(
        message_id=f"{first.campaign_id}-{digest[:20]}",
        campaign_id=first.campaign_id,
        channel=first.channel,
        address_id=first.address_id,
        receiver=first.receiver,
        kind=kind,
        is_vip=any(delivery.is_vip and not delivery.is_backlog for delivery in deliveries),
        importance_score=_score(deliveries),
        delivery_ids=ids,
        may_be_repeated=any(delivery.may_have_arrived for delivery in deliveries),
    )
