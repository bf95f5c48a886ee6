"""The one table of data providers."""

from __future__ import annotations

from collections.abc import Callable

from socap_cli.errors import ConfigError
from socap_cli.providers.protocol import Provider
from socap_cli.providers.twitterapi_io import TwitterApiIo
from socap_cli.providers.x_api import XApi
from socap_cli.settings import ProviderSettings

PROVIDERS: dict[str, Callable[[ProviderSettings], Provider]] = {
    "twitterapi.io": TwitterApiIo.build,
    "x": XApi.build,
}


def build_provider(settings: ProviderSettings) -> Provider:
    """The provider that the settings name. Raises ConfigError."""
    try:
        build = PROVIDERS[settings.name]
    except KeyError:
        known = ", ".join(sorted(PROVIDERS))
        raise ConfigError(
            f"[provider] name: there is no {settings.name!r}", hint=f"one of: {known}"
        ) from None
    return build(settings)
