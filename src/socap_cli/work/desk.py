"""What every unit of work needs, built once a run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

from socap_cli.store import Db, insist
from socap_cli.store.importance import FirmCollections
from socap_cli.work.calls import Calls
from socap_cli.work.delta import Policy
from socap_cli.work.enrich import RULES, Rules
from socap_cli.work.records import Records

Result = TypeVar("Result")


@dataclass(frozen=True)
class Desk:
    """The database, the provider, the rules and the clock of one run."""

    db: Db
    calls: Calls
    now: Callable[[], datetime]
    policy: Policy = field(default_factory=Policy)
    firm: FirmCollections = field(default_factory=FirmCollections)
    rules: Rules = field(default_factory=lambda: RULES)
    list_lease: float = 120.0
    """Seconds for which a list is held between two pages."""
    patience: float = 60.0
    """Seconds for which a database that went away is waited for."""
    revive: Callable[[], None] = lambda: None
    """What may bring it back."""
    records: Records = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        records = Records(self.db, self.firm, self.rules, list_lease=self.list_lease)
        object.__setattr__(self, "records", records)

    def insist(self, call: Callable[[], Result]) -> Result:
        """Do what can be repeated, waiting for the database while it is away and no stop is asked for."""
        return insist(call, patience=self.patience, stop=self.calls.stop, revive=self.revive)
