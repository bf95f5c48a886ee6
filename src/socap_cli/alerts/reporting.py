"""A receiver that takes nothing any more is reported to somebody else, once."""

from __future__ import annotations

from socap_cli.alerts.context import AlertContext
from socap_cli.alerts.receivers import Target, nobody, targets_of
from socap_cli.errors import SocapError
from socap_cli.store import campaigns, channel_state, translate_error
from socap_cli.store.channel_state import SwitchedOff


def report_dead(context: AlertContext) -> list[str]:
    """Report every address that was switched off and is not reported yet; returns warnings.

    What could not be reported to anybody is tried again by the next run; what is nobody's any more is forgotten.
    """
    off = channel_state.switched_off(context.db)
    if not off:
        return []
    everybody = _everybody(context)
    channel_state.switch_on(context.db, set(off) - set(everybody))
    warnings = []
    for one in off.values():
        if one.address_id in everybody:
            warnings.append(f"{one.channel} ({one.receiver}) is switched off: {one.reason}")
            if not one.is_reported:
                _report(context, one, [t for t in everybody.values() if t.address_id not in off], warnings)
    return warnings


def _everybody(context: AlertContext) -> dict[str, Target]:
    """Whom the configuration or any campaign tells, by address id."""
    found: dict[str, Target] = {}
    for campaign in [nobody(context.now()), *campaigns.listed(context.db)]:
        for target in targets_of(campaign, context.channels, context.usual_receivers).found:
            found.setdefault(target.address_id, target)
    return found


def _report(context: AlertContext, off: SwitchedOff, others: list[Target], warnings: list[str]) -> None:
    """Other channels first; one receiver that takes it is enough."""
    others.sort(key=lambda target: target.channel == off.channel)
    if any(_told(context, target, off, warnings) for target in others):
        channel_state.note_reported(context.db, off.address_id)
    elif others:
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
