"""Monitor engagement campaigns on X/Twitter from the terminal."""

__version__ = "0.1.0"
