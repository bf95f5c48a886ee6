"""twitterapi.io: its wire format, prices and limits, known nowhere else."""

from socap_cli.providers.prices import Prices
from socap_cli.providers.twitterapi_io.client import TwitterApiIo, build

__all__ = ["Prices", "TwitterApiIo", "build"]
