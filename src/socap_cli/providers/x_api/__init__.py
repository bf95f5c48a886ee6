"""X's own API, version 2: its wire format, prices and limits, known nowhere else."""

from socap_cli.providers.x_api.client import XApi, build

__all__ = ["XApi", "build"]
