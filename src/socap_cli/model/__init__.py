"""The nouns of the field as frozen values, a module each. It imports nothing but the standard library.

Ids are strings, every datetime is aware UTC, and a counter that is `None` is unknown, never 0.
"""
