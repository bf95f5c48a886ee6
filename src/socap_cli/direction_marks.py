"""Marks that turn the direction of text, and the byte order mark: nobody sees them, so nobody may hide in them."""

from __future__ import annotations

import re

BIDI = "\u202a-\u202e\u2066-\u2069"
LEFT_OUT = re.compile(rf"[\ufeff{BIDI}]")
