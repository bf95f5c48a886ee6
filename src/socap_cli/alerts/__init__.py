"""Tell people about important engagements: plan (pure), then send. At least once, and written down when twice.

The promise: an engagement at or over its campaign's threshold is told to every channel of the campaign at
least once. It can be told twice only when a delivery's answer was lost: the process died, or the
connection broke, between the channel's taking a message and our writing that down. Such a delivery is
`unknown`; it is sent again with a note that says so (or left alone with `alerts.resend_unknown = false`).
An e-mail carries the same Message-ID both times.
"""
