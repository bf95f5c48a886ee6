"""The one place that builds things from the settings: database, provider, client, work, channels, reports.

`Bootstrap` is what every command needs; what some need stands in a module each, so that a command imports no more.
"""

from socap_cli.bootstrap.built import LOOK_FOR_IT, Bootstrap, secret

__all__ = ["LOOK_FOR_IT", "Bootstrap", "secret"]
