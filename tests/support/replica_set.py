"""Three real `mongod` of the embedded extra as one replica set on loopback, with short elections."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from pymongo import MongoClient
from pymongo.errors import AutoReconnect

from socap_cli.store.embedded import find_mongod


class ReplicaSet:
    """Members listen on TCP at `host`, each with its data under `folder`. Usable as a context manager."""

    def __init__(
        self, folder: Path, *, members: int = 3, host: str = "127.0.0.1", enter: Sequence[str] = ()
    ) -> None:
        self._folder = folder
        self._host = host
        self._enter = tuple(enter)
        """What a command is started with, to run on another host."""
        self._ports = _free_ports(members) if not enter else list(range(27101, 27101 + members))
        self._members: dict[int, subprocess.Popen[bytes]] = {}

    @property
    def uri(self) -> str:
        return f"mongodb://{','.join(f'{self._host}:{port}' for port in self._ports)}/?replicaSet=rs"

    def __enter__(self) -> ReplicaSet:
        for port in self._ports:
            self.start(port)
        members = [{"_id": n, "host": f"{self._host}:{port}"} for n, port in enumerate(self._ports)]
        quick = {"electionTimeoutMillis": 2000, "heartbeatIntervalMillis": 500}
        for port in reversed(self._ports):  # all must listen before one of them makes them a set
            with MongoClient[dict[str, Any]](
                f"mongodb://{self._host}:{port}/?directConnection=true"
            ) as client:
                client.admin.command("ping")
                if port == self._ports[0]:
                    client.admin.command(
                        "replSetInitiate", {"_id": "rs", "members": members, "settings": quick}
                    )
        with MongoClient[dict[str, Any]](self.uri) as client:
            client.ready.marks.insert_one({})
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._members.values():
            process.kill()
            process.wait()

    def start(self, port: int) -> None:
        data = self._folder / str(port)
        data.mkdir(parents=True, exist_ok=True)
        command = [
            *self._enter, str(find_mongod()), "--dbpath", str(data), "--logpath", str(data / "log"), "--logappend",
            "--port", str(port), "--bind_ip", self._host, "--nounixsocket", "--replSet", "rs",
            "--wiredTigerCacheSizeGB", "0.25", "--setParameter", "diagnosticDataCollectionEnabled=false",
        ]  # fmt: skip
        self._members[port] = subprocess.Popen(command, stdout=subprocess.DEVNULL)

    def primary(self) -> int:
        """The primary's port; waits for an election that is going on."""
        with MongoClient[dict[str, Any]](self.uri) as client:
            client.admin.command("ping")
            address = client.primary
        assert address is not None
        return address[1]

    def kill_primary(self) -> int:
        """kill -9, and nobody starts it again; return its port."""
        port = self.primary()
        self._members[port].kill()
        self._members[port].wait()
        return port

    def step_down(self) -> None:
        """Let the primary hand over, as in a rolling restart."""
        with MongoClient[dict[str, Any]](self.uri) as client, suppress(AutoReconnect):
            client.admin.command("replSetStepDown", 20, secondaryCatchUpPeriodSecs=5)


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()
