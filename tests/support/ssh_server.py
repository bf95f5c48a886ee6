"""A real SSH server on loopback that lets this user in by a key of its own."""

from __future__ import annotations

import getpass
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from support.waiting import wait_until

PROGRAM = shutil.which("sshd", path="/usr/sbin:/usr/local/sbin:/usr/bin")


@dataclass(frozen=True)
class SshServer:
    """Where it listens, who may come in, and with what."""

    port: int
    user: str
    key: str
    """The private key, as a person pastes it into n8n."""


@contextmanager
def ssh_server(folder: Path, settings: str) -> Iterator[SshServer]:
    """Serve with these lines of sshd_config; KEYS in them stands for the file of the keys, USER for who may come in."""
    if PROGRAM is None or shutil.which("ssh-keygen") is None:
        pytest.skip("needs OpenSSH's sshd and ssh-keygen: apt-get install openssh-server")
    folder.mkdir()
    for name in ("host", "client"):
        make = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)]
        subprocess.run(make, check=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    user = getpass.getuser()
    lines = settings.replace("KEYS", str(folder / "client.pub")).replace("USER", user)
    ours = f"ListenAddress 127.0.0.1\nPort {port}\nHostKey {folder / 'host'}\nPidFile none\n"
    (folder / "sshd_config").write_text(ours + lines)
    command = [PROGRAM, "-D", "-e", "-f", str(folder / "sshd_config")]
    with (
        (folder / "log").open("wb") as log,
        subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log) as server,
    ):
        try:
            wait_until(lambda: server.poll() is not None or _listens(port))
            if server.poll() is not None:
                pytest.skip(f"sshd does not start here: {(folder / 'log').read_text().strip()}")
            yield SshServer(port, user, (folder / "client").read_text())
        finally:
            server.terminate()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
