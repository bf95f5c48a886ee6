"""twitterapi.io: its wire format, prices and limits, known nowhere else."""

from socap_cli.providers.twitterapi_io.client import TwitterApiIo, build
from socap_cli.providers.twitterapi_io.endpoints import Prices

__all__ = ["Prices", "TwitterApiIo", "build"]
