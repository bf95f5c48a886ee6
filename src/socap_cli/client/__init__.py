"""The metered way to a provider: limited, budgeted, metered, retried."""
