"""Host names for tests, without DNS."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import trio
import trio.abc


class Names(trio.abc.HostnameResolver):
    """Answers from a table; asked: the names that were looked up."""

    def __init__(self, table: Mapping[str, Sequence[str]]) -> None:
        self.table = dict(table)
        self.asked: list[str] = []

    async def getaddrinfo(
        self, host: bytes | None, port: bytes | str | int | None, family: int = 0, type: int = 0, *_: int
    ) -> list[Any]:
        name = (host or b"").decode()
        self.asked.append(name)
        found = [(socket.AF_INET6 if ":" in ip else socket.AF_INET, ip) for ip in self.table.get(name, [])]
        fitting = [(each, ip) for each, ip in found if family in (0, each)]
        if not fitting:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [(each, type, 6, "", (ip, port) if each == socket.AF_INET else (ip, port, 0, 0)) for each, ip in fitting]

    async def getnameinfo(self, sockaddr: Any, flags: int) -> tuple[str, str]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")


@contextmanager
def names(**table: Sequence[str]) -> Iterator[Names]:
    """These are the names that exist in the block: `relay=["127.0.0.1"]` is relay.example."""
    resolver = Names({f"{name}.example": ips for name, ips in table.items()})
    before = trio.socket.set_custom_hostname_resolver(resolver)
    try:
        yield resolver
    finally:
        trio.socket.set_custom_hostname_resolver(before)
