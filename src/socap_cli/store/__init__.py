"""MongoDB: the only floor that speaks to it. One module per collection; documents become values here."""

from socap_cli.store.connect import ELECTION, Db, explain, insist, open_database

__all__ = ["ELECTION", "Db", "explain", "insist", "open_database"]
