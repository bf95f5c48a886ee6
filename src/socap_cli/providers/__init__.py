"""The data providers: the only floor that knows a wire format. Their complaints leave as ProviderError.

A new provider is a package here that keeps to `Provider`, and one row of `table.PROVIDERS`. Whoever needs only
what all of them promise imports no HTTP.
"""

from socap_cli.providers.protocol import FOLLOWINGS, AllowedRate, Provider

__all__ = ["FOLLOWINGS", "AllowedRate", "Provider"]
