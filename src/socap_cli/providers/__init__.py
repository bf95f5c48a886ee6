"""The data providers: the only floor that knows a wire format. Their complaints leave as ProviderError."""

from socap_cli.providers.twitterapi_io import FOLLOWINGS, Prices, TweetsAnswer, TwitterApiIo

__all__ = ["FOLLOWINGS", "Prices", "TweetsAnswer", "TwitterApiIo"]
