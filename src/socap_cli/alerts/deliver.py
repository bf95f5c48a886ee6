"""Stage three: messages go out, each address in a thread of its own, so that none waits for another."""

from __future__ import annotations

import secrets
import threading
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace

from socap_cli.alerts.compose import Gone, Loaded, load_message
from socap_cli.alerts.context import AlertContext
from socap_cli.alerts.pipeline import record_outcomes, write_statuses
from socap_cli.alerts.rules import Target, after_failure, after_success, nobody, targets_of
from socap_cli.errors import ChannelDead, ConfigError, SocapError
from socap_cli.model.alert import ClaimedMessage, DeliveryStatus, Settlement
from socap_cli.model.message import Message
from socap_cli.store import alert_messages, campaigns, rate_limits, translate_error
from socap_cli.store.rate_limits import SwitchedOff
from socap_cli.text import Mask, secrets_of

LONGEST_WAIT = 60.0
"""Seconds that a run waits for an address that asked for a rest; after a longer one the next run goes on."""


FAILURES_IN_A_ROW = 3
"""After so many an address is left to the next run."""


MOST_THREADS = 128
"""Addresses that are served at the same time; what never answers holds its thread for a few seconds."""


@dataclass
class Sent:
    """What a sending did, by outcome."""

    counts: Counter[str] = field(default_factory=Counter)
    warnings: list[str] = field(default_factory=list)
    error: BaseException | None = None
    """What concerns all: the database."""


class Sender:
    """Sends what is due. Several may run at once, in one process or many: a message is claimed before it is sent."""

    def __init__(self, context: AlertContext, *, campaign_id: str | None = None) -> None:
        self._context = context
        self._campaign_id = campaign_id
        self._lock = threading.Lock()
        self._sent = Sent()
        self._busy_until: dict[int, float] = {}

    def run(self) -> Sent:
        """Send everything that is due. Raises what concerns all."""
        db, now = self._context.db, self._context.now()
        addresses = alert_messages.due_addresses(db, now=now, campaign_id=self._campaign_id)
        threads = [
            threading.Thread(target=self._work, args=(addresses,), daemon=True, name=f"alerts-{number}")
            for number in range(min(MOST_THREADS, len(addresses)))
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            self._wait_for(thread)
        if self._sent.error is not None:
            raise self._sent.error
        return self._sent

    def _wait_for(self, thread: threading.Thread) -> None:
        """A channel that never comes back is left alone: its message may have arrived, and will be told so."""
        while thread.is_alive():
            thread.join(0.1)
            busy_until = self._busy_until.get(thread.ident or 0)
            if busy_until is not None and time.monotonic() > busy_until:
                self._warn(f"{thread.name}: a channel does not come back; its message may have arrived")
                return

    def _work(self, addresses: list[str]) -> None:
        """Serve one address after another, until none is left."""
        while True:
            with self._lock:
                if not addresses or self._sent.error is not None:
                    return
                address = addresses.pop(0)
            try:
                self._serve(address)
            except BaseException as error:  # raised where the run waits for its threads
                with self._lock:
                    self._sent.error = error
                return

    def _serve(self, address: str) -> None:
        """Send what is due for an address, at its pace, until nothing is, or it fails too often."""
        failures = 0
        while failures < FAILURES_IN_A_ROW and not self._context.stop.is_set():
            if not self._is_due(address) or not self._wait_for_turn(address):
                return
            claimed = alert_messages.claim(
                self._context.db,
                address,
                token=secrets.token_hex(8),
                now=self._context.now(),
                lease=self._context.lease,
                campaign_id=self._campaign_id,
            )
            if claimed is None:
                return
            status = self._deliver(claimed)
            failures = failures + 1 if status in (DeliveryStatus.FAILED, DeliveryStatus.UNKNOWN) else 0

    def _is_due(self, address: str) -> bool:
        return alert_messages.is_due(
            self._context.db, address, now=self._context.now(), campaign_id=self._campaign_id
        )

    def _wait_for_turn(self, address: str) -> bool:
        """Wait for the address's pace, shared with all senders; False when it rests for too long."""
        channel = self._context.channels.get(address.partition(":")[0])
        wait = rate_limits.reserve_channel(
            self._context.db, address, interval=channel.interval if channel else 0.0, max_wait=LONGEST_WAIT
        )
        if wait > LONGEST_WAIT:
            return False
        if wait > 0:
            self._context.sleep(wait)
        return not self._context.stop.is_set()

    def _deliver(self, claimed: ClaimedMessage) -> DeliveryStatus:
        """Send one message and write what became of it. Whatever goes wrong with it concerns it alone."""
        try:
            self._send(claimed)
            settlement = after_success()
        except Gone as error:
            status = DeliveryStatus.DEAD if error.is_fault else DeliveryStatus.DROPPED
            settlement = Settlement(status, str(error))
        except Exception as error:
            if translate_error(error) is not None:
                raise
            settlement = self._after_failure(claimed, error)
        self._settle(claimed, settlement)
        return settlement.status

    def _send(self, claimed: ClaimedMessage) -> None:
        loaded = load_message(self._context, claimed)
        self._leave_out(loaded)
        for problem in loaded.problems:
            self._warn(problem)
        address = self._address_of(claimed)
        off = rate_limits.switched_off(self._context.db).get(claimed.address_id)
        if off is not None:
            raise ChannelDead(off.reason)
        thread = threading.get_ident()
        self._busy_until[thread] = time.monotonic() + self._context.lease
        try:
            self._hand_over(claimed, address, loaded.message)
        finally:
            del self._busy_until[thread]

    def _hand_over(self, claimed: ClaimedMessage, address: str, message: Message) -> None:
        channel = self._context.channels[claimed.channel]
        channel.send(channel.check(address), message)

    def _address_of(self, claimed: ClaimedMessage) -> str:
        """The address behind an id, which does not tell it. Raises ConfigError when nobody has it any more."""
        campaign = campaigns.find(self._context.db, claimed.campaign_id)
        targets = (
            targets_of(campaign, self._context.channels, self._context.usual_receivers) if campaign else None
        )
        for target in targets.found if targets else ():
            if target.address_id == claimed.address_id:
                return target.address
        raise ConfigError("its receiver is not configured any more", hint="then: socap alerts retry")

    def _leave_out(self, loaded: Loaded) -> None:
        """Rows that cannot be told leave the message, each with its reason; the rest of it goes out."""
        db = self._context.db
        for rows, status, said in (
            (loaded.unreadable, DeliveryStatus.DEAD, "its engagement cannot be read"),
            (loaded.gone, DeliveryStatus.DROPPED, "its engagement is gone"),
        ):
            if rows:
                alert_messages.leave_out(db, [row.delivery_id for row in rows], status, said)
                write_statuses(db, [row.alert_id for row in rows])

    def _after_failure(self, claimed: ClaimedMessage, error: Exception) -> Settlement:
        context = self._context
        settlement = after_failure(
            claimed,
            error,
            now=context.now(),
            max_attempts=context.settings.max_attempts,
            resend_unknown=context.settings.resend_unknown,
        )
        if not isinstance(error, SocapError):
            settlement = self._masked(settlement, claimed)
        elif error.ends_channel:
            self._switch_off(claimed, error)
        elif error.retry_after:
            rate_limits.rest(context.db, claimed.address_id, seconds=error.retry_after)
        self._warn(f"{claimed.channel}, {claimed.campaign_id}: {settlement.said}{_what_next(settlement)}")
        return settlement

    def _masked(self, settlement: Settlement, claimed: ClaimedMessage) -> Settlement:
        """What an unforeseen error says may hold the address, which may be a secret."""
        with suppress(ConfigError):  # nobody has the address any more
            mask = Mask(secrets_of(self._address_of(claimed)))
            said, trace = mask(settlement.said or ""), mask(settlement.traceback or "")
            return replace(settlement, said=said, traceback=trace)
        return settlement

    def _switch_off(self, claimed: ClaimedMessage, error: SocapError) -> None:
        db, now = self._context.db, self._context.now()
        receiver = alert_messages.receiver_of(db, claimed.message_id)
        rate_limits.switch_off(
            db,
            SwitchedOff(
                claimed.address_id, claimed.channel, claimed.campaign_id, receiver, error.message, now, False
            ),
        )
        alert_messages.end_address(db, claimed.address_id, said=error.message, now=now)
        record_outcomes(self._context)

    def _settle(self, claimed: ClaimedMessage, settlement: Settlement) -> None:
        """Written with patience: what is forgotten here is sent a second time."""
        context = self._context
        now = context.now()
        context.until_available(lambda: alert_messages.settle(context.db, claimed, settlement, now=now))
        record_outcomes(context, claimed.message_id)
        with self._lock:
            self._sent.counts[settlement.status.value] += 1

    def _warn(self, said: str) -> None:
        with self._lock:
            if said not in self._sent.warnings:
                self._sent.warnings.append(said)


def _what_next(settlement: Settlement) -> str:
    if settlement.due is not None:
        return "; tried again later"
    return "; see: socap alerts list --status dead" if settlement.status is DeliveryStatus.DEAD else ""


def report_dead(context: AlertContext) -> list[str]:
    """Report every address that was switched off and is not reported yet; returns warnings.

    What could not be reported to anybody is tried again by the next run; what is nobody's any more is forgotten.
    """
    off = rate_limits.switched_off(context.db)
    if not off:
        return []
    groups = _groups(context)
    everybody = {address for group in groups.values() for address in group}
    rate_limits.switch_on(context.db, set(off) - everybody)
    warnings = []
    for one in off.values():
        if one.address_id in everybody:
            warnings.append(f"{one.channel} ({one.receiver}) is switched off: {one.reason}")
            if not one.is_reported:
                others = [t for address, t in _who_may_know(one, groups).items() if address not in off]
                _report(context, one, others, warnings)
    return warnings


def _groups(context: AlertContext) -> dict[str, dict[str, Target]]:
    """Whom each campaign tells, by address id; under no name whom the configuration tells."""
    who = {"": nobody(context.now()), **{one.slug: one for one in campaigns.listed(context.db)}}
    return {
        slug: {
            target.address_id: target
            for target in targets_of(campaign, context.channels, context.usual_receivers).found
        }
        for slug, campaign in who.items()
    }


def _who_may_know(one: SwitchedOff, groups: Mapping[str, Mapping[str, Target]]) -> dict[str, Target]:
    """The receivers of the configuration, then those of the campaigns that it is about: no other client's."""
    found = dict(groups[""])
    for slug, group in groups.items():
        if slug == one.campaign_id or one.address_id in group:
            found.update(group)
    return found


def _report(context: AlertContext, off: SwitchedOff, others: list[Target], warnings: list[str]) -> None:
    """Other channels first; one receiver that takes it is enough. Of several runs one does it."""
    others.sort(key=lambda target: target.channel == off.channel)
    if not others or not rate_limits.claim_report(context.db, off.address_id, lease=context.lease):
        return
    is_told = any(_told(context, target, off, warnings) for target in others)
    rate_limits.note_reported(context.db, off.address_id, is_reported=is_told)
    if not is_told:
        warnings.append("that could not be reported over another channel")


def _told(context: AlertContext, target: Target, off: SwitchedOff, warnings: list[str]) -> bool:
    text = (
        f"socap: the {off.channel} channel of {off.campaign_id} ({off.receiver}) is switched off: {off.reason}. "
        f"Its alerts wait; mend it, then: socap alerts retry"
    )
    channel = context.channels[target.channel]
    try:
        channel.notify(channel.check(target.address), text)
    except Exception as error:
        if translate_error(error) is not None:
            raise
        said = error.message if isinstance(error, SocapError) else type(error).__name__
        warnings.append(f"{target.channel}: {said}")
        return False
    return True
