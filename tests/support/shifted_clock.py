"""A time of day that is set: for every process that is started with it, the database's server too."""

from __future__ import annotations

import shutil
import struct
import subprocess
from pathlib import Path

import pytest

SOURCE = Path(__file__).with_suffix(".c")


class ShiftedClock:
    """A library to preload, and the file that says by how much the time of day is off."""

    def __init__(self, folder: Path) -> None:
        compiler = shutil.which("cc") or shutil.which("gcc")
        if compiler is None:
            pytest.skip("needs a C compiler, for a library that shifts the time of day")
        self._library, self._file = folder / "shifted_clock.so", folder / "shift"
        subprocess.run(
            [
                *(compiler, "-shared", "-fPIC", "-O2", f'-DSHIFT_FILE="{self._file}"'),
                *("-o", self._library, SOURCE, "-ldl", "-lpthread"),
            ],
            check=True,
        )
        self.shift(0)

    def shift(self, seconds: int) -> None:
        """Set the time of day of all processes: so many seconds from the real one."""
        mode = "r+b" if self._file.exists() else "wb"  # in place: it is mapped
        with self._file.open(mode) as stream:
            stream.write(struct.pack("=q", seconds))

    @property
    def environment(self) -> dict[str, str]:
        """What a process is started with."""
        return {"LD_PRELOAD": str(self._library)}
