"""Work the queue: claim, fetch, delta, enrich, record, settle."""
