"""A process that dies at one of its writes."""

from __future__ import annotations

from typing import Any

WRITES = frozenset(
    {"bulk_write", "update_one", "update_many", "insert_one", "find_one_and_update", "delete_many"}
)


class Killed(BaseException):
    """The process is gone."""


class MortalDb:
    """A database whose process dies just before, or just after, its n-th write."""

    def __init__(self, db: Any, lives: int, *, after: bool) -> None:
        self._db, self.lives, self._after = db, lives, after

    def __getattr__(self, name: str) -> Any:
        return MortalCollection(self, getattr(self._db, name))

    def __getitem__(self, name: str) -> Any:
        return MortalCollection(self, self._db[name])

    def write(self, call: Any, *args: Any, **options: Any) -> Any:
        self.lives -= 1
        if self.lives == 0 and not self._after:
            raise Killed
        result = call(*args, **options)
        if self.lives == 0:
            raise Killed
        return result


class MortalCollection:
    def __init__(self, db: MortalDb, collection: Any) -> None:
        self._db, self._collection = db, collection

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._collection, name)
        if name == "with_options":
            return lambda **options: MortalCollection(self._db, found(**options))
        if name not in WRITES:
            return found
        return lambda *args, **options: self._db.write(found, *args, **options)
