"""A receiver that takes nothing any more is reported to somebody else, once."""

from __future__ import annotations

from collections.abc import Mapping

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
    groups = _groups(context)
    everybody = {address for group in groups.values() for address in group}
    channel_state.switch_on(context.db, set(off) - everybody)
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
    if not others or not channel_state.claim_report(context.db, off.address_id, lease=context.lease):
        return
    is_told = any(_told(context, target, off, warnings) for target in others)
    channel_state.note_reported(context.db, off.address_id, is_reported=is_told)
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
