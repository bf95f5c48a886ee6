"""What a command prints, compared as a whole with a file in tests/texts.

`SOCAP_WRITE_TEXTS=1 make test-fast` writes them anew; read the difference before you commit it.
"""

from __future__ import annotations

import os
from pathlib import Path

FOLDER = Path(__file__).parent.parent / "texts"
WRITE = os.environ.get("SOCAP_WRITE_TEXTS") == "1"


def assert_text(name: str, got: str) -> None:
    """What was printed is what stands in the file of that name."""
    path = FOLDER / f"{name}.txt"
    if WRITE:
        path.parent.mkdir(exist_ok=True)
        path.write_text(got, encoding="utf-8")
    assert got == path.read_text(encoding="utf-8")
