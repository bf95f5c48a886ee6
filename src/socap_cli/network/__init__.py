"""What every way to the outside shares: connections that end in time, and masks over what comes back."""
