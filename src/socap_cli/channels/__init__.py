"""The ways to tell people: one module a channel, and the one table that knows them.

A new channel is a module with a class like those here (see `protocol.Channel`) and a row of `table.CHANNELS`. Its
addresses come from `[alerts] to = ["NAME=ADDRESS"]` or from a campaign's `--channel NAME=ADDRESS`; whoever
needs channels reads the table when asked, so that a row that is added later is heeded everywhere. Who needs only
what all of them promise imports no HTTP and no SMTP.
"""

from socap_cli.channels.protocol import Channel

__all__ = ["Channel"]
