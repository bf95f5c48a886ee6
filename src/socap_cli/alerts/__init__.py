"""Alerts about important engagements: planned by pure rules, stored, then sent at least once.

A message is sent a second time only when the response was lost: the process died, or the connection broke, between
the channel's taking it and our writing that down. It then says that it may be a duplicate (or, with
`alerts.resend_unknown = false`, is not sent again). An e-mail carries the same Message-ID both times. Messages about
what is older than the last restore of a backup say so too.
"""
