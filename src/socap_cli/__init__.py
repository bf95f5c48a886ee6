"""Monitor engagement campaigns on X/Twitter from the terminal."""

from socap_cli._version import __version__

__all__ = ["__version__"]
