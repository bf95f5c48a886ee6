"""The whole story on a simulated provider, through the same stage functions as the commands."""
