"""A made-up world that knows the truth, served in a provider's wire format."""
