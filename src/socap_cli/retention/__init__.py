"""What is deleted for good: a person on request, what X deleted, what is too old."""
