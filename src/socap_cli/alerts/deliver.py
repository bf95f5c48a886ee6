"""Sends stored messages: each address in a thread of its own, so that no slow channel delays another."""

from __future__ import annotations

import secrets
import threading
import time
from collections import Counter
from contextlib import suppress
from dataclasses import replace

from socap_cli.alerts.compose import Gone, halves, load_message
from socap_cli.alerts.context import AlertContext
from socap_cli.alerts.rules import NOTHING_CONFIGURED, Target, after_failure, default_campaign
from socap_cli.channels import Channel
from socap_cli.channels.common import MEND_ADDRESS
from socap_cli.errors import (
    AddressNotFound,
    ChannelDead,
    ChannelError,
    ConfigError,
    DeliveryUnknown,
    MessageTooLarge,
    SocapError,
    UsageError,
)
from socap_cli.model.alert import ClaimedMessage, DeliveryStatus, Settlement
from socap_cli.model.campaign import Campaign
from socap_cli.model.message import Message
from socap_cli.store import alert_messages, campaigns, rate_limits, translate_error
from socap_cli.store.rate_limits import SwitchedOff
from socap_cli.text import Mask, secrets_of

LONGEST_WAIT = 60.0
"""Seconds to wait for an address's rate limit; a longer one is left to the next run."""
PLAIN_LINE = "socap test message: this channel works."
FAILURES_IN_A_ROW = 3
"""After so many an address is left to the next run."""
ATTEMPTS_IN_AN_HOUR = 7
"""With the pauses of `back_off` the seventh is 63 minutes after the first."""
MOST_THREADS = 128
"""Addresses served at once; one that never responds blocks its thread for a few seconds."""


class Sender:
    """Sends what is due. Several may run at once, in one process or many: a message is claimed before it is sent."""

    def __init__(self, context: AlertContext, *, campaign_id: str | None = None) -> None:
        self._context = context
        self._campaign_id = campaign_id
        self._lock = threading.Lock()
        self._error: BaseException | None = None
        self._abandon_at: dict[int, float] = {}
        """By thread that is inside a channel."""
        self.counts: Counter[str] = Counter()
        """Messages by status."""
        self.warnings: list[str] = []

    def run(self) -> Sender:
        """Send everything that is due. Raises what concerns the whole run: the database."""
        addresses = alert_messages.due_addresses(
            self._context.db, now=self._context.now(), campaign_id=self._campaign_id
        )
        threads = [
            threading.Thread(target=self._work, args=(addresses,), daemon=True, name=f"alerts-{number}")
            for number in range(min(MOST_THREADS, len(addresses)))
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            while thread.is_alive():
                thread.join(0.1)
                abandon_at = self._abandon_at.get(thread.ident or 0)
                if abandon_at is not None and time.monotonic() > abandon_at:
                    self._warn(f"{thread.name}: the channel does not return; its message may have arrived")
                    break
        if self._error is not None:
            raise self._error
        return self

    def _work(self, addresses: list[str]) -> None:
        while True:
            with self._lock:
                if not addresses or self._error is not None:
                    return
                address = addresses.pop(0)
            try:
                self._serve(address)
            except BaseException as error:  # raised in run()
                with self._lock:
                    self._error = error
                return

    def _serve(self, address: str) -> None:
        """Send what is due for an address, at its pace, until nothing is or it fails too often."""
        context, only = self._context, self._campaign_id
        channel = context.channels.get(address.partition(":")[0])
        failures = 0
        while failures < FAILURES_IN_A_ROW and not context.stop.is_set():
            if not alert_messages.is_due(context.db, address, now=context.now(), campaign_id=only):
                return
            rate = 1 / channel.interval if channel and channel.interval else 0.0
            (turn,) = rate_limits.reserve(context.db.channels, address, rate=rate, max_wait=LONGEST_WAIT)
            if not turn.granted:
                return
            if turn.wait > 0:
                context.sleep(turn.wait)
            if context.stop.is_set():
                return
            token, now = secrets.token_hex(8), context.now()
            claimed = alert_messages.claim(
                context.db, address, token=token, now=now, lease=context.lease, campaign_id=only
            )
            if claimed is None:
                return
            status = self._deliver(claimed)
            failures = failures + 1 if status in (DeliveryStatus.FAILED, DeliveryStatus.UNKNOWN) else 0

    def _deliver(self, claimed: ClaimedMessage) -> DeliveryStatus:
        """Send one message and write the outcome. A failure concerns this message only."""
        context = self._context
        try:
            self._send(claimed)
            settlement = Settlement(DeliveryStatus.SENT)
        except Gone as error:
            status = DeliveryStatus.DEAD if error.is_fault else DeliveryStatus.DROPPED
            settlement = Settlement(status, str(error))
        except Exception as error:
            if translate_error(error) is not None:
                raise
            settlement = self._after_failure(claimed, error)
        # With patience: an outcome that is not written is a message that is sent twice.
        now = context.now()
        context.until_available(lambda: alert_messages.settle(context.db, claimed, settlement, now=now))
        with self._lock:
            self.counts[settlement.status.value] += 1
        return settlement.status

    def _send(self, claimed: ClaimedMessage) -> None:
        db = self._context.db
        loaded = load_message(self._context, claimed)
        for ids, status, error in (
            (loaded.unreadable, DeliveryStatus.DEAD, "its engagement cannot be read"),
            (loaded.gone, DeliveryStatus.DROPPED, "its engagement was deleted"),
        ):
            if ids:
                alert_messages.leave_out(db, claimed.message_id, ids, status, error)
        for problem in loaded.problems:
            self._warn(problem)
        address = self._address_of(claimed)
        off = rate_limits.switched_off(db).get(claimed.address_id)
        if off is not None:
            raise ChannelDead(off.reason)
        channel = self._context.channels[claimed.channel]
        thread = threading.get_ident()
        self._abandon_at[thread] = time.monotonic() + self._context.lease
        try:
            self._send_parts(claimed, channel, channel.check(address), loaded.message)
        finally:
            del self._abandon_at[thread]

    def _send_parts(self, claimed: ClaimedMessage, channel: Channel, address: str, message: Message) -> None:
        """Send a message, in smaller ones when it is too large. One that failed in between is sent again as a whole.

        What is too large by itself is left out, unless it is everything.
        """
        context = self._context
        waiting, sent, until = [message], 0, time.monotonic() + context.lease / 2
        while waiting:
            part = waiting.pop(0)
            try:
                if sent and time.monotonic() > until:
                    raise DeliveryUnknown("it took too long")
                channel.send(address, part)
            except MessageTooLarge as error:
                if smaller := halves(part):
                    waiting[:0] = smaller
                    continue
                if not (sent or waiting):
                    raise
                ids = {one.engagement_id for person in part.people for one in person.engagements}
                alerts = [alert for alert, engagement in claimed.engagements.items() if engagement in ids]
                status = DeliveryStatus.DEAD
                alert_messages.leave_out(context.db, claimed.message_id, alerts, status, error.message)
            except ChannelError as error:
                if not sent:
                    raise
                raise DeliveryUnknown(f"a part of the message arrived, then: {error.message}") from None
            else:
                sent += 1
            if waiting:
                context.sleep(channel.interval)

    def _address_of(self, claimed: ClaimedMessage) -> str:
        """The address behind an id, which does not reveal it. Raises ConfigError when nobody has it any more."""
        campaign = campaigns.find(self._context.db, claimed.campaign_id)
        for target in self._context.targets_of(campaign).found if campaign else ():
            if target.address_id == claimed.address_id:
                return target.address
        raise ConfigError("its recipient is not configured any more", hint="then: socap alerts retry")

    def _after_failure(self, claimed: ClaimedMessage, error: Exception) -> Settlement:
        context, most = self._context, self._context.settings.max_attempts
        if isinstance(error, AddressNotFound) and claimed.attempts >= min(ATTEMPTS_IN_AN_HOUR, most):
            error = ChannelDead(error.message, hint=MEND_ADDRESS)
        settlement = after_failure(
            claimed,
            error,
            now=context.now(),
            max_attempts=most,
            resend_unknown=context.settings.resend_unknown,
        )
        if not isinstance(error, SocapError):
            with suppress(ConfigError):  # an unforeseen error may hold the address, which may be a secret
                mask = Mask(secrets_of(self._address_of(claimed)))
                text, trace = mask(settlement.error or ""), mask(settlement.traceback or "")
                settlement = replace(settlement, error=text, traceback=trace)
        elif error.ends_channel:
            now = context.now()
            address, campaign, reason = claimed.address_id, claimed.campaign_id, error.message
            off = SwitchedOff(address, claimed.channel, campaign, claimed.receiver, reason, now, False)
            rate_limits.switch_off(context.db, off)
            alert_messages.end_address(context.db, address, reason=reason, now=now)
        elif error.retry_after:
            rate_limits.block(context.db.channels, claimed.address_id, error.retry_after)
        then = "; will be retried" if settlement.due is not None else ""
        if settlement.status is DeliveryStatus.DEAD:
            then = "; see: socap alerts list --status dead"
        self._warn(f"{claimed.channel}, {claimed.campaign_id}: {settlement.error}{then}")
        return settlement

    def _warn(self, text: str) -> None:
        with self._lock:
            if text not in self.warnings:
                self.warnings.append(text)


def targets_to_try(context: AlertContext, channel: str | None, campaign: Campaign | None) -> list[Target]:
    """The recipients of a channel or of all, those of a campaign. Raises when there is none."""
    channel = channel.lower() if channel else None
    if channel and channel not in context.channels:
        raise UsageError(f"no channel {channel!r}", hint=f"there are {', '.join(context.channels)}")
    found = context.targets_of(campaign or default_campaign(context.now())).found
    targets = {target.address_id: target for target in found if channel in (None, target.channel)}
    if targets:
        return list(targets.values())
    raise ConfigError(context.channels[channel].missing if channel else NOTHING_CONFIGURED)


def try_out(context: AlertContext, target: Target, message: Message | None) -> Exception | None:
    """Send a message, or a plain line, now; returns what failed."""
    channel = context.channels[target.channel]
    try:
        address = channel.check(target.address)
        if message is None:
            channel.notify(address, PLAIN_LINE)
        else:
            channel.send(address, message)
    except Exception as error:
        return error
    return None


def report_dead(context: AlertContext) -> list[str]:
    """Report every disabled address once, over another one; returns warnings.

    What nobody could be told of is reported by the next run; an address that nobody uses any more is forgotten.
    """
    off = rate_limits.switched_off(context.db)
    if not off:
        return []
    known = {"": default_campaign(context.now()), **{one.slug: one for one in campaigns.listed(context.db)}}
    groups = {
        slug: {target.address_id: target for target in context.targets_of(campaign).found}
        for slug, campaign in known.items()
    }
    used = {address for group in groups.values() for address in group}
    rate_limits.switch_on(context.db, set(off) - used)
    warnings = []
    for one in off.values():
        if one.address_id not in used:
            continue
        warnings.append(f"{one.channel} ({one.receiver}) is disabled: {one.reason}")
        # The recipients of the configuration and of the campaigns concerned: no other client's.
        may_know = dict(groups[""])
        for slug, group in groups.items():
            if slug == one.campaign_id or one.address_id in group:
                may_know |= group
        others = [target for address, target in may_know.items() if address not in off]
        if one.is_reported or not others:
            continue
        if not rate_limits.claim_report(context.db, one.address_id, lease=context.lease):
            continue
        others.sort(key=lambda target: target.channel == one.channel)  # other channels first
        is_reported = any(_report(context, target, one, warnings) for target in others)
        rate_limits.note_reported(context.db, one.address_id, is_reported=is_reported)
        if not is_reported:
            warnings.append("this could not be reported over another channel")
    return warnings


def _report(context: AlertContext, target: Target, off: SwitchedOff, warnings: list[str]) -> bool:
    text = (
        f"socap: the {off.channel} channel of {off.campaign_id} ({off.receiver}) is disabled: {off.reason}. "
        f"Its alerts wait. Fix it, then run: socap alerts retry"
    )
    channel = context.channels[target.channel]
    try:
        channel.notify(channel.check(target.address), text)
    except Exception as error:
        if translate_error(error) is not None:
            raise
        text = error.message if isinstance(error, SocapError) else type(error).__name__
        warnings.append(f"{target.channel}: {text}")
        return False
    return True
