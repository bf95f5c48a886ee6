"""Settings: the sections with their defaults, read from one TOML file and the environment."""

from socap_cli.config.loading import load, secrets_in
from socap_cli.config.places import FILE_NAME, default_data_dir, find_file, missing_file
from socap_cli.config.sections import (
    Alerts,
    Budget,
    Collection,
    Database,
    Importance,
    Logging,
    Pings,
    Provider,
    Report,
    Section,
    Settings,
    Worker,
)
from socap_cli.config.variables import PLAN_NAMES

__all__ = [
    "FILE_NAME", "PLAN_NAMES", "Alerts", "Budget", "Collection", "Database", "Importance", "Logging", "Pings",
    "Provider", "Report", "Section", "Settings", "Worker", "default_data_dir", "find_file", "load", "missing_file",
    "secrets_in",
]  # fmt: skip
