"""The data providers: the only floor that knows a wire format. Their complaints leave as ProviderError."""

from socap_cli.providers.protocol import FOLLOWINGS, AllowedRate, Provider
from socap_cli.providers.twitterapi_io import Prices, TwitterApiIo

__all__ = ["FOLLOWINGS", "AllowedRate", "Prices", "Provider", "TwitterApiIo"]
