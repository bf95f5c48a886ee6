"""MongoDB: the only floor that speaks to it. It takes and returns values; one module per collection."""

from socap_cli.store.connect import ELECTION, Db, open_database, retry_until_available, translate_error

__all__ = ["ELECTION", "Db", "open_database", "retry_until_available", "translate_error"]
