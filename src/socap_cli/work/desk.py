"""What every unit of work needs, built once a run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from socap_cli.store import Db
from socap_cli.store.importance import FirmCollections
from socap_cli.work.calls import Calls
from socap_cli.work.delta import Policy
from socap_cli.work.enrich import RULES, Rules


@dataclass(frozen=True)
class Desk:
    db: Db
    calls: Calls
    now: Callable[[], datetime]
    policy: Policy = field(default_factory=Policy)
    firm: FirmCollections = field(default_factory=FirmCollections)
    rules: Rules = field(default_factory=lambda: RULES)
    list_lease: float = 120.0
    """Seconds for which a list is held between two pages."""
